"""Find the mentions that a language model marked with `##marks##` in its copy of a text.

The copy is rarely exact. Words may be missing, altered or added, and marks may be nested or unclosed. So the copy is
aligned with the text word by word, and only mentions that occur in the text are kept.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from ..forms import WORD
from ..spans import Span

HASHES = re.compile(r"#{2,}")
OPENING, CLOSING = "([{<“‘«„", ")]}>”’»,.;:!?"
QUOTES = str.maketrans("‘’“”«»„", '\'\'"""""')


class _Word(NamedTuple):
    """A word at characters `[start, end)`. Two words are the same if their keys are equal.

    `places` are the first characters of its letters, each with its combining marks, and then `end`.
    """

    start: int
    end: int
    key: str
    places: list[int]


def align_marks(text: str, copy: str) -> list[Span]:
    """The mentions that are marked in `copy`, as spans of `text`, in order.

    The alignment of the two texts gives the place of a mention. If the words around a mention do not match, it goes to
    its first occurrence that no other mention has taken. Case, accents and the kind of quotes do not matter.

    Example:
        >>> align_marks("Ada met Babbage; Ada wrote.", "Ada met ##Babbage##; ##ada## often wrote.")
        [Span(start=8, end=15, score=1.0), Span(start=17, end=20, score=1.0)]
        >>> align_marks("Ada met Babbage.", "##Ada## met ##Lord Byron##.")
        [Span(start=0, end=3, score=1.0)]
    """
    plain, mentions = parse_marks(copy)
    text_words, copy_words = _words(text), _words(plain)
    alignment = _align(text_words, copy_words)
    spans: set[tuple[int, int]] = set()
    strays: list[tuple[int, int, list[_Word]]] = []  # start, end and words of each mention that has no place yet
    for start, end in mentions:
        if not any(map(str.isalnum, plain[start:end])):
            continue
        numbers = [number for number, word in enumerate(copy_words) if word.start < end and word.end > start]
        words = [copy_words[number] for number in numbers]
        targets = [alignment.get(number, -1) for number in numbers]
        if targets[0] >= 0 and targets == list(range(targets[0], targets[0] + len(targets))):
            spans.add(_characters(start, end, words, text_words[targets[0] : targets[-1] + 1]))
        else:
            strays.append((start, end, words))
    for start, end, words in strays:
        places = (_characters(start, end, words, occurrence) for occurrence in _occurrences(text_words, words))
        free = next((place for place in places if place not in spans), None)
        if free is not None:
            spans.add(free)
    return [Span(start, end) for start, end in sorted(spans)]


def _align(text_words: list[_Word], copy_words: list[_Word]) -> dict[int, int]:
    """Number of a word of the copy -> number of the same word of the text."""
    matcher = SequenceMatcher(
        None, [word.key for word in text_words], [word.key for word in copy_words], autojunk=False
    )
    blocks = matcher.get_matching_blocks()
    return {block.b + step: block.a + step for block in blocks for step in range(block.size)}


def parse_marks(copy: str) -> tuple[str, list[tuple[int, int]]]:
    """Remove the marks from a copy; returns the plain text and the marked spans of it.

    A mark without a counterpart is removed and marks nothing.

    Example:
        >>> parse_marks("##University of ##Paris####, ##open")
        ('University of Paris, open', [(14, 19), (0, 19)])
    """
    plain, last = "", 0
    spans: list[tuple[int, int]] = []
    starts: list[int] = []  # of the mentions that are open
    for run in HASHES.finditer(copy):
        plain += copy[last : run.start()]
        last = run.end()
        opens, closes = _sides(copy, run)
        extra = "#" * (len(run.group()) - 2)  # part of the text, as in "C#", or a second mark
        is_double = len(extra) == 2 and bool(starts) and closes
        if opens and not (starts and closes):
            starts.append(len(plain))
            plain += extra
        elif closes and starts:
            plain += "" if is_double else extra
            spans.append((starts.pop(), len(plain)))
            if is_double and opens:  # a mention ends and the next begins
                starts.append(len(plain))
            elif is_double and starts:  # an inner and an outer mention end
                spans.append((starts.pop(), len(plain)))
        else:
            plain += run.group()  # not a mark: the text itself has hashes, for example a heading
    return plain + copy[last:], [span for span in spans if span[0] < span[1]]


def _sides(copy: str, run: re.Match[str]) -> tuple[bool, bool]:
    """Whether a run of `#` may open a mention, and whether it may close one."""
    left, right = copy[run.start() - 1 : run.start()] or " ", copy[run.end() : run.end() + 1] or " "
    return not (right.isspace() or right in CLOSING), not (left.isspace() or left in OPENING)


def _words(text: str) -> list[_Word]:
    return [_word(text, *match.span()) for match in WORD.finditer(text)]


def _word(text: str, start: int, end: int) -> _Word:
    places = [place for place in range(start, end) if place == start or not unicodedata.combining(text[place])]
    return _Word(start, end, _key(text[start:end]), [*places, end])


def _key(word: str) -> str:
    """A word in lower case, without accents, with straight quotes."""
    letters = unicodedata.normalize("NFKD", word.translate(QUOTES)).casefold()
    return "".join(letter for letter in letters if not unicodedata.combining(letter)) or word


def _characters(start: int, end: int, copies: Sequence[_Word], words: Sequence[_Word]) -> tuple[int, int]:
    """Characters of the text for `[start, end)` of the copy.

    A mark inside a word keeps its place if both forms of the word have as many letters. Else the whole word counts.

    Args:
        start: first character in the copy.
        end: the character after the last.
        copies: the words in the copy.
        words: the same words in the text.
    """
    left, right = _place(start, copies[0], words[0]), _place(end, copies[-1], words[-1])
    return words[0].start if left is None else left, words[-1].end if right is None else right


def _place(place: int, copy: _Word, word: _Word) -> int | None:
    """The character of a word of the text for a place in its copy; `None` if they differ in their letters."""
    if len(copy.places) != len(word.places):
        return None
    return word.places[min(bisect_left(copy.places, place), len(word.places) - 1)]


def _occurrences(words: list[_Word], copies: list[_Word]) -> Iterator[list[_Word]]:
    """Every run of words with the same keys as these."""
    size, keys = len(copies), [word.key for word in copies]
    for index in range(len(words) - size + 1):
        if [word.key for word in words[index : index + size]] == keys:
            yield words[index : index + size]
