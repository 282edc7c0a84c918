"""Queries that are no types, made by chance, and a linear function that tells them from types by their vectors."""

from __future__ import annotations

import random
from collections.abc import Callable
from string import ascii_lowercase

import numpy as np

from modeling_nerret.encoding import Encoder
from modeling_nerret.training.data.corpus import read_corpus_types

from .collection import embed_queries

COUNT = 3000  # queries of each kind
DEFINITIONS = 800  # among those that are types
VOWELS = "aeiouy"
CONSONANTS = "bcdfghjklmnpqrstvwxz"
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")  # of a keyboard
# Words that are no types by themselves, nor together
_FUNCTION_WORDS = """
the of and to a in for is on that by this with i you it not or be are from at as your all have new more an was we will
can us about if my has but our one other do no they he up may what which their out use any there see only so his when
here who also now get am been would how were me some these its like than had into them him her then could should after
before very too just over under again because while though although never always often soon early late slowly quickly
really quite maybe perhaps however therefore thus hence yet still already even ever almost enough rather instead
otherwise
"""
FUNCTION_WORDS = tuple(_FUNCTION_WORDS.split())
# The broadest types, which the corpus hardly names; each counts `BROAD_WEIGHT` times
_BROAD = "person people product organization thing place event activity group animal object"
BROAD = tuple(_BROAD.split())
BROAD_WEIGHT = 5


def nonsense(count: int, seed: int = 0) -> list[str]:
    """So many queries that are no types: letters, keyboard rows, syllables, function words, digits.

    Example:
        >>> len(nonsense(3)), nonsense(3) == nonsense(3)
        (3, True)
    """
    generator = random.Random(seed)
    kinds = tuple(KINDS)
    return [kind(generator) for kind in generator.choices(kinds, [KINDS[kind] for kind in kinds], k=count)]


def nonsense_direction(encoder: Encoder, seed: int = 0) -> np.ndarray:
    """A linear function of a query's vector that is above 0 for nonsense, its bias last. (hidden_size + 1,)

    It is a logistic regression of nonsense against wordings and definitions of the types of the project's own corpus.

    Args:
        encoder: embeds the queries.
        seed: of what is drawn.
    """
    from sklearn.linear_model import LogisticRegression

    names = _type_names(seed)
    vectors = embed_queries(encoder, [*names, *nonsense(COUNT, seed)])
    is_nonsense = np.repeat([False, True], [len(names), COUNT])
    broad = np.isin(names, BROAD)
    weights = np.append(np.where(broad, BROAD_WEIGHT, 1), np.ones(COUNT))
    model = LogisticRegression(C=1.0, max_iter=3000).fit(vectors, is_nonsense, sample_weight=weights)
    return np.append(model.coef_[0], model.intercept_[0])


def _type_names(seed: int) -> list[str]:
    types = read_corpus_types().values()
    wordings = [wording for type_ in types for wording in type_.wordings if wording not in BROAD]
    definitions = [type_.definition for type_ in types if type_.definition]
    generator = random.Random(seed)
    return [
        *generator.sample(wordings, min(COUNT, len(wordings))),
        *generator.sample(definitions, min(DEFINITIONS, len(definitions))),
        *BROAD,
    ]


def _letters(generator: random.Random) -> str:
    lengths = [generator.randint(3, 9) for _ in range(generator.randint(1, 3))]
    return " ".join("".join(generator.choices(ascii_lowercase, k=length)) for length in lengths)


def _keys(generator: random.Random) -> str:
    row, start = generator.choice(ROWS), generator.randint(0, 3)
    second = generator.choice(ROWS)[: generator.randint(3, 7)]
    return row[start : start + generator.randint(3, 7)] + generator.choice(["", f" {second}"])


def _syllables(generator: random.Random) -> str:
    def syllable() -> str:
        ending = generator.choice(CONSONANTS) if generator.random() < 0.4 else ""
        return generator.choice(CONSONANTS) + generator.choice(VOWELS) + ending

    words = range(generator.randint(1, 2))
    return " ".join("".join(syllable() for _ in range(generator.randint(2, 4))) for _ in words)


def _function_words(generator: random.Random) -> str:
    return " ".join(generator.sample(FUNCTION_WORDS, generator.randint(1, 4)))


def _numbers(generator: random.Random) -> str:
    return " ".join(str(generator.randint(1, 99_999)) for _ in range(generator.randint(1, 3)))


def _letter(generator: random.Random) -> str:
    return generator.choice(ascii_lowercase) * generator.randint(2, 6)


KINDS: dict[Callable[[random.Random], str], float] = {
    _letters: 0.25,
    _keys: 0.1,
    _syllables: 0.25,
    _function_words: 0.3,
    _numbers: 0.05,
    _letter: 0.05,
}
