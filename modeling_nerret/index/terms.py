"""Terms: what lexical search compares, instead of the letters as they stand in a text.

Case, accents and invisible characters make no difference, nor do English endings. Scripts without spaces between words,
and Korean, are cut into pairs of letters, and Chinese characters also count by themselves. Nothing is left out but the
commonest English words.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
import regex
from snowballstemmer import stemmer

from ..characters import INVISIBLES

LONGEST = 100  # characters of a term; longer words are compared by their beginnings
K1, B = 1.2, 0.75  # of BM25, as nearly everybody sets them

_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
# Korean has spaces, but joins particles to words
_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
_PIECE = regex.compile(rf"[{_SPACELESS}]+|[^{_SPACELESS}]+")
_IS_SPACELESS = regex.compile(rf"[{_SPACELESS}]")
_IS_HAN = regex.compile(r"\p{Han}")
# Letters that Unicode does not take apart
LETTERS = {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "þ": "th", "ð": "d"}
_LETTERS = str.maketrans(LETTERS)
_STEMMER = stemmer("english")
_COMMON = """
a an and are as at be been but by for from had has have he her his i if in into is it its no not of on or she so such
that the their them then there these they this to was we were which who will with you
"""
COMMON = frozenset(_COMMON.split())


def terms_of(text: str) -> list[str]:
    """The terms of a text or a query, in order, with repetitions.

    Example:
        >>> terms_of("The running horses of Malmö, near Lis\\u00adbon"), terms_of("数学者")
        (['run', 'hors', 'malmo', 'near', 'lisbon'], ['数', '数学', '学', '学者', '者'])
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", INVISIBLES.sub("", text))
    return [term for word in _WORD.findall(text) for term in _terms(word)]


def letters_of(word: str) -> str:
    """The letters of a word without case and accents.

    Example:
        >>> letters_of("Malmö")
        'malmo'
    """
    letters = word.casefold()
    if letters.isascii():
        return letters
    marks = unicodedata.normalize("NFKD", letters)
    return unicodedata.normalize("NFC", regex.sub(r"[\u0300-\u036f]", "", marks)).translate(_LETTERS)


@lru_cache(maxsize=1 << 17)
def _terms(word: str) -> tuple[str, ...]:
    """The terms of a word; cached, because texts repeat words."""
    letters = letters_of(word)
    if letters in COMMON or not letters:  # nothing is left of an accent by itself
        return ()
    if not _IS_SPACELESS.search(letters):
        return (_STEMMER.stemWord(letters[:LONGEST]),)
    terms: list[str] = []
    for piece in _PIECE.findall(letters):
        if not _IS_SPACELESS.match(piece):
            terms.append(_STEMMER.stemWord(piece[:LONGEST]))
            continue
        for start, letter in enumerate(piece):
            if len(piece) == 1 or _IS_HAN.match(letter):
                terms.append(letter)
            if start + 1 < len(piece):
                terms.append(piece[start : start + 2])
    return tuple(terms)


def join(terms: list[str]) -> str:
    """Terms as they are stored: each between two spaces of its own, so that a term can be counted as a substring."""
    return "".join(f" {term} " for term in terms)


def bm25(frequencies: np.ndarray, lengths: np.ndarray, owners: np.ndarray, documents: int, words: int) -> np.ndarray:
    """BM25 scores of texts for the terms of a query (Robertson and Zaragoza, 2009, with Lucene's idf).

    Args:
        frequencies: how often each term stands in each text. (terms, texts)
        lengths: number of terms of each text. (texts,)
        owners: how many of all documents contain each term. (terms,)
        documents: how many documents there are.
        words: how many terms all of them have.

    Returns:
        (texts,) float64.

    Example:
        >>> bm25(np.array([[2, 0]]), np.array([4, 4]), np.array([1]), documents=2, words=8).round(3)
        array([0.953, 0.   ])
    """
    idf = np.log1p((documents - owners + 0.5) / (owners + 0.5))  # (terms,)
    norms = K1 * (1 - B + B * lengths * documents / max(words, 1))  # (texts,)
    scores: np.ndarray = (idf[:, None] * frequencies * (K1 + 1) / (frequencies + norms)).sum(0)  # (texts,)
    return scores
