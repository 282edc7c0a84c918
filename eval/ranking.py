"""Rank documents by mention vectors, and score rankings; exact arithmetic on whole matrices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import evaluate
import numpy as np


def best_per_document(scores: np.ndarray, owners: np.ndarray, documents: int) -> np.ndarray:
    """Each document's best mention score, -inf where it has none.

    Args:
        scores: (mentions,) float32.
        owners: (mentions,), number of the mention's document.

    Returns:
        (documents,) float32.
    """
    best = np.full(documents, -np.inf, dtype=np.float32)
    np.maximum.at(best, owners, scores)
    return best


def rank(scores: np.ndarray, ids: Sequence[str]) -> list[str]:
    """Ids in order of falling score, ties in order of the ids; documents with a score of -inf are left out.

    Example:
        >>> rank(np.array([0.2, 0.9, 0.9, -np.inf]), ["a", "c", "b", "d"])
        ['b', 'c', 'a']
    """
    order = np.lexsort((np.asarray(ids), -scores))
    return [ids[at] for at in order if scores[at] > -np.inf]


@cache
def metric() -> Any:
    """The project's own R-Precision, loaded from its folder and from nowhere else."""
    return evaluate.load(str(Path(__file__).parent.resolve() / "r_precision"))
