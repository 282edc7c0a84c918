"""The paper's batches: a type's name, mentions of it, and random and hard negatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import bm25s
import numpy as np
import Stemmer
import torch

from ..data.annotated import Annotated
from ..recipes import HeadSection
from .base import Batch, Batches
from .pool import Pool


class TripletBatches(Batches):
    """Triplets of one type per batch.

    Args:
        pools: drawn from by their weights; types of a pool are drawn alike.
        hard: for each pool and type, mentions without the type in sentences that look like it; see `hard_rows`.
        section: the recipe's, with `batch` (triplets per batch) and `hard` (share of negatives that are hard, if the
            type has enough).
        seed: of all draws.

    Raises:
        ValueError: a pool has a type that all its mentions have.
    """

    def __init__(self, pools: Sequence[Pool], hard: Sequence[dict[int, np.ndarray]], section: HeadSection, seed: int):
        super().__init__([pool.weight for pool in pools], seed)
        self.pools, self.hard, self.section = pools, hard, section
        for pool in pools:
            if pool.counts.max() == len(pool.typed_rows):
                raise ValueError(f"all mentions of {pool.name} have one type; triplets need mentions without it")

    def draw(self, number: int, random: np.random.Generator) -> Batch:
        """`type` (1, value_size), `positives` and `negatives` (batch, value_size), and `number` (1,)."""
        which_pool, size = self.any_set(random), self.section.batch
        pool = self.pools[which_pool]
        type_number = int(random.choice(pool.types))
        rows, hard = pool.rows[type_number], self.hard[which_pool].get(type_number, np.zeros(0, dtype=np.int64))
        positives = random.choice(rows, size, replace=len(rows) < size)
        hard = random.choice(hard, min(round(self.section.hard * size), len(hard)), replace=False)
        negatives = np.concatenate([hard, self._others(pool, type_number, size - len(hard), random)])
        vectors = [pool.names(type_number), pool.mentions[positives], pool.mentions[negatives]]
        tensors = [torch.from_numpy(np.asarray(rows, dtype=np.float32)) for rows in vectors]
        return dict(zip(("type", "positives", "negatives"), tensors, strict=True)) | {"number": torch.tensor([number])}

    @staticmethod
    def _others(pool: Pool, type_number: int, count: int, random: np.random.Generator) -> np.ndarray:
        """Random mentions without the type."""
        rows: list[int] = []
        while len(rows) < count:
            candidates = random.choice(pool.typed_rows, 2 * count)
            rows += [row for row in candidates.tolist() if type_number not in pool.labels[row]]
        return np.array(rows[:count], dtype=np.int64)


def hard_rows(pool: Pool, texts: Sequence[Annotated], names: Sequence[str], sentences: int) -> dict[int, np.ndarray]:
    """For each type, mentions in the sentences without it that BM25 ranks best for its name.

    Args:
        pool: the mentions; only those that are trained on count.
        texts: the texts of its source.
        names: each type's plain name.
        sentences: how many sentences per type, at most.
    """
    rows: dict[int, list[int]] = {}
    for row in pool.typed_rows.tolist():
        rows.setdefault(int(pool.owners[row]), []).append(row)
    owners = sorted(rows)
    stemmer = Stemmer.Stemmer("english")
    index = bm25s.BM25()
    corpus = [texts[owner].text for owner in owners]
    tokens = bm25s.tokenize(corpus, stopwords="en", stemmer=stemmer, show_progress=False)
    if not tokens.vocab:
        return {}
    index.index(tokens, show_progress=False)
    hard: dict[int, np.ndarray] = {}
    for name in pool.types.tolist():
        (words,) = bm25s.tokenize([names[name]], stopwords="en", stemmer=stemmer, show_progress=False, return_ids=False)
        if not (query := [word for word in words if word in tokens.vocab]):
            continue
        scores = index.get_scores(query)  # (sentences,)
        owners_of_type = {int(pool.owners[row]) for row in pool.rows[name]}
        order = [place for place in np.argsort(-scores, kind="stable") if scores[place] > 0]
        best = [owners[place] for place in order if owners[place] not in owners_of_type][:sentences]
        if best:
            hard[name] = np.array([row for owner in best for row in rows[owner]], dtype=np.int64)
    return hard


def limit_instances(pool: Pool, instances: int, seed: int) -> Pool:
    """A pool that draws no type from more than `instances` mentions; 0 changes nothing."""
    if not instances:
        return pool
    random = np.random.default_rng(seed)
    limited_pool = replace(pool)
    limited_pool.rows = {
        name: np.sort(random.permutation(rows)[:instances]) for name, rows in sorted(pool.rows.items())
    }
    return limited_pool
