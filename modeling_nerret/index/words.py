"""What full-text search makes of words: the form in which it sees a text, and the words that it cannot serve.

LanceDB's index cuts a text at white space, punctuation and most combining marks, and leaves out long and common words.
"""

from __future__ import annotations

import re
import unicodedata

from ..characters import INVISIBLES

LONGEST = 39  # bytes of UTF-8; the engine leaves longer words out
_COMMON = """
a about after again against all am an and are aren as at be been being below between both but by can couldn d did
didn do doesn doing don down each few for from further had hadn has hasn have haven having he her here hers herself
him himself his how i if in into is isn it its itself just ll m ma me more most mostly mustn my myself no nor not
now o of off on or other others our ours out over own owned re s same she should shouldn so some such t than that
the their theirs them then there these they this those through to too under until up ve was wasn we were weren what
when where which while who whom will with won wouldn y you your yours yourself
"""
STOP_WORDS = frozenset(_COMMON.split())
# Scripts without spaces between words
_SPACELESS = {
    "Thai": "\u0e00-\u0e7f",
    "Lao": "\u0e80-\u0eff",
    "Tibetan": "\u0f00-\u0fff",
    "Burmese": "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f",
    "Khmer": "\u1780-\u17ff",
    "Japanese": "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\U0001b000-\U0001b16f",
    "Chinese": "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af",
}
_LANGUAGES = {language: re.compile(f"[{letters}]") for language, letters in _SPACELESS.items()}
_JOINED = "".join(_SPACELESS[language] for language in ("Thai", "Lao", "Tibetan", "Burmese", "Khmer"))
# Where words of these scripts are kept apart, it is by a space of no width
_BOUNDARY = re.compile(f"(?<=[{_JOINED}])\u200b+(?=[{_JOINED}])")


def search_form(text: str) -> str:
    """The form in which full-text search stores and seeks a text: composed letters, and no character that is invisible.

    Texts that look alike have the same form, whether accents are letters' parts or follow them (NFC and NFD). What
    would cut a word is left out: soft hyphens, characters of no width, and marks that no composed letter has. An
    ordinary text is its own form.

    Example:
        >>> search_form("Lis\\u00adbon"), search_form("Pe\\u0301rez") == search_form("P\\u00e9rez")
        ('Lisbon', True)
        >>> search_form("Ana P\\u00e9rez") == "Ana P\\u00e9rez"
        True
    """
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", INVISIBLES.sub("", _BOUNDARY.sub(" ", text)))
    if any(map(unicodedata.combining, text)):
        letters = "".join(letter for letter in text if not unicodedata.combining(letter))
        text = unicodedata.normalize("NFC", letters)
    return text


def words(query: str) -> list[str]:
    """A query's words in their search form, cut at all that is no letter, digit or mark.

    Example:
        >>> words("C++ and Lis\\u00adbon's\\tport")
        ['C', 'and', 'Lisbon', 's', 'port']
    """
    letters = (letter if unicodedata.category(letter)[0] in "LNM" else " " for letter in search_form(query))
    return "".join(letters).split()


def unsearchable(query: str) -> str | None:
    """What full-text search cannot find of a query, as a sentence; `None` if it serves all of it.

    That common words are left out is said only of a query without others.

    Example:
        >>> unsearchable("drug that lowers blood pressure")
        >>> unsearchable("東京 tower")
        "full-text search cannot cut Chinese into words: it finds '東京' only between spaces or punctuation"
        >>> unsearchable("the who")
        "full-text search leaves out words as common as 'the', and the query has no others"
    """
    keys = words(query)
    if not keys:
        return f"full-text search looks for words, and {query!r:.60} has none"
    if all(key.lower() in STOP_WORDS for key in keys):
        return f"full-text search leaves out words as common as {keys[0]!r}, and the query has no others"
    reasons = []
    long = [key for key in keys if len(key.encode("utf-8", "replace")) > LONGEST]
    if long:
        reasons.append(f"leaves out words of more than {LONGEST} bytes, such as {long[0][:20] + '...'!r}")
    scripts = {name: key for key in reversed(keys) for name, pattern in _LANGUAGES.items() if pattern.search(key)}
    if scripts:
        names = " and ".join(name for name in _LANGUAGES if name in scripts)
        sample = next(key for key in keys if key in scripts.values())
        reasons.append(f"cannot cut {names} into words: it finds {sample[:20]!r} only between spaces or punctuation")
    return f"full-text search {', and '.join(reasons)}" if reasons else None
