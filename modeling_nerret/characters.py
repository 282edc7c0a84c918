"""Kinds of characters: which of them are invisible."""

from __future__ import annotations

import re

# What Unicode calls default ignorable, except Hangul fillers: the soft hyphen, characters of no width (spaces, joiners,
# byte order marks), marks of direction, variation selectors, tags. As part of a character class
INVISIBLE = (
    "\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
INVISIBLES = re.compile(f"[{INVISIBLE}]+")
