"""The form in which models read a text: composed letters, whole words, a semicolon for what parts names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .characters import EMOJI, INVISIBLE, INVISIBLES, SEPARATOR

# Where Unicode has combining marks, apart from variation selectors
_MARK_BLOCKS = (
    *((0x300, 0x1E00), (0x20D0, 0x2100), (0x2CE0, 0x2E00), (0x3020, 0x30A0), (0xA660, 0xAC00), (0xFB1E, 0xFB1F)),
    *((0xFE20, 0xFE30), (0x101F0, 0x12000), (0x13430, 0x13460), (0x16AF0, 0x17000), (0x1BC90, 0x1BCA0)),
    *((0x1CF00, 0x1CF50), (0x1D160, 0x1D250), (0x1DA00, 0x1DAC0), (0x1E000, 0x1E950)),
)


# Where it has letters that are not in composed form by themselves, such as the sign of the angstrom
_CHANGING_BLOCKS = (
    *((0x340, 0x388), (0x958, 0xFBA), (0x1F71, 0x2002), (0x2126, 0x232B), (0x2ADC, 0x2ADD), (0xF900, 0xFB4F)),
    *((0x1D15E, 0x1D1C1), (0x2F800, 0x2FA1E)),
)


def _letters(blocks: Iterable[tuple[int, int]], belongs: Callable[[str], bool]) -> str:
    """Those letters of some blocks that `belongs` accepts, as part of a character class."""
    ranges: list[list[int]] = []
    for block in blocks:
        for code in filter(lambda code: belongs(chr(code)), range(*block)):
            if ranges and ranges[-1][1] == code - 1:
                ranges[-1][1] = code
            else:
                ranges.append([code, code])
    return "".join(chr(first) if first == last else f"{chr(first)}-{chr(last)}" for first, last in ranges)


# All visible combining marks
MARKS = _letters(_MARK_BLOCKS, lambda letter: unicodedata.category(letter)[0] == "M" and not INVISIBLES.match(letter))
_CHANGING = _letters(_CHANGING_BLOCKS, lambda letter: unicodedata.normalize("NFC", letter) != letter)
_SINGLE = "\u3040-\u3098\u309b-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"  # each of these letters is a word
_JAMO = "\u1100-\u115f\ua960-\ua97c"  # of which a decomposed Hangul syllable has one, then a vowel
_LETTER = rf"(?![{_SINGLE}{_JAMO}])\w"
# A word, or a punctuation mark, each with its combining marks, or a run of emoji. What is invisible is inside of words
WORD = re.compile(
    r"(?:[A-Za-z0-9_]++|[!-/:-@\[-^`{-~])(?=[\x00-\x7f]|\Z)"  # the same for plain text, at twice the speed
    rf"|{EMOJI}"
    rf"|(?:[{_SINGLE}]|[{_JAMO}]+[\u1160-\u11ff]*)[{MARKS}\u11a8-\u11ff]*"
    rf"|{_LETTER}(?:(?:{_LETTER}|[{MARKS}{INVISIBLE}])*(?:{_LETTER}|[{MARKS}]))?"
    rf"|[^\w\s{MARKS}{INVISIBLE}][{MARKS}]*"
)
# What a form may change: separators, runs of emoji or of invisible characters, letters with what composes with them.
# Unicode allows 30 marks of a letter; where more follow, sorting them takes quadratic time
_TAIL = f"{MARKS}\u1160-\u11ff"
_PLACES = re.compile(
    rf"(?P<separator>{SEPARATOR})|(?P<emoji>{EMOJI})|(?P<invisible>[{INVISIBLE}]+)"
    rf"|(?P<letter>[^{_TAIL}][{_TAIL}]{{1,30}}+(?![{_TAIL}])|[{_CHANGING}])"
)
_PLAIN = re.compile(r"[ -~]*(?:\r?\n *[!-~][ -~]*)*\n?")  # texts without any of these
# Scripts that spell with joiners and spaces of no width: Arabic, those of India and its east, Mongolian
_SPELLED = re.compile("[\u0600-\u08ff\u0900-\u109f\u1780-\u18af\ua840-\uabff\U00010a00-\U00011fff]")
_JOINERS = frozenset("\u200b\u200c\u200d")


@dataclass(frozen=True)
class Form:
    """A text as models read it, and where its characters come from; an ordinary text is its own form.

    Args:
        text: the form.
        starts: (characters of the form,) the first character of the original text that each of them stands for; `None`
            if the original is equal.
        ends: the character after the last.

    Example:
        >>> form = form_of("Lis\\u00adbon")
        >>> form.text, form.origin(np.array([[0, 6], [3, 6], [0, 0]])).tolist()
        ('Lisbon', [[0, 7], [4, 7], [0, 0]])
    """

    text: str
    starts: np.ndarray | None = None
    ends: np.ndarray | None = None

    def origin(self, spans: np.ndarray) -> np.ndarray:
        """Spans (n, 2) of the form's characters as spans of the original text; empty ones become (0, 0)."""
        if self.starts is None or self.ends is None:
            return spans
        origin = np.zeros_like(spans)
        full = spans[:, 0] < spans[:, 1]
        origin[full, 0] = self.starts[spans[full, 0]]
        origin[full, 1] = self.ends[spans[full, 1] - 1]
        return origin


def form_of(text: str) -> Form:
    """The form of a text in which models read it.

    - Letters and their combining marks are composed (NFC).
    - Invisible characters beside letters and digits are left out, such as soft hyphens, unless they belong to the
      script's spelling.
    - A semicolon stands for a run of emoji, which tokenizers may not know, and for a blank line, a tab or another
      separator without punctuation before it, which tokenizers may not see.

    Example:
        >>> form_of("Ana Ruiz\\n\\nJo Ek").text, form_of("It rained.\\n\\nThe sun shone.").text
        ('Ana Ruiz ; Jo Ek', 'It rained.\\n\\nThe sun shone.')
    """
    if _PLAIN.fullmatch(text):
        return Form(text)
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    last = 0
    for start, end, piece in _edits(text):
        pieces += text[last:start], piece
        starts += *range(last, start), *[start] * len(piece)
        ends += *range(last + 1, start + 1), *[end] * len(piece)
        last = end
    if not pieces:
        return Form(text)
    pieces.append(text[last:])
    starts += range(last, len(text))
    ends += range(last + 1, len(text) + 1)
    return Form("".join(pieces), np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64))


def _edits(text: str) -> Iterator[tuple[int, int, str]]:
    """Where a text's form differs from it: start and end in the text, and what the form has there."""
    for place in _PLACES.finditer(text):
        start, end = place.span()
        if place["letter"]:
            letter = unicodedata.normalize("NFC", place["letter"])
            if letter != place["letter"]:
                yield start, end, letter
        elif place["invisible"]:
            if _is_needless(place["invisible"], text[start - 1 : start], text[end : end + 1]):
                yield start, end, ""
        elif _parts_words(text, place):
            yield start, start, " "
            yield start, end, ";"
            yield end, end, " "


def _parts_words(text: str, place: re.Match[str]) -> bool:
    """Whether something stands on either side of emoji, or words without punctuation on both sides of a separator."""
    start, end = place.span()
    if place["emoji"]:
        return start > 0 or end < len(text)
    while start > 0 and text[start - 1].isspace():
        start -= 1
    return start > 0 and end < len(text) and unicodedata.category(text[start - 1])[0] != "P"


def _is_needless(invisible: str, before: str, after: str) -> bool:
    """Whether invisible characters stand beside a letter or digit, and are not part of the spelling."""
    if _JOINERS.issuperset(invisible) and (_SPELLED.match(before) or _SPELLED.match(after)):
        return False
    return _is_part_of_word(before) or _is_part_of_word(after)


def _is_part_of_word(letter: str) -> bool:
    return letter.isalnum() or (letter != "" and unicodedata.category(letter)[0] == "M")
