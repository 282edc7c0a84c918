"""A task's documents as vectors and words in memory, which scores any query over all of them at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from modeling_nerret.encoding import Encoder
from modeling_nerret.index.ranking import shares, with_feedback
from modeling_nerret.index.snapshot import Snapshot
from modeling_nerret.index.store import Store
from modeling_nerret.index.terms import bm25, terms_of
from modeling_nerret.pretrained.vectors import unit

from ..systems.checkpoint_index import index_checkpoint
from ..systems.trial import Settings
from ..tasks.task import Task


@dataclass(frozen=True)
class Places:
    """Vectors of all mentions, or of all windows, and where they stand.

    Args:
        vectors: as the index stores them. (places, hidden_size)
        owners: number of each one's document, in rising order. (places,)
    """

    vectors: np.ndarray
    owners: np.ndarray

    def best(self, queries: np.ndarray, documents: int) -> np.ndarray:
        """The best score in each document; 0 for documents without any. (queries, documents)

        Args:
            queries: their vectors. (queries, hidden_size)
            documents: how many there are.

        Example:
            >>> Places(np.array([[1.0], [0.5], [0.2]]), np.array([0, 0, 2])).best(np.array([[1.0]]), 3).tolist()
            [[1.0, 0.0, 0.20000000298023224]]
        """
        scores = np.zeros((len(queries), documents), dtype=np.float32)
        if len(self.owners):
            numbers, starts = np.unique(self.owners, return_index=True)
            scores[:, numbers] = np.maximum.reduceat(queries @ self.vectors.T, starts, axis=1)
        return scores

    def of(self, document: int) -> np.ndarray:
        """Vectors of one document. (places, hidden_size)"""
        first, last = np.searchsorted(self.owners, [document, document + 1])
        return self.vectors[first:last]


@dataclass(frozen=True)
class Collection:
    """A task's documents, ready to be scored.

    Args:
        task: the documents, and which of them are relevant to each type.
        queries: vectors of the task's type queries. (types, hidden_size)
        mentions: vectors of the mentions, as long as the detector is certain of them.
        windows: vectors of the texts.
    """

    task: Task
    queries: np.ndarray
    mentions: Places
    windows: Places

    def __len__(self) -> int:
        """Number of documents."""
        return len(self.task.documents)

    @cached_property
    def relevant(self) -> np.ndarray:
        """Which documents are relevant to each type. (types, documents) bool"""
        numbers = {document.id: number for number, document in enumerate(self.task.documents)}
        table = np.zeros((len(self.task.queries), len(self)), dtype=bool)
        for row, ids in zip(table, self.task.relevant, strict=True):
            row[[numbers[id_] for id_ in ids]] = True
        return table

    def scores(
        self, config: Any, texts: Sequence[str], vectors: np.ndarray, documents: np.ndarray | None = None
    ) -> np.ndarray:
        """Hybrid scores. (queries, documents)

        Args:
            config: the model's configuration.
            texts: words of the queries.
            vectors: of the queries. (queries, hidden_size)
            documents: numbers of those that are asked; `None`: all. They alone give feedback. (documents,)
        """
        documents = np.arange(len(self)) if documents is None else documents
        mention, window, words = self._parts(texts, vectors, documents)
        if config.feedback_documents:
            feedback = [self.feedback(config, *query, documents) for query in zip(texts, vectors, strict=True)]
            targets = [with_feedback(config, *pair) for pair in zip(vectors, feedback, strict=True)]
            mention = self.mentions.best(np.array(targets), len(self))[:, documents]
        return np.asarray(sum(shares(config, mention, window, words)), dtype=np.float32)

    def feedback(self, config: Any, text: str, vector: np.ndarray, documents: np.ndarray) -> np.ndarray:
        """Best mentions of the documents that come first among some, without feedback. (documents, hidden_size)"""
        scores = sum(shares(config, *self._parts([text], vector[None], documents)))  # (1, documents)
        first = np.argsort(-np.asarray(scores[0], dtype=np.float32), kind="stable")[: config.feedback_documents]
        return self.examples(documents[first], vector)

    def _parts(self, texts: Sequence[str], vectors: np.ndarray, documents: np.ndarray) -> tuple[np.ndarray, ...]:
        """Scores of mentions, windows and words for some queries in some documents. (queries, documents) each"""
        mention, window = (places.best(vectors, len(self))[:, documents] for places in (self.mentions, self.windows))
        return mention, window, np.array([self.words(text)[documents] for text in texts], dtype=np.float32)

    def scores_of(
        self, config: Any, text: str, documents: np.ndarray, vectors: np.ndarray, feedback: np.ndarray | None = None
    ) -> np.ndarray:
        """The hybrid score of each of some documents with a vector of its own. (documents,)

        Args:
            config: the model's configuration.
            text: words of the query.
            documents: their numbers. (documents,)
            vectors: of the query, one for each document. (documents, hidden_size)
            feedback: what moves each of the vectors, see `feedback`; `None`: nothing.
        """
        mention_vectors = vectors
        if feedback is not None:
            mention_vectors = np.array([with_feedback(config, vector, feedback) for vector in vectors])
        mention, window = (
            np.array([_best(places.of(number), vector) for number, vector in zip(documents, rows, strict=True)])
            for places, rows in ((self.mentions, mention_vectors), (self.windows, vectors))
        )
        return np.asarray(sum(shares(config, mention, window, self.words(text)[documents])))

    def examples(self, documents: np.ndarray, query: np.ndarray) -> np.ndarray:
        """The mention of each document that is nearest to a query. (documents, hidden_size), each of length 1 or 0"""
        rows = [self.mentions.of(number) for number in documents.tolist()]
        best = [vectors[(vectors @ query).argmax()] if len(vectors) else 0 * query for vectors in rows]
        return unit(np.array(best, dtype=np.float32).reshape(len(best), len(query)))

    def words(self, query: str) -> np.ndarray:
        """BM25 scores of all documents for some words. (documents,)"""
        counts = [self._postings.get(term, {}) for term in sorted(set(terms_of(query)))]
        frequencies = np.zeros((len(counts), len(self)))
        for row, numbers in zip(frequencies, counts, strict=True):
            row[list(numbers)] = list(numbers.values())
        owners = np.array([len(numbers) for numbers in counts])
        return bm25(frequencies, self._lengths, owners, len(self), int(self._lengths.sum()))

    def has_words(self, query: str) -> bool:
        """Whether a document has one of some words."""
        return any(term in self._postings for term in terms_of(query))

    @cached_property
    def _terms(self) -> list[Counter[str]]:
        return [Counter(terms_of(document.text)) for document in self.task.documents]

    @cached_property
    def _lengths(self) -> np.ndarray:
        """Number of terms of each document. (documents,)"""
        return np.array([terms.total() for terms in self._terms])

    @cached_property
    def _postings(self) -> dict[str, dict[int, int]]:
        """For each term its documents, and how often they have it."""
        postings: dict[str, dict[int, int]] = {}
        for number, terms in enumerate(self._terms):
            for term, count in terms.items():
                postings.setdefault(term, {})[number] = count
        return postings


def collect(task: Task, model: str, settings: Settings) -> Collection:
    """Index a task's documents with a checkpoint, as `nerret eval` does, and read the vectors.

    Args:
        task: the task.
        model: name of the checkpoint, which finds the mentions too.
        settings: how it runs.

    Raises:
        OSError: there is no such checkpoint.
        ValueError: it has no detector.
    """
    index = index_checkpoint(model, task.documents, True, settings, f"{task.name}: {model} indexes")
    with index.folder:
        ids = [document.id for document in task.documents]
        mentions, windows = Store(index.retriever.path).read(
            lambda snapshot: (_places(snapshot, ids, "mentions"), _places(snapshot, ids, "windows"))
        )
        return Collection(task, embed_queries(index.retriever.encoder, task.queries), mentions, windows)


def embed_queries(encoder: Encoder, queries: Sequence[str], size: int = 64) -> np.ndarray:
    """Vectors of many queries, `size` of them at a time. (queries, hidden_size)"""
    batches = [list(queries[start : start + size]) for start in range(0, len(queries), size)]
    return np.concatenate([encoder.embed_queries(batch) for batch in batches])


def _best(vectors: np.ndarray, query: np.ndarray) -> float:
    return float((vectors @ query).max()) if len(vectors) else 0.0


def _places(snapshot: Snapshot, ids: list[str], of: str) -> Places:
    keys = snapshot.keys(ids)
    numbers = {keys[id_]: number for number, id_ in enumerate(ids)}
    places, vectors = snapshot.vectors(list(numbers), of)
    order = sorted(range(len(places)), key=lambda row: (numbers[places[row][0]], places[row]))
    return Places(vectors[order], np.array([numbers[places[row][0]] for row in order], dtype=np.int64))
