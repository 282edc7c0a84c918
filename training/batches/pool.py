"""The mentions of a source with their value vectors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from modeling_nerret.spans import Span

from ..data.source import Source
from .features import FeatureCache, Rows


@dataclass
class Pool:
    """A set of mentions whose labels are complete among themselves, so that its types may contrast each other.

    Args:
        name: its name in logs.
        weight: how often batches are drawn from it, relative to other pools.
        mentions: (mentions, value_size), indexed by arrays of rows.
        labels: the types of each mention, as numbers; a mention without types is not drawn.
        phrases: (phrases, value_size), vectors of the wordings of all types.
        wordings: for each type the rows of `phrases` that name it, its plain name first.
        related_types: for each type those that are not its negatives.
        owners: (mentions,), number of each mention's text.
        spans: each mention's place in its text.
        unmapped: number of mentions that are left out because they have no token.
    """

    name: str
    weight: float
    mentions: Rows | np.ndarray
    labels: Sequence[frozenset[int]]
    phrases: np.ndarray
    wordings: Sequence[Sequence[int]]
    related_types: Mapping[int, frozenset[int]] = field(default_factory=dict)
    owners: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    spans: Sequence[Span] = ()
    unmapped: int = 0

    def __post_init__(self) -> None:
        rows: dict[int, list[int]] = defaultdict(list)
        for row, types in enumerate(self.labels):
            for name in types:
                rows[name].append(row)
        self.types = np.array(sorted(rows), dtype=np.int64)
        self.rows = {name: np.array(numbers) for name, numbers in rows.items()}  # of mentions, by type
        self.counts = np.array([len(self.rows[name]) for name in self.types])
        self.typed_rows = np.array([row for row, types in enumerate(self.labels) if types], dtype=np.int64)

    def names(self, type_number: int) -> np.ndarray:
        """The vector of a type's plain name. (1, value_size)."""
        return self.phrases[[self.wordings[type_number][0]]]


def load_pool(source: Source, cache: FeatureCache) -> Pool:
    """A pool of a source's mentions, with value vectors from the cache."""
    features = cache.mentions(source.texts, source.name)
    numbers = {name: number for number, name in enumerate(source.wordings)}
    ends = np.cumsum([len(phrases) for phrases in source.wordings.values()])
    return Pool(
        source.name,
        source.weight,
        features.vectors,
        [
            frozenset(numbers[name] for name in source.texts[owner].mentions[span])
            for owner, span in zip(features.owners.tolist(), features.spans, strict=True)
        ],
        cache.phrases([phrase for phrases in source.wordings.values() for phrase in phrases], source.name),
        [range(end - len(phrases), end) for end, phrases in zip(ends, source.wordings.values(), strict=True)],
        {
            numbers[name]: frozenset(numbers[relative] for relative in relatives)
            for name, relatives in source.related_types.items()
        },
        features.owners,
        features.spans,
        features.unmapped,
    )
