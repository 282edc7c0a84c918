"""Mentions from a text that was written again with `##marks##` around them, as generative extractors write it.

Such a text is a copy made by a language model: words may be missing, altered or added, and marks may be nested or left
open. It is aligned with the original word by word, and nothing is taken over that does not stand there.
"""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from typing import NamedTuple

from ..detection import WORD
from ..spans import Span

RUN = re.compile(r"#{2,}")
OPENING, CLOSING = "([{<“‘«„", ")]}>”’»,.;:!?"
QUOTES = str.maketrans("‘’“”«»„", '\'\'"""""')


class _Word(NamedTuple):
    """A word at characters `[start, end)`, and what words must share to be the same."""

    start: int
    end: int
    key: str


def align_marks(text: str, marked: str) -> list[Span]:
    """The marked mentions of `marked` where they stand in `text`, in order.

    A mention is taken where the alignment of the two texts puts it or, if its surroundings do not match, at its first
    place in the text that is still free. Words are compared without case, accents and kinds of quotes.

    Example:
        >>> align_marks("Ada met Babbage; Ada wrote.", "Ada met ##Babbage##; ##ada## often wrote.")
        [Span(start=8, end=15, score=1.0), Span(start=17, end=20, score=1.0)]
        >>> align_marks("Ada met Babbage.", "##Ada## met ##Lord Byron##.")
        [Span(start=0, end=3, score=1.0)]
    """
    plain, mentions = parse_marks(marked)
    original, copied = _words(text), _words(plain)
    matcher = SequenceMatcher(None, [word.key for word in original], [word.key for word in copied], autojunk=False)
    places = {
        block.b + step: block.a + step for block in matcher.get_matching_blocks() for step in range(block.size)
    }  # number of a copied word -> number of the original word
    found: set[tuple[int, int]] = set()
    astray = []
    for start, end in mentions:
        inside = [number for number, word in enumerate(copied) if word.start < end and word.end > start]
        if not any(map(str.isalnum, plain[start:end])):
            continue
        there = [places.get(number, -1) for number in inside]
        if there[0] >= 0 and there == list(range(there[0], there[0] + len(there))):
            edges = (copied[inside[0]], original[there[0]]), (copied[inside[-1]], original[there[-1]])
            found.add(_characters(start, end, *edges))
        else:
            astray.append([copied[number].key for number in inside])
    for keys in astray:
        places_left = (place for place in _occurrences(original, keys) if place not in found)
        found.update(place for place in [next(places_left, None)] if place)
    return [Span(start, end) for start, end in sorted(found)]


def parse_marks(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks, and the spans in it that were marked; a mark without its counterpart marks nothing.

    Example:
        >>> parse_marks("##University of ##Paris####, ##open")
        ('University of Paris, open', [(14, 19), (0, 19)])
    """
    plain, last = "", 0
    spans: list[tuple[int, int]] = []
    opened: list[int] = []
    for run in RUN.finditer(marked):
        plain += marked[last : run.start()]
        last = run.end()
        opens, closes = _sides(marked, run)
        hashes = "#" * (len(run.group()) - 2)
        double = len(hashes) == 2 and bool(opened) and closes
        if opens and not (opened and closes):
            opened.append(len(plain))
            plain += hashes
        elif closes and opened:
            plain += "" if double else hashes
            spans.append((opened.pop(), len(plain)))
            if double and opens:  # one mention ends and the next begins
                opened.append(len(plain))
            elif double and opened:  # an inner and an outer mention end
                spans.append((opened.pop(), len(plain)))
        else:
            plain += run.group()  # no mark but the text's own, such as a heading's
    return plain + marked[last:], [span for span in spans if span[0] < span[1]]


def _sides(marked: str, run: re.Match[str]) -> tuple[bool, bool]:
    """Whether a run of `#` may open, and whether it may close a mention."""
    before, after = marked[run.start() - 1 : run.start()] or " ", marked[run.end() : run.end() + 1] or " "
    return not (after.isspace() or after in CLOSING), not (before.isspace() or before in OPENING)


def _words(text: str) -> list[_Word]:
    return [_Word(*match.span(), _key(match.group())) for match in WORD.finditer(text)]


def _key(word: str) -> str:
    """A word without case, accents and kinds of quotes."""
    letters = unicodedata.normalize("NFKD", word.translate(QUOTES)).casefold()
    return "".join(letter for letter in letters if not unicodedata.combining(letter)) or word


def _characters(start: int, end: int, first: tuple[_Word, _Word], last: tuple[_Word, _Word]) -> tuple[int, int]:
    """Characters of the original for `[start, end)` of the copy, given its first and last word as (copy, original).

    A mark inside a word stays at its place in the word if both have the same length, else the word counts whole.
    """
    (copy, own), (copy_last, own_last) = first, last
    cut = start - copy.start if copy.end - copy.start == own.end - own.start else 0
    rest = copy_last.end - end if copy_last.end - copy_last.start == own_last.end - own_last.start else 0
    return own.start + max(cut, 0), own_last.end - max(rest, 0)


def _occurrences(words: list[_Word], keys: list[str]) -> list[tuple[int, int]]:
    """Characters of all places where the words of `keys` stand one after the other."""
    size = len(keys)
    return [
        (words[at].start, words[at + size - 1].end)
        for at in range(len(words) - size + 1)
        if [word.key for word in words[at : at + size]] == keys
    ]
