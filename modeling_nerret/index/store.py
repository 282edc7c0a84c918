"""The index on disk: documents, mentions, windows and metadata in LanceDB. It knows no model.

There are four tables: `documents` (a row each, full-text index), `mentions` and `windows` (a row each, with a vector;
texts are embedded window by window) and `metadata` (a row for each value, so that filters need no schema). Rows belong
together by `key`, a new number for every written version of a document. A document exists as soon as its row in
`documents` is committed, the last commit of a batch. Rows of other tables with an unknown key are remains of a replaced
or deleted document, or of an interrupted write. Readers skip them, and `Store.writing` removes them.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..documents import Document, EncodedDocument
from .engine import BTree, IvfRq
from .filters import matching_keys, quote
from .folder import FORMAT, has_index, is_vacant, plain_errors, read_manifest, write_lock, write_manifest
from .memory import trim_memory
from .tables import (
    ALL,
    as_array,
    chunks,
    connect,
    document_rows,
    dot,
    fits_filter,
    is_in,
    key_filters,
    keys_of,
    make_tables,
    metadata_rows,
    unindexed_rows,
    vector_index,
    vector_rows,
)

T = TypeVar("T")

APPROXIMATE_FROM = 20_000  # mentions; below, an exact scan is fast enough
ATTEMPTS = 5  # to read between two commits of another process
NPROBES = 64  # partitions (of some 8,000 mentions) that a search reads at least


class Store:
    """One index folder.

    Args:
        path: the folder.

    Raises:
        ValueError: the path is no index, or one of another format.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.manifest = read_manifest(self.path)
        # an interval of zero: every look sees what other processes have committed
        database = connect(self.path, read_consistency_interval=timedelta(0))
        self._next_key: int | None = None
        self._first_key = 0
        try:
            self._documents = database.open_table("documents")
            self._vectors = {name: database.open_table(name) for name in ("mentions", "windows")}
            self._metadata = database.open_table("metadata")
        except (ValueError, RuntimeError) as error:
            raise ValueError(f"{self.path} is damaged ({error}); index its corpus again under a new path") from None

    @classmethod
    def create(cls, path: str | Path, size: int, **manifest: Any) -> Store:
        """Make an empty index for vectors of `size` numbers, or open the one that another process has just made.

        Raises:
            ValueError: something else is at the path.
            OSError: the folder cannot be written.
        """
        path = Path(path)
        if not is_vacant(path) and not has_index(path):
            raise ValueError(f"{path} exists and is no nerret index; choose a new path")
        with plain_errors(path):
            path.mkdir(parents=True, exist_ok=True)
            with write_lock(path):
                if not has_index(path):
                    make_tables(path, size)
                    write_manifest(path, {"format": FORMAT, "size": size, **manifest})
        return cls(path)

    def __len__(self) -> int:
        """Number of documents."""
        return self._documents.count_rows()

    def count_mentions(self) -> int:
        """Number of mentions."""
        return self._vectors["mentions"].count_rows()

    def count_windows(self) -> int:
        """Number of windows."""
        return self._vectors["windows"].count_rows()

    def info(self) -> dict[str, Any]:
        """Path, model, numbers of documents and mentions, bytes on disk."""
        size = sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
        counts = {"documents": len(self), "mentions": self.count_mentions(), "bytes": size}
        return {"path": str(self.path), "model": self.manifest["model"], **counts, "format": FORMAT}

    @contextmanager
    def writing(self, timeout: float = 10.0) -> Iterator[None]:
        """Hold the write lock, and roll back on ValueError.

        Raises:
            RuntimeError: another process still holds the lock after `timeout` seconds.
            OSError: the disk is full or the folder read-only; what was committed is kept.
        """
        with plain_errors(self.path), write_lock(self.path, timeout):
            self._first_key = self._next_key = self._sweep()
            version = self._documents.version
            try:
                yield
                self._sweep()
            except ValueError:
                if self._documents.version != version:
                    self._documents.restore(version)
                self._sweep()
                raise
            finally:
                self._next_key = None

    def consistently(self, query: Callable[[], T]) -> T:
        """What `query` returns; it is repeated, a few times at most, if another process commits documents meanwhile."""
        for attempt in range(ATTEMPTS):
            version = self._documents.version
            try:
                result = query()
            except (OSError, RuntimeError):  # a file that `compact` has just removed
                if attempt + 1 == ATTEMPTS:
                    raise
                continue
            if self._documents.version == version:
                break
        return result

    def lookup(self, ids: Sequence[str]) -> dict[str, Document]:
        """Documents by id; ids that no document has are left out."""
        keys = list(self._keys_by_id(ids).values())
        return {document.id: document for document in self.documents(keys).values()}

    def write(self, documents: Sequence[EncodedDocument]) -> None:
        """Add documents, and replace those with the same ids. Either all of them are stored or none.

        Call it inside `with store.writing():`.

        Raises:
            ValueError: a vector is not finite, or an id was written before inside the same `writing()`.
        """
        if self._next_key is None:
            raise RuntimeError("write() needs the lock: use it inside `with store.writing():`")
        if not documents:
            return
        if not all(np.isfinite(part).all() for item in documents for part in (item.vectors, item.window_vectors)):
            raise ValueError("a vector is not finite (NaN or infinite); is the model damaged?")
        old_keys = self._keys_by_id(self._distinct_ids(documents))
        repeats = {name for name, key in old_keys.items() if key >= self._first_key}
        if repeats:
            raise ValueError(f"the id {min(repeats)!r} stands twice; ids must differ")
        keys = np.arange(self._next_key, self._next_key + len(documents))
        self._next_key += len(documents)
        with ThreadPoolExecutor(1) as pool:  # so that Ctrl-C waits for commits that have begun
            pool.submit(self._commit, documents, keys, bool(old_keys)).result()
        trim_memory()

    @staticmethod
    def _distinct_ids(documents: Sequence[EncodedDocument]) -> list[str]:
        ids = [item.document.id for item in documents]
        if len(set(ids)) < len(ids):
            name = next(name for name in ids if ids.count(name) > 1)
            raise ValueError(f"the id {name!r} stands twice; ids must differ")
        return ids

    def _commit(self, documents: Sequence[EncodedDocument], keys: np.ndarray, replace: bool) -> None:
        """Write a batch's rows, the documents' last."""
        for name, table in self._vectors.items():
            vectors = vector_rows(documents, keys, table.schema, name)
            if vectors.num_rows:
                table.add(vectors)
        values = metadata_rows(documents, keys, self._metadata.schema)
        if values.num_rows:
            self._metadata.add(values)
        rows = document_rows(documents, keys, self._documents.schema)
        if replace:
            self._documents.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
        else:
            self._documents.add(rows)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents, inside `with store.writing():`; returns how many there were."""
        keys = list(self._keys_by_id(ids).values())
        for where in key_filters(keys):
            self._documents.delete(where)
        return len(keys)

    @property
    def is_behind(self) -> bool:
        """Whether so many vectors are in no vector index that `compact` pays."""
        return any(unindexed_rows(table) >= APPROXIMATE_FROM for table in self._vectors.values())

    def compact(self) -> None:
        """Update the indexes, merge small files, and remove what deletions and killed writers left on disk.

        Call it inside `with store.writing():`.
        """
        tables = (self._documents, *self._vectors.values(), self._metadata)
        columns = [*((table, "key") for table in tables), (self._documents, "id")]
        for table, column in columns:
            if table.count_rows() and not any(index.columns == [column] for index in table.list_indices()):
                table.create_index(column, config=BTree())
        for table in self._vectors.values():
            if table.count_rows() >= APPROXIMATE_FROM and not vector_index(table):
                table.create_index("vector", config=IvfRq(distance_type="dot", num_bits=4))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of other users: writers are locked out, readers try again
            for table in tables:
                table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)

    def nearest(
        self, vector: np.ndarray, limit: int, keys: set[int] | None = None, of: str = "mentions"
    ) -> dict[int, float]:
        """Documents' keys with the dot product of their nearest mention, of the `limit` nearest mentions.

        With `of="windows"` the same of windows. The vector index chooses by 4-bit vectors, so the last of the `limit`
        need not be the nearest. With more than a few `keys` to choose from, the `limit` is of all mentions, and fewer
        than `limit` are returned.
        """
        few = keys is not None and fits_filter(keys)
        query: Any = self._vectors[of].search(vector.astype(np.float32))
        query = query.distance_type("dot").limit(limit)
        query = query.select(["key", "vector", "_distance"])
        if few:
            query = query.where(is_in("key", keys or [-1]), prefilter=True).bypass_vector_index()
        elif vector_index(self._vectors[of]):
            query = query.minimum_nprobes(NPROBES).maximum_nprobes(0)  # 0: more, if these hold too few
        rows = query.to_arrow()
        owners, scores = rows["key"].to_numpy(), dot(rows["vector"], vector)
        if keys is not None and not few:
            selection = np.isin(owners, np.fromiter(keys, np.int64, len(keys)))
            owners, scores = owners[selection], scores[selection]
        order = np.argsort(-scores, kind="stable")
        documents, first = np.unique(owners[order], return_index=True)
        return dict(zip(documents.tolist(), scores[order][first].tolist(), strict=True))

    def matching(self, query: str, limit: int, keys: set[int] | None = None) -> dict[int, float]:
        """Documents' keys with their BM25 score for some words: the best `limit`, or all of `keys` that have a word."""
        words = " ".join(re.findall(r"\w+", query))
        if not words:
            return {}
        # LanceDB can filter first, but would then count how rare a word is among the filtered documents only
        limit = limit if keys is None else max(len(self), 1)
        rows = self._documents.search(words, query_type="fts").select(["key", "_score"]).limit(limit).to_arrow()
        scores = zip(rows["key"].to_pylist(), rows["_score"].to_pylist(), strict=True)
        return {key: score for key, score in scores if keys is None or key in keys}

    def mentions(
        self, keys: Sequence[int], vector: np.ndarray | None = None, of: str = "mentions"
    ) -> dict[int, list[tuple[int, int, float]]]:
        """All mentions (or windows) of some documents: start, end and dot product with `vector`, by their start."""
        mentions: dict[int, list[tuple[int, int, float]]] = {key: [] for key in keys}
        columns = ["key", "start", "end"] + (["vector"] if vector is not None else [])
        for where in key_filters(keys):
            rows = self._vectors[of].search().where(where).select(columns).limit(ALL).to_arrow()
            scores = np.zeros(rows.num_rows) if vector is None else dot(rows["vector"], vector)
            places = (rows[name].to_pylist() for name in ("key", "start", "end"))
            for key, start, end, score in zip(*places, scores.tolist(), strict=True):
                mentions[key].append((start, end, score))
        return {key: sorted(places) for key, places in mentions.items()}

    def sample(self, limit: int) -> tuple[list[tuple[int, int, int]], np.ndarray]:
        """At most `limit` mentions, evenly from the whole index: key, start and end of each, and their vectors.

        The vectors are (mentions, size) float32. An unchanged index gives the same ones every time.
        """
        count = self.count_mentions()
        offsets = np.linspace(0, count - 1, min(limit, count), dtype=int).tolist()
        rows = self._vectors["mentions"].take_offsets(offsets).to_arrow()
        places = zip(*(rows[name].to_pylist() for name in ("key", "start", "end")), strict=True)
        return list(places), as_array(rows["vector"]).astype(np.float32)

    def ids(self, keys: Sequence[int]) -> dict[int, str]:
        """Ids of documents by key; keys that no document has are left out."""
        ids: dict[int, str] = {}
        for where in key_filters(keys):
            rows = self._documents.search().where(where).select(["key", "id"]).limit(ALL).to_arrow()
            ids |= zip(rows["key"].to_pylist(), rows["id"].to_pylist(), strict=True)
        return ids

    def ids_with(self, prefix: str) -> list[str]:
        """Ids of documents that begin with `prefix`, in order."""
        rows = self._documents.search().where(f"starts_with(id, {quote(prefix)})").select(["id"]).limit(ALL)
        return sorted(rows.to_arrow()["id"].to_pylist())

    def documents(self, keys: Sequence[int]) -> dict[int, Document]:
        """Documents by key; keys that no document has are left out."""
        documents = {}
        for where in key_filters(keys):
            rows = self._documents.search().where(where).select(["key", "id", "text", "metadata"]).limit(ALL)
            for row in rows.to_arrow().to_pylist():
                documents[row["key"]] = Document(row["id"], row["text"], json.loads(row["metadata"]))
        return documents

    def filter(self, where: Mapping[str, Any]) -> set[int]:
        """Keys of the documents that satisfy all conditions.

        Args:
            where: `{"year": 1905}`, `{"year": {">=": 1900, "<": 1910}}`, `{"author.name": "Ada"}` (nested),
                `{"date": {">=": date(2020, 5, 1)}}` (dates are ISO strings, and strings compare by code point). A list
                satisfies a comparison if one of its values does. `!=` is the opposite of `==` among documents that have
                the field: `{"tags": {"!=": "sea"}}` finds those with tags none of which is "sea".
                `{"year": {"exists": False}}` finds those without the field, or with null or an empty list in it.

        Raises:
            ValueError: an unknown comparison, or a value that cannot be compared.
        """
        return matching_keys(where, partial(_key_set, self._documents), partial(_key_set, self._metadata))

    def _sweep(self) -> int:
        """Remove rows that belong to no document; returns a key above every key in use."""
        documents = keys_of(self._documents)
        for table in (*self._vectors.values(), self._metadata):
            for where in key_filters(np.setdiff1d(keys_of(table), documents).tolist()):
                table.delete(where)
        return int(documents.max(initial=0)) + 1

    def _keys_by_id(self, ids: Sequence[str]) -> dict[str, int]:
        """Keys of documents by id; ids that no document has are left out."""
        keys: dict[str, int] = {}
        for part in chunks(ids):
            rows = self._documents.search().where(is_in("id", map(quote, part))).select(["id", "key"]).limit(ALL)
            table = rows.to_arrow()
            keys |= zip(table["id"].to_pylist(), table["key"].to_pylist(), strict=True)
        return keys


def _key_set(table: Any, where: str | None) -> set[int]:
    return set(keys_of(table, where).tolist())
