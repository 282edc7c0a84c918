"""Scopes: how near to each other the mentions of several types must stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

DOCUMENT, SENTENCE = "document", "sentence"
Place = tuple[int, int, float]  # of a mention: start, end, score
_END = re.compile(r"[.!?…]+[\"'”’)\]]*\s+|[。！？]+|\n+")


def check_scope(within: Any) -> None:
    """Refuse what is no scope.

    Raises:
        ValueError: the message says what is accepted.
    """
    is_distance = isinstance(within, int) and not isinstance(within, bool) and within > 0
    if within not in (DOCUMENT, SENTENCE) and not is_distance:
        raise ValueError(f"within is {within!r:.60}; accepted are 'document', 'sentence' and a number of characters")


def sentences(text: str) -> list[tuple[int, int]]:
    """Where the sentences and lines of a text begin and end.

    Example:
        >>> sentences("Ada met Babbage. He was late!")
        [(0, 17), (17, 29)]
    """
    edges = [0, *(match.end() for match in _END.finditer(text)), len(text)]
    return [(start, end) for start, end in pairwise(edges) if start < end]


def units(text: str, within: str | int, mentions: Sequence[Sequence[Place]]) -> list[tuple[int, int]]:
    """The parts of a text in which mentions stand near enough to each other.

    Args:
        text: the text.
        within: `"sentence"`, or the most characters from the start of one mention to the end of another.
        mentions: those of each type.

    Example:
        >>> units("Ada met Babbage.", 8, [[(0, 3, 0.9)], [(8, 15, 0.8)]])
        [(0, 8), (8, 16)]
    """
    if within == SENTENCE:
        return sentences(text)
    starts = sorted({start for places in mentions for start, _, _ in places})
    return [(start, min(start + int(within), len(text))) for start in starts]


def best_inside(places: Sequence[Place], start: int, end: int) -> float | None:
    """The best score of the mentions inside a part of the text; `None` if there is none.

    Example:
        >>> best_inside([(0, 3, 0.5), (8, 15, 0.8)], 0, 10)
        0.5
    """
    return max((score for first, last, score in places if start <= first and last <= end), default=None)
