"""Batches of types with their mentions, drawn from pools of annotated text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import IterableDataset


@dataclass
class Pool:
    """One set of mentions whose labels are complete among themselves, so that its types may contrast each other.

    Args:
        name: what it is called in logs.
        weight: how often batches are drawn from it, relative to other pools.
        mentions: (mentions, value_size) float16.
        labels: the types of each mention, as numbers.
        phrases: (phrases, value_size), vectors of the wordings of all types.
        wordings: for each type the rows of `phrases` that name it.
    """

    name: str
    weight: float
    mentions: np.ndarray
    labels: Sequence[frozenset[int]]
    phrases: np.ndarray
    wordings: Sequence[Sequence[int]]

    def __post_init__(self) -> None:
        rows: dict[int, list[int]] = defaultdict(list)
        for row, types in enumerate(self.labels):
            for name in types:
                rows[name].append(row)
        self.types = np.array(sorted(rows))
        self.rows = {name: np.array(found) for name, found in rows.items()}


class TypeBatches(IterableDataset):
    """An endless stream of batches: value vectors of types and of mentions, and which belong together.

    A batch is drawn from one pool. Its types are drawn without repetition, with a weight of their number of mentions to
    the power `1 - balance`, so that frequent types do not drown the rest, and each brings `per_type` mentions.
    """

    def __init__(self, pools: Sequence[Pool], types: int, per_type: int, balance: float, seed: int):
        self.pools, self.types, self.per_type, self.balance, self.seed = pools, types, per_type, balance, seed

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        """Batches `types` (t, value_size), `mentions` (m, value_size) and `matches` (t, m)."""
        random = np.random.default_rng(self.seed)
        weights = np.array([pool.weight for pool in self.pools])
        while True:
            yield self._draw(self.pools[random.choice(len(self.pools), p=weights / weights.sum())], random)

    def _draw(self, pool: Pool, random: np.random.Generator) -> dict[str, torch.Tensor]:
        weights = np.array([len(pool.rows[name]) for name in pool.types]) ** (1 - self.balance)
        types = random.choice(pool.types, min(self.types, len(pool.types)), replace=False, p=weights / weights.sum())
        drawn = [
            random.choice(pool.rows[name], min(self.per_type, len(pool.rows[name])), replace=False) for name in types
        ]
        mentions = np.unique(np.concatenate(drawn))
        phrases = [random.choice(pool.wordings[name]) for name in types]
        matches = np.array([[name in pool.labels[row] for row in mentions] for name in types])
        return {
            "types": torch.from_numpy(pool.phrases[phrases].astype(np.float32)),
            "mentions": torch.from_numpy(pool.mentions[mentions].astype(np.float32)),
            "matches": torch.from_numpy(matches),
        }
