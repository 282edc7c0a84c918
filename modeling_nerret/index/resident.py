"""A snapshot in memory, for a process that answers many searches: vectors, words and texts are read once.

Its answers are those of the snapshot on disk, but for the vector index, which is approximate there and not needed here.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..documents import Document
from .snapshot import Scores, Snapshot
from .tables import as_array, rows_of
from .terms import bm25, terms_of

Place = tuple[int, int, float]
ROUNDING = 1e-4  # by which a product of matrices may differ from the exact sum, which decides


@dataclass(frozen=True)
class Rows:
    """The mentions or windows of all documents, in order of their documents' keys.

    Args:
        keys: of each one's document. (rows,)
        starts: first characters. (rows,)
        ends: characters after the last ones. (rows,)
        vectors: (rows, size) float32.
    """

    keys: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    vectors: np.ndarray

    @classmethod
    def read(cls, table: Any) -> Rows:
        """All rows of a table."""
        rows = rows_of(table, ["key", "start", "end", "vector"])
        keys, starts, ends = (rows[name].to_numpy() for name in ("key", "start", "end"))
        order = np.lexsort((ends, starts, keys))
        vectors = as_array(rows["vector"])[order].astype(np.float32)
        return cls(keys[order], starts[order], ends[order], vectors)

    def of(self, keys: Sequence[int]) -> np.ndarray:
        """Numbers of the rows of some documents."""
        numbers = np.array(keys, dtype=np.int64)
        edges = np.searchsorted(self.keys, np.stack([numbers, numbers + 1]))  # (2, documents)
        return np.concatenate([np.zeros(0, int), *(np.arange(first, last) for first, last in edges.T.tolist())])


@dataclass(frozen=True)
class Postings:
    """Which documents have which terms.

    Args:
        keys: of all documents, in order. (documents,)
        lengths: number of terms of each. (documents,)
        places: for each term the documents that have it, in order, and how often.
    """

    keys: np.ndarray
    lengths: np.ndarray
    places: dict[str, tuple[np.ndarray, np.ndarray]]

    @classmethod
    def read(cls, table: Any) -> Postings:
        """Those of the table of documents."""
        rows = rows_of(table, ["key", "words", "length"])
        order = np.argsort(rows["key"].to_numpy())
        owners: dict[str, list[int]] = defaultdict(list)
        counts: dict[str, list[int]] = defaultdict(list)
        words = rows["words"].to_pylist()
        for place, row in enumerate(order.tolist()):
            for term, count in Counter(words[row].split()).items():
                owners[term].append(place)
                counts[term].append(count)
        places = {term: (np.array(owners[term], np.int32), np.array(counts[term], np.int32)) for term in owners}
        return cls(rows["key"].to_numpy()[order], rows["length"].to_numpy()[order], places)

    def frequencies(self, terms: Sequence[str], documents: np.ndarray) -> np.ndarray:
        """How often each term stands in some documents, given by their places. (terms, documents)"""
        table = np.zeros((len(terms), len(documents)), dtype=int)
        for row, term in zip(table, terms, strict=True):
            owners, counts = self.places.get(term, (np.zeros(0, np.int32), np.zeros(0, np.int32)))
            if len(owners):
                nearest = np.searchsorted(owners, documents).clip(max=len(owners) - 1)
                row[:] = np.where(owners[nearest] == documents, counts[nearest], 0)
        return table


class ResidentSnapshot(Snapshot):
    """As `Snapshot`, but vectors, words, ids and texts are in memory: some 4 bytes for each number of a vector."""

    def __init__(self, database: Any, commit: Any):
        super().__init__(database, commit)
        self._rows = {name: Rows.read(self.tables[name]) for name in ("mentions", "windows")}
        self._postings = Postings.read(self._documents)
        self._texts = rows_of(self._documents, ["key", "id", "text", "metadata"])
        keys, ids = (self._texts[name].to_pylist() for name in ("key", "id"))
        self._ids: dict[int, str] = dict(zip(keys, ids, strict=True))
        self._places = {key: place for place, key in enumerate(keys)}  # in the rows of texts

    def nearest(
        self, vector: np.ndarray, limit: int, keys: Collection[int] | None = None, of: str = "mentions"
    ) -> Scores:
        """As `Snapshot.nearest`, but exact."""
        rows, query = self._rows[of], vector.astype(np.float32)
        places = np.arange(len(rows.keys)) if keys is None else rows.of(sorted(keys))
        rough = rows.vectors @ query if keys is None else rows.vectors[places] @ query
        if len(places) > limit:
            level = np.partition(rough, -limit)[-limit]
            places = places[rough >= level - ROUNDING]
        scores = (rows.vectors[places] * query).sum(1)
        order = np.argsort(-scores, kind="stable")[:limit]
        owners, first = np.unique(rows.keys[places[order]], return_index=True)
        rest = float(scores[order].min()) if len(order) == limit else -math.inf
        return Scores(dict(zip(owners.tolist(), scores[order][first].tolist(), strict=True)), rest)

    def matching(self, query: str, limit: int, keys: Collection[int] | None = None) -> Scores:
        """As `Snapshot.matching`."""
        terms, postings = sorted(set(terms_of(query))), self._postings
        groups = [postings.places[term][0] for term in terms if term in postings.places]
        if not groups:
            return Scores({})
        documents = np.unique(np.concatenate(groups))
        if keys is not None:
            documents = documents[np.isin(postings.keys[documents], list(keys))]
        scores = self._score(terms, documents)
        order = np.argsort(-scores, kind="stable")[:limit] if keys is None else np.arange(len(scores))
        is_cut = keys is None and len(documents) >= limit
        rest = float(scores[order].min()) if is_cut else -math.inf
        return Scores(dict(zip(postings.keys[documents[order]].tolist(), scores[order].tolist(), strict=True)), rest)

    def words(self, query: str, keys: Sequence[int]) -> dict[int, float]:
        """As `Snapshot.words`."""
        postings = self._postings
        numbers = np.array([key for key in keys if key in self._ids], dtype=np.int64)
        documents = np.searchsorted(postings.keys, numbers)
        scores = self._score(sorted(set(terms_of(query))), documents)
        return dict(zip(numbers.tolist(), scores.tolist(), strict=True))

    def mentions(
        self, keys: Sequence[int], vector: np.ndarray | None = None, of: str = "mentions"
    ) -> dict[int, list[Place]]:
        """As `Snapshot.mentions`."""
        rows = self._rows[of]
        places = rows.of(sorted(set(keys)))
        query = None if vector is None else vector.astype(np.float32)
        scores = np.zeros(len(places)) if query is None else (rows.vectors[places] * query).sum(1)
        mentions: dict[int, list[Place]] = {key: [] for key in keys}
        columns = (rows.keys[places], rows.starts[places], rows.ends[places], scores)
        for key, start, end, score in zip(*(column.tolist() for column in columns), strict=True):
            mentions[key].append((start, end, score))
        return mentions

    def vectors(self, keys: Sequence[int], of: str = "mentions") -> tuple[list[tuple[int, int, int]], np.ndarray]:
        """As `Snapshot.vectors`."""
        rows = self._rows[of]
        places = rows.of(sorted(set(keys)))
        columns = (rows.keys[places], rows.starts[places], rows.ends[places])
        return list(zip(*(column.tolist() for column in columns), strict=True)), rows.vectors[places]

    def ids(self, keys: Sequence[int]) -> dict[int, str]:
        """As `Snapshot.ids`."""
        return {key: self._ids[key] for key in keys if key in self._ids}

    def documents(self, keys: Sequence[int]) -> dict[int, Document]:
        """As `Snapshot.documents`."""
        places = np.array([self._places[key] for key in keys if key in self._places], dtype=np.int64)
        rows = self._texts.take(places).to_pylist()
        return {row["key"]: Document(row["id"], row["text"], json.loads(row["metadata"])) for row in rows}

    def _score(self, terms: Sequence[str], documents: np.ndarray) -> np.ndarray:
        """BM25 scores of documents, given by their places in the postings. (documents,)"""
        counts = self._documents_with(terms)
        lengths = self._postings.lengths[documents]
        frequencies = self._postings.frequencies(terms, documents)
        return bm25(frequencies, lengths, np.array([counts[term] for term in terms]), self.size, self.commit.words)

    def _documents_with(self, terms: Sequence[str]) -> dict[str, int]:
        places = self._postings.places
        return {term: len(places[term][0]) if term in places else 0 for term in terms}
