"""Spans of characters and of tokens: mapping one to the other, and windows over long texts."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from operator import index
from typing import NamedTuple

import numpy as np


class Span(NamedTuple):
    """A mention's place: characters `[start, end)` of a document's own text, with the detector's score in [0, 1]."""

    start: int
    end: int
    score: float = 1.0


def check_span(text: str, start: int, end: int) -> None:
    """Refuse a span that is not `0 <= start < end <= len(text)` or holds only white space.

    Raises:
        ValueError: the message says what came and what is accepted.

    Example:
        >>> check_span("Ada Lovelace", 4, 4)
        Traceback (most recent call last):
        ...
        ValueError: span [4, 4) is not a mention of a text of 12 characters: needed is 0 <= start < end <= 12
    """
    try:
        if bool in map(type, (start, end)):
            raise TypeError
        start, end = index(start), index(end)  # whole numbers of numpy too
    except TypeError:
        raise ValueError(f"span [{start!r}, {end!r}) is not a pair of whole numbers of characters") from None
    if not 0 <= start < end <= len(text):
        raise ValueError(
            f"span [{start}, {end}) is not a mention of a text of {len(text)} characters: "
            f"needed is 0 <= start < end <= {len(text)}"
        )
    if not text[start:end].strip():
        raise ValueError(f"span [{start}, {end}) holds only white space")


def token_span(offsets: np.ndarray, text: str, start: int, end: int) -> tuple[int, int] | None:
    """Tokens that cover the characters `[start, end)`, as `[first, last)`; `None` if no token covers any of them.

    A token that a span cuts counts whole. White space at the span's ends is left out, because byte-level tokenizers
    give it tokens of its own. `offsets` is (tokens, 2), characters of each token; special tokens have zero width.

    Example:
        >>> token_span(np.array([[0, 0], [0, 3], [3, 12], [0, 0]]), "Ada Lovelace", 4, 12)
        (2, 3)
    """
    mention = text[start:end]
    end -= len(mention) - len(mention.rstrip())
    start += len(mention) - len(mention.lstrip())
    tokens = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start) & (offsets[:, 0] < offsets[:, 1]))
    return (int(tokens[0]), int(tokens[-1]) + 1) if len(tokens) else None


def windows_by_context(windows: Sequence[tuple[int, int]], start: int, end: int, causal: bool) -> list[int]:
    """Which of a document's windows show a mention, the best first.

    The best has most left context (causal) or most context at its poorer side; text edges count as full context. For a
    mention that no window holds whole (longer than their overlap) it is the one that holds its end, or else most of it.

    Args:
        windows: spans of characters, in order.
        start: first character of the mention.
        end: character after its last.
        causal: whether a token sees only what is before it.

    Example:
        >>> windows = [(0, 50), (30, 80)]
        >>> windows_by_context(windows, 35, 40, causal=False), windows_by_context(windows, 35, 40, causal=True)
        ([0, 1], [0, 1])
        >>> windows_by_context(windows, 44, 48, causal=False)
        [1, 0]
    """
    low = bisect_right(windows, start, key=lambda window: window[1])
    high = bisect_left(windows, end, key=lambda window: window[0])
    ranks = {}
    for number in range(low, high):
        left, right = windows[number]
        before = float("inf") if number == 0 else start - left
        after = float("inf") if number == len(windows) - 1 else right - end
        whole = left <= start and end <= right
        context = before if causal else min(before, after)
        ranks[number] = (whole, end <= right, context if whole else min(end, right) - max(start, left))
    return sorted(ranks, key=lambda number: ranks[number], reverse=True)
