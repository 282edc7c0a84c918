"""Batches of types with their mentions, drawn from pools of annotated text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from modeling_nerret.spans import Span
from .data import Source
from .features import FeatureCache, Rows

Batch = dict[str, torch.Tensor]


@dataclass
class Pool:
    """One set of mentions whose labels are complete among themselves, so that its types may contrast each other.

    Args:
        name: what it is called in logs.
        weight: how often batches are drawn from it, relative to other pools.
        mentions: (mentions, value_size), indexed by arrays of rows.
        labels: the types of each mention, as numbers; a mention without types is not drawn.
        phrases: (phrases, value_size), vectors of the wordings of all types.
        wordings: for each type the rows of `phrases` that name it, its plain name first.
        related: for each type those that are no negatives of it.
        owners: (mentions,), number of each mention's text.
        spans: where each mention stands in it.
        lost: mentions that were left out, having no token.
    """

    name: str
    weight: float
    mentions: Rows | np.ndarray
    labels: Sequence[frozenset[int]]
    phrases: np.ndarray
    wordings: Sequence[Sequence[int]]
    related: Mapping[int, frozenset[int]] = field(default_factory=dict)
    owners: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    spans: Sequence[Span] = ()
    lost: int = 0

    def __post_init__(self) -> None:
        rows: dict[int, list[int]] = defaultdict(list)
        for row, types in enumerate(self.labels):
            for name in types:
                rows[name].append(row)
        self.types = np.array(sorted(rows), dtype=np.int64)
        self.rows = {name: np.array(found) for name, found in rows.items()}
        self.counts = np.array([len(self.rows[name]) for name in self.types])
        self.labelled = np.array([row for row, types in enumerate(self.labels) if types], dtype=np.int64)


def load_pool(source: Source, cache: FeatureCache) -> Pool:
    """A pool of a source's mentions, with value vectors from the cache."""
    found = cache.mentions(source.texts, source.name)
    numbers = {plain: number for number, plain in enumerate(source.wordings)}
    ends = np.cumsum([len(own) for own in source.wordings.values()])
    return Pool(
        source.name,
        source.weight,
        found.vectors,
        [
            frozenset(numbers[plain] for plain in source.texts[owner].mentions[span])
            for owner, span in zip(found.owners.tolist(), found.spans, strict=True)
        ],
        cache.phrases([phrase for own in source.wordings.values() for phrase in own], source.name),
        [range(end - len(own), end) for end, own in zip(ends, source.wordings.values(), strict=True)],
        {numbers[one]: frozenset(numbers[other] for other in own) for one, own in source.related.items()},
        found.owners,
        found.spans,
        found.lost,
    )


class TypeBatches:
    """Batches of value vectors of types and of mentions, and which belong together; batch n depends on seed and n.

    A batch is drawn from one pool. Its types are drawn without repetition, with a weight of their number of mentions to
    the power `1 - balance`, so that frequent types do not drown the rest, and each brings `per_type` mentions.
    """

    def __init__(self, pools: Sequence[Pool], types: int, per_type: int, balance: float, seed: int):
        self.pools, self.types, self.per_type, self.balance, self.seed = pools, types, per_type, balance, seed
        self.weights = np.array([pool.weight for pool in pools]) / sum(pool.weight for pool in pools)
        powers = [pool.counts ** (1 - balance) for pool in pools]
        self.shares = [power / power.sum() for power in powers]

    def __getitem__(self, number: int) -> Batch:
        """`types` (t, value_size), `mentions` (m, value_size), `matches` (t, m) and `ignored` (t, m).

        `ignored` marks mentions that are neither right nor wrong for a type, having only a related one.
        """
        random = np.random.default_rng((self.seed, number))
        which = int(random.choice(len(self.pools), p=self.weights))
        pool, share = self.pools[which], self.shares[which]
        types = random.choice(pool.types, min(self.types, len(pool.types)), replace=False, p=share)
        drawn = [
            random.choice(pool.rows[name], min(self.per_type, len(pool.rows[name])), replace=False) for name in types
        ]
        mentions = np.unique(np.concatenate(drawn))
        phrases = [random.choice(pool.wordings[name]) for name in types]
        labels = [pool.labels[row] for row in mentions]
        matches = np.array([[name in own for own in labels] for name in types])
        nothing: frozenset[int] = frozenset()
        near = [pool.related.get(name, nothing) for name in types]
        ignored = np.array([[not own.isdisjoint(found) if found else False for own in labels] for found in near])
        return {
            "types": torch.from_numpy(np.asarray(pool.phrases[phrases], dtype=np.float32)),
            "mentions": torch.from_numpy(np.asarray(pool.mentions[mentions], dtype=np.float32)),
            "matches": torch.from_numpy(matches),
            "ignored": torch.from_numpy(ignored & ~matches),
        }
