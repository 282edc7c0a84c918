"""A snapshot of an index: its tables as one commit left them, and everything that is read from them."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..documents import Document
from ..metadata import name_of
from . import tables
from .commits import Commit
from .engine import lancedb
from .filters import Filter, quote
from .folder import TABLES
from .tables import as_array, chunks, dot, is_in, keys_by_id, rows_in, rows_of, vector_index
from .terms import bm25, terms_of

MOST_ANSWERS = 1_000  # about conditions of filters that are remembered
NPROBES = 64  # partitions (of some 8,000 mentions) that a search reads at least


class Scores(dict[int, float]):
    """Scores by a document's key.

    Args:
        scores: the scores.
        rest: what any other document can have at most; `-inf` if no other has a score.
    """

    def __init__(self, scores: Mapping[int, float], rest: float = -math.inf):
        super().__init__(scores)
        self.rest = rest


class Snapshot:
    """The documents of one commit. Whatever other processes do meanwhile, it stays as it is.

    Args:
        database: the connection to the tables.
        commit: the commit.

    Raises:
        RuntimeError: a table cannot be opened; after a compaction, the tables of older commits are gone.
    """

    def __init__(self, database: lancedb.DBConnection, commit: Commit):
        self.commit = commit
        self._answers: dict[str, bool] = {}
        self._counts: tuple[Sequence[str], dict[str, int]] = (), {}
        self.tables: dict[str, Any] = {}
        for name in TABLES:
            try:
                self.tables[name] = database.open_table(name, version=commit.versions[name])
            except (OSError, ValueError) as error:
                raise RuntimeError(f"the table {name} cannot be opened: {error}") from error
        self._documents, self._metadata = self.tables["documents"], self.tables["metadata"]

    @cached_property
    def size(self) -> int:
        """Number of documents."""
        return int(self._documents.count_rows())

    @cached_property
    def mention_count(self) -> int:
        """Number of mentions."""
        return int(self.tables["mentions"].count_rows())

    @cached_property
    def window_count(self) -> int:
        """Number of windows."""
        return int(self.tables["windows"].count_rows())

    @cached_property
    def _approximate(self) -> set[str]:
        """Names of the tables with a vector index."""
        return {name for name in ("mentions", "windows") if vector_index(self.tables[name])}

    def nearest(
        self, vector: np.ndarray, limit: int, keys: Collection[int] | None = None, of: str = "mentions"
    ) -> Scores:
        """Documents' keys with the dot product of their nearest mention, of the `limit` nearest mentions.

        With `of="windows"` the same of windows. The vector index chooses by 4-bit vectors, so the last of the `limit`
        need not be the nearest. With `keys`, a few hundred at most, only their mentions are looked at.
        """
        table = self.tables[of]
        query: Any = table.search(vector.astype(np.float32)).distance_type("dot").limit(limit)
        query = query.select(["key", "vector", "_distance"])
        if keys is not None:
            query = query.where(is_in("key", keys or [-1]), prefilter=True).bypass_vector_index()
        elif of in self._approximate:
            query = query.minimum_nprobes(NPROBES).maximum_nprobes(0)  # 0: more, if these hold too few
        rows = query.to_arrow()
        owners, scores = rows["key"].to_numpy(), dot(rows["vector"], vector)
        order = np.argsort(-scores, kind="stable")
        documents, first = np.unique(owners[order], return_index=True)
        rest = float(scores.min()) if len(scores) == limit else -math.inf
        return Scores(dict(zip(documents.tolist(), scores[order][first].tolist(), strict=True)), rest)

    def matching(self, query: str, limit: int, keys: Collection[int] | None = None) -> Scores:
        """Documents' keys with their BM25 score for some words: the best `limit`, or of `keys` those that have a word.

        The engine finds the documents. How rare a term is, it knows only as of its last compaction; so they are scored
        here, from counts that are right after every commit.
        """
        terms = sorted(set(terms_of(query)))
        if not terms or not self.size:
            return Scores({})
        search: Any = self._documents.search(" ".join(terms), query_type="fts")
        search = search.select(["key", "words", "length", "_score"])
        if keys is not None:
            search, limit = search.where(is_in("key", keys or [-1]), prefilter=True), max(len(keys), 1)
        rows = search.limit(limit).to_arrow()
        scores = self._score_words(terms, rows)
        is_cut = keys is None and rows.num_rows == limit
        return Scores(scores, min(scores.values()) if is_cut else -math.inf)

    def words(self, query: str, keys: Sequence[int]) -> dict[int, float]:
        """BM25 scores of some documents for some words, by key; 0 for a document without any of them."""
        terms = sorted(set(terms_of(query)))
        scores: dict[int, float] = {}
        for rows in rows_in(self._documents, ["key", "words", "length"], "key", keys):
            scores |= self._score_words(terms, rows)
        return scores

    def has_words(self, query: str) -> bool:
        """Whether a document has one of some words."""
        terms = sorted(set(terms_of(query)))
        return bool(terms) and any(self._documents_with(terms).values())

    def _score_words(self, terms: Sequence[str], rows: pa.Table) -> dict[int, float]:
        """BM25 scores by key of documents with their columns `words` and `length`."""
        words = rows["words"].to_pylist()
        frequencies = [[text.count(f" {term} ") for text in words] for term in terms]
        counts = self._documents_with(terms)
        scores = bm25(
            np.asarray(frequencies).reshape(len(terms), rows.num_rows),
            rows["length"].to_numpy(),
            np.array([counts.get(term, 0) for term in terms]),
            self.size,
            self.commit.words,
        )
        return dict(zip(rows["key"].to_pylist(), scores.tolist(), strict=True))

    def _documents_with(self, terms: Sequence[str]) -> dict[str, int]:
        """How many documents contain each term; those of the last query are remembered, which asks twice."""
        pair = self._counts  # another thread may replace it
        if pair[0] != terms:
            pair = terms, dict.fromkeys(terms, 0)
            for rows in rows_in(self.tables["terms"], ["term", "documents"], "term", terms):
                for term, count in zip(rows["term"].to_pylist(), rows["documents"].to_pylist(), strict=True):
                    pair[1][term] += count
            self._counts = pair
        return pair[1]

    def mentions(
        self, keys: Sequence[int], vector: np.ndarray | None = None, of: str = "mentions"
    ) -> dict[int, list[tuple[int, int, float]]]:
        """All mentions (or windows) of some documents: start, end and dot product with `vector`, by their start."""
        mentions: dict[int, list[tuple[int, int, float]]] = {key: [] for key in keys}
        columns = ["key", "start", "end"] + (["vector"] if vector is not None else [])
        for rows in rows_in(self.tables[of], columns, "key", sorted(mentions)):
            scores = np.zeros(rows.num_rows) if vector is None else dot(rows["vector"], vector)
            places = (rows[name].to_pylist() for name in ("key", "start", "end"))
            for key, start, end, score in zip(*places, scores.tolist(), strict=True):
                mentions[key].append((start, end, score))
        return {key: sorted(places) for key, places in mentions.items()}

    def sample(self, limit: int) -> tuple[list[tuple[int, int, int]], np.ndarray]:
        """At most `limit` mentions, evenly from the whole index: key, start and end of each, and their vectors.

        The vectors are (mentions, size) float32. An unchanged index gives the same ones every time.
        """
        count = self.mention_count
        offsets = np.linspace(0, count - 1, min(limit, count), dtype=int).tolist()
        rows = self.tables["mentions"].take_offsets(offsets).to_arrow()
        places = zip(*(rows[name].to_pylist() for name in ("key", "start", "end")), strict=True)
        return list(places), as_array(rows["vector"]).astype(np.float32)

    def vectors(self, keys: Sequence[int], of: str = "mentions") -> tuple[list[tuple[int, int, int]], np.ndarray]:
        """All mentions (or windows) of some documents: key, start and end, and vectors, (mentions, size) float32."""
        columns = ("key", "start", "end")
        rows = pa.concat_tables(rows_in(self.tables[of], [*columns, "vector"], "key", [*keys] or [-1]))
        places = zip(*(rows[name].to_pylist() for name in columns), strict=True)
        return list(places), as_array(rows["vector"]).astype(np.float32)

    def keys(self, ids: Sequence[str]) -> dict[str, int]:
        """Keys of documents by id; ids that no document has are left out."""
        return keys_by_id(self._documents, ids)

    def ids(self, keys: Sequence[int]) -> dict[int, str]:
        """Ids of documents by key; keys that no document has are left out."""
        ids: dict[int, str] = {}
        for rows in rows_in(self._documents, ["key", "id"], "key", keys):
            ids |= zip(rows["key"].to_pylist(), rows["id"].to_pylist(), strict=True)
        return ids

    def ids_from(self, prefix: str) -> list[str]:
        """Ids that begin with `prefix`, in order."""
        where = None
        if prefix and ord(prefix[-1]) < sys.maxunicode:
            successor = "\ue000" if prefix[-1] == "\ud7ff" else chr(ord(prefix[-1]) + 1)  # surrogates stand in no text
            where = f"id >= {quote(prefix)} AND id < {quote(prefix[:-1] + successor)}"
        ids = rows_of(self._documents, ["id"], where)["id"].to_pylist()
        return sorted(name for name in ids if name.startswith(prefix))

    def documents(self, keys: Sequence[int]) -> dict[int, Document]:
        """Documents by key; keys that no document has are left out."""
        documents = {}
        for rows in rows_in(self._documents, ["key", "id", "text", "metadata"], "key", keys):
            for row in rows.to_pylist():
                documents[row["key"]] = Document(row["id"], row["text"], json.loads(row["metadata"]))
        return documents

    def few(self, where: Filter) -> set[int] | None:
        """Keys of the documents that pass a filter, if one of its conditions tells that they are few; else `None`."""
        for probe in where.probes:
            rows = rows_of(self._metadata, ["key"], probe, tables.FEW + 1)
            if rows.num_rows <= tables.FEW:
                keys = set(rows["key"].to_pylist())
                return self.passing(where, keys)
        return None

    def passing(self, where: Filter, keys: Collection[int]) -> set[int]:
        """Those of some documents that pass a filter."""
        matches: set[int] = set()
        for part in chunks(sorted(keys)):
            matches |= where.passing(set(part), self._selector(is_in("key", part)))
        return matches

    def check(self, where: Filter) -> None:
        """Refuse a filter on a field that no document has, or that compares texts with numbers.

        Raises:
            ValueError: the message names the field.
        """
        if self.size:
            where.check(self._exists, self._names)

    def _exists(self, condition: str) -> bool:
        """Whether a document has a value that satisfies a condition; remembered, because queries repeat filters."""
        answer = self._answers.get(condition)
        if answer is None:
            if len(self._answers) >= MOST_ANSWERS:
                self._answers.clear()
            answer = self._answers[condition] = bool(rows_of(self._metadata, ["key"], condition, 1).num_rows)
        return answer

    def _names(self) -> set[str]:
        """Names of all fields."""
        values = rows_of(self._metadata, ["value"])["value"]
        return {name_of(value) for value in pc.unique(values).to_pylist()}

    def _selector(self, condition: str) -> Callable[[str], set[int]]:
        def select(sql: str) -> set[int]:
            return set(rows_of(self._metadata, ["key"], f"({condition}) AND ({sql})")["key"].to_pylist())

        return select
