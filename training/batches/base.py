"""The one form of batches: numbered, and each a mapping of the loss's arguments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

# Arguments of a stage's loss module by name: tensors on the CPU, or lists and mappings of them
Batch = dict[str, Any]


class Batches(ABC):
    """Batches by number.

    A batch depends on the seed and its number alone, so that a run can stop anywhere and go on as if it had not.

    Args:
        weights: how often each of the sets is drawn from, relative to the others.
        seed: of all draws.
    """

    def __init__(self, weights: Sequence[float], seed: int):
        self.shares = np.array(weights) / sum(weights)
        self.seed = seed

    def __getitem__(self, number: int) -> Batch:
        """Batch `number`, from 0."""
        return self.draw(number, np.random.default_rng((self.seed, number)))

    @abstractmethod
    def draw(self, number: int, random: np.random.Generator) -> Batch:
        """The batch of a number, whose random choices all come from `random`."""

    def any_set(self, random: np.random.Generator) -> int:
        """The number of a set, drawn by weight."""
        return int(random.choice(len(self.shares), p=self.shares))


def flatten_counts(counts: Sequence[int] | np.ndarray, balance: float) -> np.ndarray:
    """Shares by which types are drawn: their counts to the power `1 - balance`, with sum 1.

    With the balance 1 all types are drawn alike, with 0 by their counts.

    Example:
        >>> flatten_counts([1, 3], 0.0).tolist(), flatten_counts([1, 3], 1.0).tolist()
        ([0.25, 0.75], [0.5, 0.5])
    """
    powers = np.asarray(counts) ** (1 - balance)
    return powers / powers.sum()
