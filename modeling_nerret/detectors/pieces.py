"""What a detector with a model of its own reads: windows in their form, without what no mention is part of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..forms import Form, form_of
from ..mentions import LONGEST
from ..spans import Span
from ..windows import Window

MOST_CHARACTERS = 10_000  # of a piece: a window has more only if its tokenizer knows next to nothing of it


class Piece(NamedTuple):
    """A part of a window's text: number of the window, first character in the whole text, and form."""

    number: int
    start: int
    form: Form

    def span(self, start: int, end: int, score: float = 1.0) -> Span:
        """Characters `[start, end)` of the form as a span of the whole text."""
        ((first, last),) = self.form.origin(np.array([[start, end]])).tolist()
        return Span(first + self.start, last + self.start, score)


def pieces_of(windows: Sequence[Window]) -> list[Piece]:
    """The pieces of all windows, in order; an ordinary window is one piece.

    Tokens that are wider than a mention can be are left out: they are runs of characters that the window's tokenizer
    does not know, and models of other vocabularies would read them one by one.
    """
    return [
        Piece(number, start, form_of(window.text[start:end]))
        for number, window in enumerate(windows)
        for start, end in _parts(window)
        if window.text[start:end].strip()
    ]


def spans_by_window(windows: Sequence[Window], proposals: Iterable[tuple[Piece, Iterable[Span]]]) -> list[list[Span]]:
    """Spans of the pieces' forms as spans of each window's text, in order, each with its best score."""
    best: list[dict[tuple[int, int], float]] = [{} for _ in windows]
    for piece, spans in proposals:
        for span in spans:
            start, end, score = piece.span(*span)
            if start < end and windows[piece.number].text[start:end].strip():
                best[piece.number][start, end] = max(best[piece.number].get((start, end), 0.0), score)
    return [[Span(*edges, scores[edges]) for edges in sorted(scores)] for scores in best]


def _parts(window: Window) -> Iterator[tuple[int, int]]:
    """Characters of a window between tokens that are too wide, at most so many together."""
    left, right = window.span
    wide = window.offsets[window.offsets[:, 1] - window.offsets[:, 0] > LONGEST]
    edges = [left, *wide.ravel().tolist(), right]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        for begin in range(start, end, MOST_CHARACTERS):
            yield begin, min(begin + MOST_CHARACTERS, end)
