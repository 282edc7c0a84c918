"""Rank an index's documents for a type query: by mentions, whole texts, words, or all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..pretrained.vectors import unit
from .filters import Filter
from .snapshot import Scores, Snapshot

MODES = ("hybrid", "vector", "document", "lexical")


@dataclass(frozen=True)
class Query:
    """A type query with everything that decides its ranking.

    Args:
        text: the type in plain words.
        vector: its vector. (hidden_size,)
        k: how many documents are wanted.
        mode: one of `MODES`.
        where: conditions on metadata, see `filters.Filter`.
        min_score: leave out documents with a lower score.
        wrong: keys of documents that are known to be wrong, so that they give no feedback.
    """

    text: str
    vector: np.ndarray
    k: int = 10
    mode: str = "hybrid"
    where: Filter | None = None
    min_score: float | None = None
    wrong: frozenset[int] = frozenset()


class Parts(NamedTuple):
    """What a hybrid score is made of: the best mention's score, the text's own cosine, and BM25."""

    mention: float
    text: float
    words: float


class Rank(NamedTuple):
    """A ranked document: its key in the index, its id, its score and, if the score is hybrid, its parts."""

    key: int
    id: str
    score: float
    parts: Parts | None = None


def shares(config: Any, mention: Any, whole: Any, word: Any) -> tuple[Any, Any, Any]:
    """What mention, text and words contribute to hybrid scores, numbers or arrays; their sum is the score.

    Args:
        config: the model's configuration, which holds the weights.
        mention: scores of the documents' best mentions.
        whole: cosines of their texts.
        word: BM25 scores of their words.
    """
    floor = np.maximum(config.document_floor * whole - mention, 0.0)  # what a weak mention lacks, the text makes good
    text = config.document_weight * whole + floor
    return mention, text, config.lexical_weight * word / (word + config.lexical_half)


def with_feedback(config: Any, vector: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """What mentions are compared with: a query's vector, moved towards the first documents' best mentions.

    Args:
        config: the model's configuration, which holds the weight.
        vector: of the query. (hidden_size,)
        examples: the mentions, each of length 1, or 0 if a document has none. (documents, hidden_size)

    Returns:
        (hidden_size,), of length 1 if there are examples.
    """
    examples = examples[examples.any(1)]
    return unit(vector + config.feedback_weight * examples.mean(0)) if len(examples) else vector


class Ranking:
    """Ranks the documents of an index for one query.

    A hybrid ranking is made twice: its first documents give feedback, see `NerretConfig.feedback_documents`. They are
    those of the whole index, so that the score of a document depends neither on the filter nor on `k`.

    Args:
        snapshot: the index.
        config: the model's configuration, which holds the weights of the hybrid score.
        query: the query.

    Raises:
        ValueError: the filter compares a field that no document has.
    """

    def __init__(self, snapshot: Snapshot, config: Any, query: Query):
        self.snapshot, self.config, self.query = snapshot, config, query
        self.keys: set[int] | None = None  # of the documents that pass the filter, once it is known that they are few
        self.parts: dict[int, Parts] = {}  # of the hybrid scores
        self._lists: dict[tuple[str, int], Scores] = {}  # of words and windows, which feedback does not change
        if query.where is not None:
            snapshot.check(query.where)

    @cached_property
    def feedback(self) -> np.ndarray:
        """The best mentions of the documents that come first without feedback. (documents, hidden_size)"""
        query, count = self.query, self.config.feedback_documents
        if query.mode != "hybrid" or not count:
            return np.zeros((0, len(query.vector)), dtype=np.float32)
        plain = Ranking(
            self.snapshot, self.config, replace(query, k=count + len(query.wrong), where=None, min_score=None)
        )
        plain.feedback, plain._lists = np.zeros((0, len(query.vector)), dtype=np.float32), self._lists
        keys = [rank.key for rank in plain.best() if rank.key not in query.wrong]
        return nearest_mentions(self.snapshot, keys[:count], query.vector)

    @cached_property
    def mention_vector(self) -> np.ndarray:
        """What mentions are compared with. (hidden_size,)"""
        return with_feedback(self.config, self.query.vector, self.feedback)

    def best(self) -> list[Rank]:
        """The best `k` documents; ties in order of their ids."""
        snapshot, where, least = self.snapshot, self.query.where, self.query.min_score
        most = max(snapshot.size, snapshot.mention_count, snapshot.window_count, 1)
        k = min(self.query.k, most)
        limit = first = min(max(2 * k, 200), most)
        while True:
            scores = self._scores(limit)
            rest = -math.inf if limit == most else scores.rest
            level = sorted(scores.values())[-k] if len(scores) >= k > 0 else None
            if rest == -math.inf or level not in (None, rest) or k == 0:
                return [rank for rank in self._top(scores, k) if least is None or rank.score >= least]
            if where is not None and limit == first:
                self.keys = snapshot.few(where)
                k = k if self.keys is None else min(k, len(self.keys))
            # several mentions of a document took the places, or the filter did, or other documents may be as good
            limit = min(4 * limit, most)

    def parts_of(self, keys: Sequence[int]) -> dict[int, Parts]:
        """Parts of the hybrid scores of some documents, whether they pass the filter or not."""
        rest = [key for key in keys if key not in self.parts]
        mentions: dict[int, float] = {}
        windows: dict[int, float] = {}
        self._complete(mentions, rest, "mentions")
        if self.config.document_weight:
            self._complete(windows, rest, "windows")
        words = self.snapshot.words(self.query.text, rest)
        parts = {key: Parts(*(table.get(key, 0.0) for table in (mentions, windows, words))) for key in rest}
        return {key: parts.get(key) or self.parts[key] for key in keys}

    def _scores(self, limit: int) -> Scores:
        """Scores of the documents that have one of the `limit` nearest mentions or windows, or best texts, and pass."""
        query = self.query
        if query.mode == "lexical":
            return self._passing(self.snapshot.matching(query.text, limit, self.keys))
        if query.mode == "document":
            return self._passing(self.snapshot.nearest(query.vector, limit, self.keys, of="windows"))
        mentions = self.snapshot.nearest(self.mention_vector, limit, self.keys)
        return self._passing(mentions) if query.mode == "vector" else self._hybrid(mentions, limit)

    def _passing(self, scores: Scores) -> Scores:
        """The scores of those documents that pass the filter."""
        if self.query.where is None or self.keys is not None:
            return scores
        keys = self.snapshot.passing(self.query.where, scores)
        return Scores({key: score for key, score in scores.items() if key in keys}, scores.rest)

    def _hybrid(self, mentions: Scores, limit: int) -> Scores:
        """Hybrid scores of the documents of three lists, of which `mentions` is the first."""
        query, config = self.query, self.config
        words, windows = self._words(limit), self._windows(limit)
        candidates = sorted(self._passing(Scores(dict.fromkeys([*mentions, *words, *windows], 0.0))))
        rests = [np.array(max(part.rest, 0.0)) for part in (mentions, words, windows)]
        is_cut = max(part.rest for part in (mentions, words, windows)) > -math.inf
        self._complete(mentions, candidates, "mentions")
        if config.document_weight:
            self._complete(windows, candidates, "windows")
        mention, whole = (np.array([part.get(key, 0.0) for key in candidates]) for part in (mentions, windows))
        if words.rest > -math.inf:
            words |= self.snapshot.words(query.text, self._rivals(candidates, mention, words, whole))
        word = np.array([words.get(key, 0.0) for key in candidates])  # (documents,), as the others
        scores = self._sum(mention, word, whole)
        columns = (mention.tolist(), whole.tolist(), word.tolist())
        self.parts = dict(zip(candidates, map(Parts, *columns), strict=True))
        # of equal documents, those that are in none of the lists have just their least scores
        rest = self._sum(*rests).item() if is_cut else -math.inf
        return Scores(dict(zip(candidates, scores.tolist(), strict=True)), rest)

    def _words(self, limit: int) -> Scores:
        return self._listed("words", limit, lambda: self.snapshot.matching(self.query.text, limit, self.keys))

    def _windows(self, limit: int) -> Scores:
        if not self.config.document_weight:
            return Scores({})
        vector = self.query.vector
        return self._listed("windows", limit, lambda: self.snapshot.nearest(vector, limit, self.keys, of="windows"))

    def _listed(self, name: str, limit: int, reader: Callable[[], Scores]) -> Scores:
        """A list of the whole index, which is read once for both rankings; that of a few documents is read anew."""
        if self.keys is not None:
            return reader()
        if (name, limit) not in self._lists:
            self._lists[name, limit] = reader()
        scores = self._lists[name, limit]
        return Scores(scores, scores.rest)  # a copy, for it is completed

    def _rivals(self, candidates: Sequence[int], mention: np.ndarray, words: Scores, whole: np.ndarray) -> list[int]:
        """Those candidates without a score for their words that, with the most it can be, would be among the best."""
        word = np.array([words.get(key, 0.0) for key in candidates])  # (documents,), as `mention` and `whole`
        is_open = np.array([key not in words for key in candidates], dtype=bool)
        least = self._sum(mention, word, whole)
        most = self._sum(mention, np.where(is_open, words.rest, word), whole)
        level = np.sort(least)[-self.query.k] if len(candidates) >= self.query.k else -math.inf
        return [key for key, is_rival in zip(candidates, is_open & (most >= level), strict=True) if is_rival]

    def _sum(self, mention: np.ndarray, word: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return sum(shares(self.config, mention, whole, word)).astype(np.float32)

    def _complete(self, scores: dict[int, float], keys: Sequence[int], of: str) -> None:
        """Score those of `keys` that have no score yet; 0 for a document without a mention (or window)."""
        vector = self.mention_vector if of == "mentions" else self.query.vector
        places = self.snapshot.mentions([key for key in keys if key not in scores], vector, of)
        for key, mentions in places.items():
            scores[key] = max((score for _, _, score in mentions), default=0.0)

    def _top(self, scores: dict[int, float], k: int) -> list[Rank]:
        """The best `k` of the scored documents; ties in order of their ids."""
        keys = sorted(scores, key=lambda key: -scores[key])
        level = scores[keys[min(k, len(keys)) - 1]] if keys else 0.0
        ids = self.snapshot.ids([key for key in keys if scores[key] >= level])  # many may share the k-th score
        order = sorted(ids, key=lambda key: (-scores[key], ids[key]))
        return [Rank(key, ids[key], scores[key], self.parts.get(key)) for key in order[:k]]


def nearest_mentions(snapshot: Snapshot, keys: Sequence[int], vector: np.ndarray) -> np.ndarray:
    """The mention of each document that is nearest to a query. (documents, hidden_size), each of length 1 or 0"""
    mentions = vectors_of(snapshot, keys, "mentions")
    rows = [mentions[key][(mentions[key] @ vector).argmax()] if len(mentions[key]) else 0 * vector for key in keys]
    return unit(np.array(rows, dtype=np.float32).reshape(len(rows), len(vector)))


def vectors_of(snapshot: Snapshot, keys: Sequence[int], of: str) -> dict[int, np.ndarray]:
    """Vectors of the mentions or windows of some documents, by key. (mentions, hidden_size) each"""
    places, vectors = snapshot.vectors(keys, of)
    owners = np.array([key for key, _, _ in places])
    return {key: vectors[owners == key] for key in keys}
