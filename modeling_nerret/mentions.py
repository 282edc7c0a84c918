"""What can be a mention, whichever detector proposes it: within a passage, of bounded length, without emoji."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

from .characters import BLANK, BREAK
from .forms import MARKS, WORD
from .spans import Span

# Of 71,178 gold mentions of ten sets, 4 have more characters and 5 more words: rules, formulas and whole sentences
LONGEST, MOST_WORDS = 200, 40
_MARK = re.compile(f"[{MARKS}]")
_BLANK = re.compile(f"[{BLANK}]")


def accept(text: str, proposals: Iterable[Span]) -> list[Span]:
    """The mentions in what a detector proposes for a text, in order.

    A proposal across a break (a blank line, a tab, a form feed, emoji and the like) becomes its parts that hold a
    letter or digit. White space and invisible characters at the ends are left out, and a letter keeps its combining
    marks. A proposal, or a part, of more than `LONGEST` characters or `MOST_WORDS` words is no mention.

    Raises:
        ValueError: a proposal is not `0 <= start < end <= len(text)`.

    Example:
        >>> accept("Ana Ruiz\\n\\nJo Ek", [Span(0, 15, 0.9)])
        [Span(start=0, end=8, score=0.9), Span(start=10, end=15, score=0.9)]
    """
    best: dict[tuple[int, int], float] = {}
    for start, end, score in proposals:
        if not 0 <= start < end <= len(text):
            raise ValueError(f"the detector proposes [{start}, {end}) of a text of {len(text)} characters")
        if end - start > LONGEST:
            continue
        for place in _parts(text, start, end):
            best[place] = max(best.get(place, 0.0), score)
    return [Span(*place, best[place]) for place in sorted(best)]


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    breaks = [match.span() for match in BREAK.finditer(text, start, end)]
    edges = [start, *(edge for span in breaks for edge in span), end]
    for left, right in zip(edges[::2], edges[1::2], strict=True):
        first, last = trim(text, left, right)
        words = sum(1 for _ in WORD.finditer(text, first, last))
        if 0 < words <= MOST_WORDS and (not breaks or any(map(str.isalnum, text[first:last]))):
            yield first, last


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Characters `[start, end)` without white space and invisible ones at their ends, but with all marks of letters."""
    while start < end and _is_blank(text[start]):
        start += 1
    while start < end and _is_blank(text[end - 1]):
        end -= 1
    if start < end:
        while end < min(len(text), start + LONGEST) and _is_mark(text[end]):
            end += 1
        while 0 < start > end - LONGEST and _is_mark(text[start]) and not _is_blank(text[start - 1]):
            start -= 1
    return start, end


def _is_mark(letter: str) -> bool:
    return _MARK.match(letter) is not None


def _is_blank(letter: str) -> bool:
    return _BLANK.match(letter) is not None


def possible(text: str, words: np.ndarray, most: int) -> np.ndarray:
    """Which spans of a window's words can be mentions.

    Args:
        text: the window's text.
        words: (words, 2 or more), first character of each word and the one after its last; in order.
        most: number of words of the longest span.

    Returns:
        (words, most) bool: the span from word i over j + 1 words; false beyond the last word.
    """
    count = len(words)
    if not count:
        return np.zeros((0, most), dtype=bool)
    breaks = [edge for match in BREAK.finditer(text, words[0, 0], words[-1, 1]) for edge in match.span()]
    passages = np.searchsorted(breaks, words[:, 0], side="right")  # an odd number: within a break
    first = np.arange(count)[:, None]
    last = first + np.arange(most)  # (words, most)
    inside = last < count
    last = np.minimum(last, count - 1)
    whole = (passages[first] == passages[last]) & (passages[first] % 2 == 0)
    return inside & whole & (words[last, 1] - words[first, 0] <= LONGEST)
