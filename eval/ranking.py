"""Rank documents by scores, and score rankings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import evaluate
import numpy as np


def best_per_document(scores: np.ndarray, owners: np.ndarray, documents: int) -> np.ndarray:
    """The score of each document's best mention, -inf for a document without mentions.

    Args:
        scores: (mentions,) float32.
        owners: (mentions,), number of each mention's document.
        documents: how many there are.

    Returns:
        (documents,) float32.

    Example:
        >>> best_per_document(np.array([0.1, 0.7, 0.2]), np.array([1, 1, 0]), documents=3).tolist()
        [0.20000000298023224, 0.699999988079071, -inf]
    """
    best = np.full(documents, -np.inf, dtype=np.float32)
    np.maximum.at(best, owners, scores.astype(np.float32))
    return best


def rank(scores: np.ndarray, ids: Sequence[str]) -> list[str]:
    """Ids by falling score, ties in order of the ids; documents with a score of -inf are left out.

    Example:
        >>> rank(np.array([0.2, 0.9, 0.9, -np.inf]), ["a", "c", "b", "d"])
        ['b', 'c', 'a']
    """
    order = np.lexsort((np.asarray(ids), -scores))
    return [ids[number] for number in order if scores[number] > -np.inf]


@cache
def metric() -> Any:
    """The project's own R-Precision, loaded from the folder beside this file."""
    return evaluate.load(str(Path(__file__).parent.resolve() / "r_precision"), keep_in_memory=True)


def r_precisions(rankings: Sequence[Sequence[str]], relevant: Sequence[Sequence[str]]) -> list[float]:
    """R-Precision of each ranking; every query must have relevant documents."""
    return metric().compute(predictions=rankings, references=relevant, per_query=True)["per_query"]


def average_precision(ranking: Sequence[str], relevant: Sequence[str]) -> float:
    """Average precision of one ranking."""
    result = metric().compute(predictions=[ranking], references=[relevant], average_precision=True)
    return result["mean_average_precision"]
