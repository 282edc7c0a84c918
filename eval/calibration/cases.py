"""Cases of a calibration: a type query, some documents with their scores, and which of them are right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .collection import Collection

SIZES = (100, 1000, None)  # documents of a case; `None`: all of the collection
FITTED_HALF, OTHER_HALF = 0, 1  # of the types: to fit on, and to check with


@dataclass(frozen=True)
class Case:
    """A query that is asked of some documents.

    Args:
        collection: name of their set.
        query: its number among the set's queries.
        documents: their numbers in the set. (documents,)
        scores: hybrid scores. (documents,)
        relevant: which are right. (documents,) bool
        size: how many documents were drawn; `None`: all.
        is_absent: whether the right ones were taken out.
    """

    collection: str
    query: int
    documents: np.ndarray
    scores: np.ndarray
    relevant: np.ndarray
    size: int | None = None
    is_absent: bool = False


def half_of(name: str, query: str) -> int:
    """To which half of the types a query of a set belongs: whether the SHA-256 of "set/query" is even or odd.

    Example:
        >>> half_of("crossner", "politician"), half_of("crossner", "scientist")
        (1, 0)
    """
    return int(hashlib.sha256(f"{name}/{query}".encode()).hexdigest(), 16) % 2


def samples(count: int, sizes: Sequence[int | None] = SIZES) -> Iterator[tuple[int | None, np.ndarray]]:
    """Numbers of the documents of each size, drawn from `count`, in rising order; too large sizes are left out.

    Example:
        >>> [(size, len(numbers)) for size, numbers in samples(300)]
        [(100, 100), (None, 300)]
    """
    generator = np.random.default_rng(0)
    for size in sizes:
        if size is None:
            yield None, np.arange(count)
        elif size < count:
            yield size, np.sort(generator.choice(count, size, replace=False))


def type_cases(collection: Collection, config: Any, half: int, sizes: Sequence[int | None] = SIZES) -> Iterator[Case]:
    """Cases of the types of one half: asked of all documents of a sample, and of those without the right ones.

    Args:
        collection: the documents.
        config: the model's configuration.
        half: of the types.
        sizes: of the samples.
    """
    task = collection.task
    numbers = [number for number, query in enumerate(task.queries) if half_of(task.name, query) == half]
    for size, documents in samples(len(collection), sizes):
        for number in numbers:
            relevant = collection.relevant[number, documents]
            if relevant.any():
                yield _case(collection, config, number, documents, size)
            if not relevant.all():
                yield _case(collection, config, number, documents[~relevant], size, is_absent=True)


def _case(
    collection: Collection,
    config: Any,
    number: int,
    documents: np.ndarray,
    size: int | None,
    is_absent: bool = False,
) -> Case:
    """A query of a collection's task, asked of some of its documents."""
    task, vectors = collection.task, collection.queries[[number]]
    scores = collection.scores(config, [task.queries[number]], vectors, documents)[0]
    return Case(task.name, number, documents, scores, collection.relevant[number, documents], size, is_absent)
