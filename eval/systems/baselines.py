"""Baselines without a model: BM25 and random order."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from .trial import QueryScores, TaskScores, Trial


def bm25(trial: Trial) -> TaskScores:
    """BM25 over the texts, with English stop words and stemming, as the paper runs it.

    Only documents with a positive score are returned.
    """
    import bm25s
    import Stemmer

    tokenize = partial(bm25s.tokenize, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)
    texts = [document.text for document in trial.task.documents]
    index = bm25s.BM25()
    index.index(tokenize(texts), show_progress=False)

    def query_scores() -> Iterator[QueryScores]:
        for query in trial.task.queries:
            (tokens,) = tokenize([query], return_ids=False)
            known_tokens = [token for token in tokens if token in index.vocab_dict]
            scores = index.get_scores(known_tokens) if known_tokens else np.zeros(len(texts))  # (documents,)
            yield QueryScores(np.where(scores > 0, scores, -np.inf).astype(np.float32))

    postings = sum(index.scores[part].nbytes for part in ("data", "indices", "indptr"))
    return TaskScores(query_scores(), 0, postings / len(texts))


def random_order(trial: Trial) -> TaskScores:
    """Documents in random order: the lowest level to beat."""
    generator, size = np.random.default_rng(trial.settings.seed), len(trial.task.documents)
    scores = (generator.random(size, dtype=np.float32) for _ in trial.task.queries)
    return TaskScores(map(QueryScores, scores), 0, 0.0)
