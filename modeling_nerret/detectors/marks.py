"""Find the mentions that a language model marked with `##marks##` in its copy of a text.

The copy is rarely exact. Words may be missing, altered or added, and marks may be nested or unclosed. So the copy is
aligned with the text word by word, and only mentions that occur in the text are kept.
"""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher
from typing import NamedTuple

from ..forms import WORD
from ..spans import Span

HASHES = re.compile(r"#{2,}")
OPENING, CLOSING = "([{<“‘«„", ")]}>”’»,.;:!?"
QUOTES = str.maketrans("‘’“”«»„", '\'\'"""""')


class _Word(NamedTuple):
    """A word at characters `[start, end)`. Two words are the same if their keys are equal."""

    start: int
    end: int
    key: str


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
    strays: list[list[str]] = []  # keys of the words of each mention that has no place yet
    for start, end in mentions:
        if not any(map(str.isalnum, plain[start:end])):
            continue
        numbers = [number for number, word in enumerate(copy_words) if word.start < end and word.end > start]
        targets = [alignment.get(number, -1) for number in numbers]
        if targets[0] >= 0 and targets == list(range(targets[0], targets[0] + len(targets))):
            first = copy_words[numbers[0]], text_words[targets[0]]
            last = copy_words[numbers[-1]], text_words[targets[-1]]
            spans.add(_characters(start, end, first, last))
        else:
            strays.append([copy_words[number].key for number in numbers])
    for keys in strays:
        free = next((span for span in _occurrences(text_words, keys) if span not in spans), None)
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
    return [_Word(*match.span(), _key(match.group())) for match in WORD.finditer(text)]


def _key(word: str) -> str:
    """A word in lower case, without accents, with straight quotes."""
    letters = unicodedata.normalize("NFKD", word.translate(QUOTES)).casefold()
    return "".join(letter for letter in letters if not unicodedata.combining(letter)) or word


def _characters(start: int, end: int, first: tuple[_Word, _Word], last: tuple[_Word, _Word]) -> tuple[int, int]:
    """Characters of the text for `[start, end)` of the copy.

    A mark inside a word keeps its place if both forms of the word have the same length. Else the whole word counts.

    Args:
        start: first character in the copy.
        end: the character after the last.
        first: the first word, in the copy and in the text.
        last: the last word, in the copy and in the text.
    """
    left = start - first[0].start if _length(first[0]) == _length(first[1]) else 0
    right = last[0].end - end if _length(last[0]) == _length(last[1]) else 0
    return first[1].start + max(left, 0), last[1].end - max(right, 0)


def _length(word: _Word) -> int:
    return word.end - word.start


def _occurrences(words: list[_Word], keys: list[str]) -> list[tuple[int, int]]:
    """Characters of every place where the words with these keys follow each other."""
    size = len(keys)
    return [
        (words[index].start, words[index + size - 1].end)
        for index in range(len(words) - size + 1)
        if [word.key for word in words[index : index + size]] == keys
    ]
