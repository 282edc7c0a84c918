"""The paper's batches: a type's name, mentions of it, and random and hard negatives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import bm25s
import numpy as np
import Stemmer
import torch

from .data import Annotated
from .sampling import Batch, Pool


class TripletBatches:
    """Batches of triplets of one type each; batch n depends on seed and n.

    Args:
        pools: what is drawn from, by weight; types of a pool are drawn alike.
        hard: for each pool and type, mentions without the type in sentences that look like it; see `hard_rows`.
        size: triplets of a batch.
        share: of negatives that are hard ones, as far as the type has any.
        seed: of all draws.
    """

    def __init__(
        self, pools: Sequence[Pool], hard: Sequence[dict[int, np.ndarray]], size: int, share: float, seed: int
    ):
        self.pools, self.hard, self.size, self.share, self.seed = pools, hard, size, share, seed
        for pool in pools:
            if pool.counts.max() == len(pool.labelled):
                raise ValueError(f"all mentions of {pool.name} have one type; triplets need mentions without it")
        self.weights = np.array([pool.weight for pool in pools]) / sum(pool.weight for pool in pools)

    def __getitem__(self, number: int) -> Batch:
        """`type` (1, value_size), `positives` and `negatives` (size, value_size), and `number` (1,)."""
        random = np.random.default_rng((self.seed, number))
        which = int(random.choice(len(self.pools), p=self.weights))
        pool = self.pools[which]
        type_ = int(random.choice(pool.types))
        own, hard = pool.rows[type_], self.hard[which].get(type_, np.zeros(0, dtype=np.int64))
        positives = random.choice(own, self.size, replace=len(own) < self.size)
        hard = random.choice(hard, min(round(self.share * self.size), len(hard)), replace=False)
        negatives = np.concatenate([hard, self._others(pool, type_, self.size - len(hard), random)])
        vectors = [pool.phrases[[pool.wordings[type_][0]]], pool.mentions[positives], pool.mentions[negatives]]
        tensors = [torch.from_numpy(np.asarray(one, dtype=np.float32)) for one in vectors]
        return dict(zip(("type", "positives", "negatives"), tensors, strict=True)) | {"number": torch.tensor([number])}

    @staticmethod
    def _others(pool: Pool, type_: int, count: int, random: np.random.Generator) -> np.ndarray:
        """Random mentions without the type."""
        found: list[int] = []
        while len(found) < count:
            drawn = random.choice(pool.labelled, 2 * count)
            found += [row for row in drawn.tolist() if type_ not in pool.labels[row]]
        return np.array(found[:count], dtype=np.int64)


def hard_rows(pool: Pool, texts: Sequence[Annotated], names: Sequence[str], sentences: int) -> dict[int, np.ndarray]:
    """For each type, mentions in the sentences without it that BM25 finds best with its name.

    Args:
        pool: the mentions; only those that are trained on count.
        texts: the texts of its source.
        names: each type's plain name.
        sentences: at most so many for a type.
    """
    rows: dict[int, list[int]] = {}
    for row in pool.labelled.tolist():
        rows.setdefault(int(pool.owners[row]), []).append(row)
    owners = sorted(rows)
    stemmer = Stemmer.Stemmer("english")
    index = bm25s.BM25()
    tokens = bm25s.tokenize([texts[at].text for at in owners], stopwords="en", stemmer=stemmer, show_progress=False)
    if not tokens.vocab:
        return {}
    index.index(tokens, show_progress=False)
    found: dict[int, np.ndarray] = {}
    for type_ in pool.types.tolist():
        (query,) = bm25s.tokenize(
            [names[type_]], stopwords="en", stemmer=stemmer, show_progress=False, return_ids=False
        )
        if not (query := [word for word in query if word in tokens.vocab]):
            continue
        scores = index.get_scores(query)  # (sentences,)
        own = {int(pool.owners[row]) for row in pool.rows[type_]}
        best = [at for at in np.argsort(-scores, kind="stable") if scores[at] > 0 and owners[at] not in own][:sentences]
        if best:
            found[type_] = np.array([row for at in best for row in rows[owners[at]]], dtype=np.int64)
    return found


def limit_instances(pool: Pool, instances: int, seed: int) -> Pool:
    """A pool in which no type is drawn from more than `instances` mentions; 0 changes nothing."""
    if not instances:
        return pool
    random = np.random.default_rng(seed)
    limited = replace(pool)
    limited.rows = {name: np.sort(random.permutation(rows)[:instances]) for name, rows in sorted(pool.rows.items())}
    return limited
