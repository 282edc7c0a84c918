"""The search for one type in a snapshot: its vector, moved by examples and marks, and what its scores say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...pretrained.calibration import Belief, Calibration, Intercept
from ..ranking import Parts, Query, Rank, Ranking, nearest_mentions, shares, vectors_of, with_feedback
from ..snapshot import Snapshot
from .type_query import Type
from .type_vectors import moved

FIRST = 200  # documents that are ranked at first
LEAST = 0.02  # probability of the last document that is ranked


class TypeSearch:
    """One type, asked of one snapshot.

    Args:
        snapshot: the index.
        config: the model's configuration.
        calibration: the model's calibration; `None` if it has none.
        query: the query, with the vector of the type's words and examples.
        type_: the type, with its marks.
        is_unknown: whether its words are known neither to the model nor to the index.

    Raises:
        ValueError: a marked document is not in the index.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        config: Any,
        calibration: Calibration | None,
        query: Query,
        type_: Type,
        is_unknown: Callable[[], bool] = lambda: False,
    ):
        self.snapshot, self.config, self.calibration = snapshot, config, calibration
        self.type, self.is_unknown = type_, is_unknown
        self.words_vector = query.vector  # (hidden_size,)
        self.intercept = None if type_.intercept is None else Intercept(*type_.intercept)
        self.marks = np.array(list(type_.marks.values()), dtype=bool)  # (marks,)
        keys = _keys(snapshot, list(type_.marks))
        examples = nearest_mentions(snapshot, keys, query.vector)
        wrong = frozenset(key for key, is_right in zip(keys, self.marks, strict=True) if not is_right)
        self.query = replace(query, vector=moved(query.vector, examples, self.marks), wrong=wrong)
        self.ranking = Ranking(snapshot, config, self.query)
        self.marked_scores = self._score_marked(keys, examples)
        self._absent: float | None = None
        self._whole_list: list[Rank] | None = None  # once it was asked for
        self._best_score: float | None = None

    def best(self, k: int | None) -> list[Rank]:
        """The best `k` documents; without `k`, all that may well be right."""
        if k is not None:
            return self._ranks(k)
        if self._whole_list is not None:
            return self._whole_list
        limit = FIRST
        while True:
            ranks = self._whole_list = self._ranks(limit)
            if len(ranks) < limit or self._believe(np.array([ranks[-1].score])).probabilities[0] < LEAST:
                return ranks
            limit *= 4

    def believe(self, scores: np.ndarray) -> Belief:
        """What to believe of documents with some hybrid scores (documents,), if the model has a calibration."""
        assert self.calibration is not None
        if self._absent is None:
            if self._best_score is None:
                self._ranks(1)
            score = self._best_score or 0.0  # of no document at all
            self._absent = self.calibration.absent(score, self.words_vector, self.is_unknown())
        return self._believe(scores, self._absent)

    def knowledge(self) -> Intercept:
        """What the marks say of the query's intercept."""
        assert self.calibration is not None
        weights = self.calibration.weights(self.marked_scores, self.marks, self.intercept)
        return self.calibration.knowledge(weights, self.intercept)

    def _believe(self, scores: np.ndarray, absent: float = 0.0) -> Belief:
        assert self.calibration is not None
        return self.calibration.believe(scores, absent, self.marked_scores, self.marks.tolist(), self.intercept)

    def _ranks(self, k: int) -> list[Rank]:
        self.ranking.query = replace(self.query, k=k, min_score=None)
        ranks = self.ranking.best()
        self._best_score = ranks[0].score if ranks else None
        least = self.query.min_score
        return [rank for rank in ranks if least is None or rank.score >= least]

    def _score_marked(self, keys: Sequence[int], examples: np.ndarray) -> np.ndarray:
        """Scores of the marked documents, each with a query that its own mark did not move. (marks,)

        A document that moved the query towards itself would say that documents with high scores are right.
        """
        if not len(keys):
            return np.zeros(0)
        mentions, windows = (vectors_of(self.snapshot, keys, name) for name in ("mentions", "windows"))
        words = self.snapshot.words(self.query.text, keys)
        scores = []
        for number, key in enumerate(keys):
            rest = np.arange(len(keys)) != number
            vector = moved(self.words_vector, examples[rest], self.marks[rest])
            mention_vector = with_feedback(self.config, vector, self.ranking.feedback)
            parts = Parts(_best(mentions[key], mention_vector), _best(windows[key], vector), words.get(key, 0.0))
            scores.append(float(sum(shares(self.config, *parts))))
        return np.array(scores)


def _keys(snapshot: Snapshot, ids: list[str]) -> list[int]:
    keys = snapshot.keys(ids)
    strangers = [name for name in ids if name not in keys]
    if strangers:
        raise ValueError(f"there is no document {strangers[0]!r:.80} to mark; mark ids of documents of this index")
    return [keys[name] for name in ids]


def _best(vectors: np.ndarray, query: np.ndarray) -> float:
    return float((vectors @ query).max()) if len(vectors) else 0.0
