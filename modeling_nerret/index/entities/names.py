"""Names: when two mentions have equal text, and what a name is made of."""

from __future__ import annotations

import re
from functools import lru_cache

from ...forms import form_of

_SIGNS = str.maketrans("\u2018\u2019\u02bc\u2010\u2011\u2012\u2013\u2014", "'''-----")
_POSSESSIVE = re.compile(r"(?<=\w)'s$|(?<=s)'$")
_ARTICLE = re.compile(r"^(?:the|an?) (?=.)")


@lru_cache(maxsize=100_000)
def key_of(text: str) -> str:
    """What mentions with equal text share: no case, kinds of blanks, quotes and dashes, possessive, leading article.

    Args:
        text: a mention.

    Returns:
        Its words in lower case, with a space between them.

    Example:
        >>> key_of("The  Flying\\nScotsman's"), key_of("Hale\\u2013Bopp"), key_of("a"), key_of("Andes\\u2019")
        ('flying scotsman', 'hale-bopp', 'a', 'andes')
    """
    key = " ".join(form_of(text).text.translate(_SIGNS).casefold().split())
    return _ARTICLE.sub("", _POSSESSIVE.sub("", key))


def is_plain(spelling: str) -> bool:
    """Whether a spelling has no possessive and no article in lower case, and so can stand by itself.

    Example:
        >>> [spelling for spelling in ("the Rhine", "Rhine", "Rhine's", "The Hague") if is_plain(spelling)]
        ['Rhine', 'The Hague']
    """
    return not _ARTICLE.search(spelling) and not _POSSESSIVE.search(spelling.translate(_SIGNS))


def is_name(spelling: str) -> bool:
    """Whether a spelling is a name by its capitals: its first and its last word have one, or a script without them.

    Example:
        >>> [spelling for spelling in ("Simone de Beauvoir", "real Velociraptor", "al-Khwarizmi") if is_name(spelling)]
        ['Simone de Beauvoir', 'al-Khwarizmi']
    """
    words = _ARTICLE.sub("", spelling).split()
    return bool(words) and not any(word.islower() for word in (words[0], words[-1]))


def singulars(key: str) -> list[str]:
    """What a key may be the simple plural of.

    Example:
        >>> singulars("companies"), singulars("boxes"), singulars("glass")
        (['companie', 'compani', 'company'], ['boxe', 'box'], [])
    """
    if len(key) < 4 or not key.endswith("s") or key.endswith(("ss", "us", "is")):
        return []
    stems = [key[:-1]] + ([key[:-2]] if key.endswith("es") else [])
    return stems + ([f"{key[:-3]}y"] if key.endswith("ies") else [])
