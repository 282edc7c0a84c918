"""Pairs of mentions that share a type or not, and how well a cosine tells them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from modeling_nerret.spans import Span

from ..tasks.task import Task

CHUNK = 4096  # pairs whose vectors are copied at once; for all pairs of a large backbone they would take gigabytes


class Pairs(NamedTuple):
    """Numbers of the first and second mention of each pair, and whether they share a type; (pairs,) each."""

    first: np.ndarray
    second: np.ndarray
    alike: np.ndarray


def draw_pairs(task: Task, owners: np.ndarray, spans: Sequence[Span], count: int, seed: int) -> Pairs:
    """Pairs of mentions of the same type, and as many that share no type.

    Args:
        task: says which types the mentions have.
        owners: (mentions,), number of each mention's document.
        spans: of the mentions.
        count: how many pairs of each kind.
        seed: for the draw.

    Raises:
        ValueError: fewer than two types occur in two documents or more.
    """
    mentions = zip(owners, spans, strict=True)
    types = [frozenset(task.labels[owner][span]) & set(task.types) for owner, span in mentions]
    members = {
        name: np.array([number for number, names in enumerate(types) if name in names], dtype=np.int64)
        for name in task.types
    }
    names = [name for name, numbers in members.items() if len(np.unique(owners[numbers])) > 1]
    if len(names) < 2:
        raise ValueError(f"{task.name} has {len(names)} types in two documents or more; the probe needs two types")
    generator = np.random.default_rng(seed)
    typed_mentions = np.flatnonzero([bool(names) for names in types])
    pairs: list[tuple[int, int, bool]] = []
    for alike in (True, False):
        rest, attempts = count, 0
        while rest and attempts < 100 * count:
            attempts += 1
            name = names[generator.integers(len(names))]
            first = members[name][generator.integers(len(members[name]))]
            pool = members[name] if alike else typed_mentions
            second = pool[generator.integers(len(pool))]
            if owners[first] != owners[second] and (alike or not types[first] & types[second]):
                pairs.append((first, second, alike))
                rest -= 1
    return Pairs(*map(np.array, zip(*pairs, strict=True)))


def auc(vectors: np.ndarray, pairs: Pairs) -> float:
    """How well the cosine of two mentions tells whether they share a type, in [0, 1]; 0.5 is chance.

    Args:
        vectors: (mentions, size), each of length 1.
        pairs: of the mentions.

    Example:
        >>> auc(np.eye(2)[[0, 0, 1]], Pairs(np.array([0, 0]), np.array([1, 2]), np.array([True, False])))
        1.0
    """
    cosines = [
        (vectors[pairs.first[start : start + CHUNK]] * vectors[pairs.second[start : start + CHUNK]]).sum(1)
        for start in range(0, len(pairs.first), CHUNK)
    ]
    return float(roc_auc_score(pairs.alike, np.concatenate(cosines)))
