"""Sentences: where those of a text begin, so that two mentions can be asked for in the same one."""

from __future__ import annotations

import re

from ...characters import SEPARATOR

_ABBREVIATIONS = (
    "mr mrs ms dr st mt prof gen col capt lt sgt rev hon gov sen rep no vol fig figs pp vs ca cf al approx dept est "
    "inc jr sr ltd co corp jan feb mar apr jun jul aug sep sept oct nov dec e.g i.e"
)
# A full stop after an initial, a letter between full stops (U.S.) or an abbreviation ends no sentence
_OPEN = re.compile(rf"(?:\b[^\W\d_]|\b(?:{'|'.join(re.escape(word) for word in _ABBREVIATIONS.split())}))\.$", re.I)
_LONGEST_ABBREVIATION = 8
_END = re.compile(rf"(?:{SEPARATOR}|[.!?\u2026]+[\"'\u2019\u201d)\]]*\s+|[\u3002\uff01\uff1f]+)")


def sentence_starts(text: str) -> list[int]:
    """The first characters of a text's sentences, by their punctuation; 0 is the first of them.

    Args:
        text: a text.

    Returns:
        Offsets in increasing order.

    Example:
        >>> text = "G. H. Hardy met Dr. Bose. They wrote! Why, e.g. in 1913? (No. 7 says.) nothing"
        >>> starts = sentence_starts(text)
        >>> [text[start:end].strip() for start, end in zip(starts, [*starts[1:], None])]
        ['G. H. Hardy met Dr. Bose.', 'They wrote!', 'Why, e.g. in 1913?', '(No. 7 says.) nothing']
    """
    starts = [0]
    for match in _END.finditer(text):
        first, last = match.span()
        letter = text[last : last + 1]
        is_open = text[first] == "." and _OPEN.search(text, max(0, first - _LONGEST_ABBREVIATION), first + 1)
        if match[0].strip() and text[first] not in "\u3002\uff01\uff1f" and (is_open or letter.islower()):
            continue
        if letter:
            starts.append(last)
    return starts
