"""Kinds of characters, as parts of regular expressions' character classes."""

from __future__ import annotations

import re

# What Unicode calls default ignorable, except Hangul fillers: the soft hyphen, characters of no width (spaces, joiners,
# byte order marks), marks of direction, variation selectors, tags
INVISIBLE = (
    "\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
INVISIBLES = re.compile(f"[{INVISIBLE}]+")
# What leaves its place empty: these, white space, controls, and the blanks of Braille and Hangul
BLANK = rf"\s\x00-\x08\x0e-\x1b\x7f-\x9f\u2800\u3164\uffa0{INVISIBLE}"

# Pictures. Symbols that are written as text too (arrows, planets, notes) are pictures if U+FE0F follows
PICTURE = (
    "\u231a\u231b\u23e9-\u23fa\u25fb-\u25fe\u2600-\u263a\u2648-\u2653\u2660-\u2668\u2670-\u26b2\u26bd-\u26e1\u26e3-\u2767"
    "\u2794-\u27bf\u2b1b\u2b1c\u2b50\u2b55\U0001f000-\U0001faff"
)
# A run of emoji: keycaps, pictures, and what joins and varies them
EMOJI = (
    rf"(?:[0-9#*]\ufe0f?\u20e3|[^\w\s{INVISIBLE}]\ufe0f|[{PICTURE}])"
    rf"(?:[{PICTURE}{INVISIBLE}]|(?<=\u200d)[^\w\s]|[^\w\s]\ufe0f)*"
)
_LINE_END = r"(?>\r\n|[\n\r\x85\u2028])"
# What ends a passage, with the blanks after it: a blank line, a tab, a vertical tab, a form feed, a separator of
# files, groups, records, units or paragraphs. A single line end does not, since texts are wrapped
SEPARATOR = rf"(?:{_LINE_END}(?:(?!{_LINE_END})[{BLANK}])*{_LINE_END}|[\t\v\f\x1c-\x1f\u2029])[{BLANK}]*"
# What no mention contains
BREAK = re.compile(f"{SEPARATOR}|{EMOJI}")
