"""Batches of types with their mentions, for the contrast of types and mentions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..recipes import HeadSection
from .base import Batch, Batches, flatten_counts
from .pool import Pool


class TypeBatches(Batches):
    """Value vectors of types and of mentions, and which belong together.

    A batch is drawn from one pool. Its types are drawn without repetition, flattened by `balance` so that frequent
    types do not drown the rest, and each brings `per_type` mentions.

    Args:
        pools: drawn from by their weights.
        section: the recipe's, with `types`, `per_type` and `balance`.
        seed: of all draws.
    """

    def __init__(self, pools: Sequence[Pool], section: HeadSection, seed: int):
        super().__init__([pool.weight for pool in pools], seed)
        self.pools, self.section = pools, section
        self.type_shares = [flatten_counts(pool.counts, section.balance) for pool in pools]

    def draw(self, number: int, random: np.random.Generator) -> Batch:
        """`types` (t, value_size), `mentions` (m, value_size), `matches` (t, m) and `neutral` (t, m).

        `neutral` marks mentions that are neither right nor wrong for a type, because they have only a related type.
        """
        which_pool = self.any_set(random)
        pool, shares = self.pools[which_pool], self.type_shares[which_pool]
        types = random.choice(pool.types, min(self.section.types, len(pool.types)), replace=False, p=shares)
        groups = [
            random.choice(pool.rows[name], min(self.section.per_type, len(pool.rows[name])), replace=False)
            for name in types
        ]
        mentions = np.unique(np.concatenate(groups))
        phrases = [random.choice(pool.wordings[name]) for name in types]
        labels = [pool.labels[row] for row in mentions]
        matches = np.array([[name in label for label in labels] for name in types])
        relatives = [pool.related_types.get(name, frozenset()) for name in types]
        neutral = np.array([[not label.isdisjoint(names) for label in labels] for names in relatives])
        return {
            "types": torch.from_numpy(np.asarray(pool.phrases[phrases], dtype=np.float32)),
            "mentions": torch.from_numpy(np.asarray(pool.mentions[mentions], dtype=np.float32)),
            "matches": torch.from_numpy(matches),
            "neutral": torch.from_numpy(neutral & ~matches),
        }
