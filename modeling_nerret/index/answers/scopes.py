"""Scopes: how near to each other the mentions of several types must stand.

A scope is `"document"`, `"sentence"`, or a number of characters that lie between the mentions at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from .sentences import sentence_starts

DOCUMENT, SENTENCE = "document", "sentence"
Place = tuple[int, int, float]  # of a mention: start, end, score


def check_scope(within: Any) -> None:
    """Refuse what is no scope.

    Raises:
        ValueError: the message says what is accepted.
    """
    is_distance = isinstance(within, int) and not isinstance(within, bool) and within >= 0
    if not is_distance and (not isinstance(within, str) or within not in (DOCUMENT, SENTENCE)):
        raise ValueError(
            f"within is {within!r:.60}; accepted are 'document', 'sentence' and a number of characters from 0"
        )


def units(text: str, within: str | int, mentions: Sequence[Sequence[Place]]) -> list[tuple[int, int]]:
    """The parts of a text that mentions must begin in to stand near enough to each other.

    Args:
        text: the text.
        within: a scope other than the document.
        mentions: those of each type.

    Example:
        >>> units("Ada met Babbage. He was late!", "sentence", [])
        [(0, 17), (17, 29)]
        >>> units("Ada met Babbage.", 5, [[(0, 3, 0.9)], [(8, 15, 0.8)]])
        [(0, 9), (8, 21)]
    """
    if within == SENTENCE:
        return list(pairwise([*sentence_starts(text), len(text)]))
    return sorted({(start, end + int(within) + 1) for places in mentions for start, end, _ in places})


def best_inside(places: Sequence[Place], start: int, end: int) -> float | None:
    """The best score of the mentions that begin in a part of the text; `None` if there is none.

    Example:
        >>> best_inside([(0, 3, 0.5), (8, 15, 0.8)], 0, 8)
        0.5
    """
    return max((score for first, _, score in places if start <= first < end), default=None)
