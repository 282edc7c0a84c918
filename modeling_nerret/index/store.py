"""The index on disk: documents, mentions, windows and metadata in LanceDB. Knows no model.

Four tables: `documents` (one row each, full-text index), `mentions` and `windows` (one row each, with its vector; texts
are embedded window by window) and `metadata` (one row for each value, so that filters need no schema). Rows belong
together by `key`, a number that every written version of a document gets anew. A document exists from the moment when
its row in `documents` is committed, the last commit of a batch: rows of other tables whose key is not there are remains
of a replaced document, a deleted one or an interrupted write. Readers pass over them, and `Store.writing` removes them
when it begins and when it ends.
"""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("LANCEDB_LOG", "error")  # read at import; it warns of corpora with many equal mentions

import lancedb
import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout
from lancedb.index import FTS, BTree, IvfRq

from ..documents import Document, EncodedDocument
from ..metadata import flatten, to_json
from .filters import COMPARISONS, OPERATORS, condition, quote
from .memory import trim_memory

T = TypeVar("T")

FORMAT = 2
TABLES = ("documents", "mentions", "windows", "metadata")
MANIFEST, LOCK = "nerret.json", "write.lock"
APPROXIMATE_FROM = 20_000  # mentions; below, an exact scan is fast enough
CHUNK = 5_000  # keys of one filter expression
ATTEMPTS = 5  # to read between two commits of another process
NPROBES = 64  # partitions (of some 8,000 mentions) that a search reads at least
_ALL = 2**31 - 1  # rows; LanceDB would return ten
INDEX_CACHE, FILE_CACHE = 2 << 30, 8 << 20  # bytes; the latter fills up while documents are added

_REASONS = {  # words of the storage engine and of the system: what is wrong and what to do
    "No space left": "the disk is full; make room",
    "File too large": "a file would be larger than this system allows; raise the limit (ulimit -f)",
    "Disk quota": "the disk quota is used up; make room",
    "Read-only file system": "the folder is read-only; choose another path or remount it",
    "Permission denied": "there is no permission to write here; choose another path or change the folder's owner",
}


class Store:
    """One index folder.

    Args:
        path: the folder.

    Raises:
        ValueError: the path is no index, or one of another format.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.manifest = _read_manifest(self.path)
        # an interval of zero: every look sees what other processes have committed
        database = _connect(self.path, read_consistency_interval=timedelta(0))
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
        """Make an empty index for vectors of `size` numbers; one that another process has just made is opened.

        Raises:
            ValueError: something else is at the path.
            OSError: the folder cannot be written.
        """
        path = Path(path)
        if not is_vacant(path) and not (path / MANIFEST).exists():
            raise ValueError(f"{path} exists and is no nerret index; choose a new path")
        with _explained(path):
            path.mkdir(parents=True, exist_ok=True)
            with _lock(path):
                if not (path / MANIFEST).exists():
                    _make_tables(path, size)
                    _write_manifest(path, {"format": FORMAT, "size": size, **manifest})
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
        """Be the one writer: others wait `timeout` seconds, and a `ValueError` inside takes back what was written.

        Raises:
            RuntimeError: another process still writes.
            OSError: the disk is full or the folder read-only; what was committed is kept.
        """
        with _explained(self.path), _lock(self.path, timeout):
            self._first_key = self._next_key = self._sweep()
            before = self._documents.version
            try:
                yield
                self._sweep()
            except ValueError:
                if self._documents.version != before:
                    self._documents.restore(before)
                self._sweep()
                raise
            finally:
                self._next_key = None

    def consistently(self, read: Callable[[], T]) -> T:
        """What `read` returns, read again if another process committed documents meanwhile (a few times at most)."""
        for attempt in range(ATTEMPTS):
            before = self._documents.version
            try:
                result = read()
            except (OSError, RuntimeError):  # a file that `compact` has just removed
                if attempt + 1 == ATTEMPTS:
                    raise
                continue
            if self._documents.version == before:
                break
        return result

    def lookup(self, ids: Sequence[str]) -> dict[str, Document]:
        """Those of the documents with these ids that are there, by id."""
        keys = list(self._keys_of(ids).values())
        return {document.id: document for document in self.documents(keys).values()}

    def write(self, encoded: Sequence[EncodedDocument]) -> None:
        """Add documents, each in the place of what has its id. All of them are there afterwards, or none.

        Call it inside `with store.writing():`.

        Raises:
            ValueError: a vector is not finite, or an id was written before inside the same `writing()`.
        """
        if self._next_key is None:
            raise RuntimeError("write() needs the lock: use it inside `with store.writing():`")
        if not encoded:
            return
        if not all(np.isfinite(part).all() for one in encoded for part in (one.vectors, one.window_vectors)):
            raise ValueError("a vector is not finite (NaN or infinite); is the model damaged?")
        ids = [one.document.id for one in encoded]
        there = self._keys_of(ids)
        twice = {name for name, key in there.items() if key >= self._first_key}
        if twice or len(set(ids)) < len(ids):
            name = min(twice) if twice else next(name for name in ids if ids.count(name) > 1)
            raise ValueError(f"the id {name!r} stands twice; ids must differ")
        keys = np.arange(self._next_key, self._next_key + len(encoded))
        self._next_key += len(encoded)
        with ThreadPoolExecutor(1) as pool:  # so that Ctrl-C waits for commits that have begun
            pool.submit(self._commit, encoded, keys, bool(there)).result()
        trim_memory()

    def _commit(self, encoded: Sequence[EncodedDocument], keys: np.ndarray, replacing: bool) -> None:
        """Write a batch's rows, the documents' last."""
        for name, table in self._vectors.items():
            places = _vector_rows(encoded, keys, table.schema, name)
            if places.num_rows:
                table.add(places)
        values = _metadata_rows(encoded, keys, self._metadata.schema)
        if values.num_rows:
            self._metadata.add(values)
        rows = _document_rows(encoded, keys, self._documents.schema)
        if replacing:
            self._documents.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
        else:
            self._documents.add(rows)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents, inside `with store.writing():`; returns how many were there."""
        keys = list(self._keys_of(ids).values())
        for where in _key_filters(keys):
            self._documents.delete(where)
        return len(keys)

    @property
    def is_behind(self) -> bool:
        """Whether so many vectors are not in a vector index that `compact` pays."""
        return any(_unindexed(table) >= APPROXIMATE_FROM for table in self._vectors.values())

    def compact(self) -> None:
        """Bring the indexes up to date, merge small files, and remove what deletions and killed writers left on disk.

        Call it inside `with store.writing():`.
        """
        tables = (self._documents, *self._vectors.values(), self._metadata)
        keyed = [(table, "key") for table in tables]
        for table, column in [*keyed, (self._documents, "id")]:
            if table.count_rows() and not any(index.columns == [column] for index in table.list_indices()):
                table.create_index(column, config=BTree())
        for table in self._vectors.values():
            if table.count_rows() >= APPROXIMATE_FROM and not _vector_index(table):
                table.create_index("vector", config=IvfRq(distance_type="dot", num_bits=4))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of other users: writers are locked out, readers try again
            for table in tables:
                table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)

    def nearest(
        self, vector: np.ndarray, limit: int, keys: set[int] | None = None, of: str = "mentions"
    ) -> dict[int, float]:
        """Documents' keys with the dot product of their nearest mention, of the `limit` nearest mentions.

        With `of="windows"` the same of windows. The vector index chooses by 4-bit vectors, so that those at the end of
        the `limit` are not surely the nearest.
        With more than a few `keys` to choose from, the `limit` is of all mentions, and fewer than `limit` are chosen.
        """
        few = keys is not None and len(keys) <= CHUNK
        query: Any = self._vectors[of].search(vector.astype(np.float32))
        query = query.distance_type("dot").limit(limit)
        query = query.select(["key", "vector", "_distance"])
        if few:
            query = query.where(_in("key", keys or [-1]), prefilter=True).bypass_vector_index()
        elif _vector_index(self._vectors[of]):
            query = query.minimum_nprobes(NPROBES).maximum_nprobes(0)  # 0: more, where these hold too few
        rows = query.to_arrow()
        found, scores = rows["key"].to_numpy(), _dot(rows["vector"], vector)
        if keys is not None and not few:
            chosen = np.isin(found, np.fromiter(keys, np.int64, len(keys)))
            found, scores = found[chosen], scores[chosen]
        order = np.argsort(-scores, kind="stable")
        unique, first = np.unique(found[order], return_index=True)
        return dict(zip(unique.tolist(), scores[order][first].tolist(), strict=True))

    def matching(self, words: str, limit: int, keys: set[int] | None = None) -> dict[int, float]:
        """Documents' keys with their BM25 score for some words, the best `limit`, or all of `keys` that have them."""
        plain = " ".join(re.findall(r"\w+", words))
        if not plain:
            return {}
        # LanceDB can filter first, but would then count how rare a word is among the filtered documents only
        limit = limit if keys is None else max(len(self), 1)
        rows = self._documents.search(plain, query_type="fts").select(["key", "_score"]).limit(limit).to_arrow()
        found = zip(rows["key"].to_pylist(), rows["_score"].to_pylist(), strict=True)
        return {key: score for key, score in found if keys is None or key in keys}

    def mentions(
        self, keys: Sequence[int], vector: np.ndarray | None = None, of: str = "mentions"
    ) -> dict[int, list[tuple[int, int, float]]]:
        """All mentions (or windows) of some documents: start, end and dot product with `vector`, by their start."""
        found: dict[int, list[tuple[int, int, float]]] = {key: [] for key in keys}
        columns = ["key", "start", "end"] + (["vector"] if vector is not None else [])
        for where in _key_filters(keys):
            rows = self._vectors[of].search().where(where).select(columns).limit(_ALL).to_arrow()
            scores = np.zeros(rows.num_rows) if vector is None else _dot(rows["vector"], vector)
            places = (rows[name].to_pylist() for name in ("key", "start", "end"))
            for key, start, end, score in zip(*places, scores.tolist(), strict=True):
                found[key].append((start, end, score))
        return {key: sorted(mentions) for key, mentions in found.items()}

    def sample(self, limit: int) -> tuple[list[tuple[int, int, int]], np.ndarray]:
        """Some mentions, at most `limit`, evenly from the whole index: key, start and end, and their vectors.

        The vectors are (mentions, size) float32. An unchanged index gives the same ones every time.
        """
        count = self.count_mentions()
        rows = (
            self._vectors["mentions"]
            .take_offsets(np.linspace(0, count - 1, min(limit, count), dtype=int).tolist())
            .to_arrow()
        )
        places = zip(*(rows[name].to_pylist() for name in ("key", "start", "end")), strict=True)
        return list(places), _rows(rows["vector"]).astype(np.float32)

    def ids(self, keys: Sequence[int]) -> dict[int, str]:
        """Ids of documents by key; keys that no document has are left out."""
        found: dict[int, str] = {}
        for where in _key_filters(keys):
            rows = self._documents.search().where(where).select(["key", "id"]).limit(_ALL).to_arrow()
            found |= zip(rows["key"].to_pylist(), rows["id"].to_pylist(), strict=True)
        return found

    def documents(self, keys: Sequence[int]) -> dict[int, Document]:
        """Documents by key; keys that no document has are left out."""
        found = {}
        for where in _key_filters(keys):
            rows = self._documents.search().where(where).select(["key", "id", "text", "metadata"]).limit(_ALL)
            for row in rows.to_arrow().to_pylist():
                found[row["key"]] = Document(row["id"], row["text"], json.loads(row["metadata"]))
        return found

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
        keys: set[int] | None = None
        for name, tests in where.items():
            for operator, value in (tests if isinstance(tests, Mapping) else {"==": tests}).items():
                found = self._keys_where(name, operator, value)
                keys = found if keys is None else keys & found
        return set() if keys is None else keys

    def _keys_where(self, name: str, operator: str, value: Any) -> set[int]:
        if operator not in OPERATORS:
            raise ValueError(f"unknown comparison {operator!r} for {name!r}; accepted are {', '.join(OPERATORS)}")
        if operator == "!=":
            return self._keys_where(name, "exists", True) - self._keys_where(name, "==", value)
        if operator == "exists" and not isinstance(value, bool):
            raise ValueError(f"the filter on {name!r} says exists: {value!r:.60}; accepted are true and false")
        test = condition(name, operator, value) if operator in COMPARISONS else f"name = {quote(name)}"
        found = set(_keys(self._metadata, test).tolist())
        return set(_keys(self._documents).tolist()) - found if operator == "exists" and not value else found

    def _sweep(self) -> int:
        """Remove rows that belong to no document; returns a key above every one in use."""
        committed = _keys(self._documents)
        for table in (*self._vectors.values(), self._metadata):
            for where in _key_filters(np.setdiff1d(_keys(table), committed).tolist()):
                table.delete(where)
        return int(committed.max(initial=0)) + 1

    def _keys_of(self, ids: Sequence[str]) -> dict[str, int]:
        """Keys of those of the documents with these ids that are there."""
        found: dict[str, int] = {}
        for some in _chunks(ids):
            rows = self._documents.search().where(_in("id", map(quote, some))).select(["id", "key"]).limit(_ALL)
            table = rows.to_arrow()
            found |= zip(table["id"].to_pylist(), table["key"].to_pylist(), strict=True)
        return found


def is_vacant(path: str | Path) -> bool:
    """Whether an index can be made here: nothing is there, an empty folder, or what a killed making left."""
    path = Path(path)
    if not path.exists():
        return True
    if not path.is_dir():
        return False
    names = {entry.name for entry in path.iterdir()}
    ours = {LOCK, f"{MANIFEST}.new", *(f"{table}.lance" for table in TABLES)}
    return not names or (LOCK in names and names <= ours)


def _read_manifest(path: Path) -> dict[str, Any]:
    manifest = path / MANIFEST
    if not manifest.is_file():
        kind = "a file" if path.is_file() else "a folder" if path.exists() else "nothing"
        kind = "one whose making was interrupted" if path.exists() and is_vacant(path) and any(path.iterdir()) else kind
        raise ValueError(f"{path} is no nerret index ({kind} is there); make one with: nerret index CORPUS {path}")
    try:
        fields = json.loads(manifest.read_text(encoding="utf-8"))
        found = fields["format"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{manifest} is damaged; index its corpus again under a new path") from None
    if found != FORMAT:
        raise ValueError(
            f"{path} has index format {found}, this version of nerret reads {FORMAT}; "
            "index its corpus again under a new path: nerret index CORPUS NEW_PATH"
        )
    return fields


def _write_manifest(path: Path, fields: Mapping[str, Any]) -> None:
    """Put the manifest in its place whole: it says that the index is complete."""
    new = path / f"{MANIFEST}.new"
    with new.open("w", encoding="utf-8") as file:
        file.write(json.dumps(fields, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path / MANIFEST)


def _connect(path: Path, **options: Any) -> lancedb.DBConnection:
    session = lancedb.Session(index_cache_size_bytes=INDEX_CACHE, metadata_cache_size_bytes=FILE_CACHE)
    return lancedb.connect(path, session=session, **options)


def _make_tables(path: Path, size: int) -> None:
    """Make the empty tables, those that a killed making has left excepted."""
    key, text, number = ("key", pa.int64()), pa.string(), pa.int64()
    vector = ("vector", pa.list_(pa.float16(), size))
    columns: dict[str, list[Any]] = {
        "documents": [key, ("id", text), ("text", text), ("metadata", text)],
        "mentions": [key, ("start", number), ("end", number), vector],
        "windows": [key, ("start", number), ("end", number), vector],
        "metadata": [key, ("name", text), ("text", text), ("number", pa.float64())],
    }
    database = _connect(path)
    for name, fields in columns.items():
        table = database.create_table(name, schema=pa.schema(fields), exist_ok=True)
        if name == "documents":
            table.create_index("text", config=FTS(), replace=True)


@contextmanager
def _lock(path: Path, timeout: float = 10.0) -> Iterator[None]:
    try:
        with FileLock(path / LOCK, timeout=timeout):
            yield
    except Timeout:
        raise RuntimeError(f"another process writes to {path}; try again when it is done") from None


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Put a full disk and a read-only folder into plain words."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = next((reason for words, reason in _REASONS.items() if words in str(error)), None)
        if reason is None:
            raise
        raise OSError(f"{path}: {reason} and run this again; what was committed is kept") from error


def _vector_rows(encoded: Sequence[EncodedDocument], keys: np.ndarray, schema: pa.Schema, of: str) -> pa.Table:
    """Rows of the table `of`, mentions or windows."""
    size = schema.field("vector").type.list_size
    own = [(one.mentions, one.vectors) if of == "mentions" else (one.windows, one.window_vectors) for one in encoded]
    vectors = np.concatenate([vectors.reshape(-1, size) for _, vectors in own]).astype(np.float16)
    spans = [span for found, _ in own for span in found]
    columns = {
        "key": np.repeat(keys, [len(found) for found, _ in own]),
        "start": [span.start for span in spans],
        "end": [span.end for span in spans],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), size),
    }
    return pa.table(columns, schema=schema)


def _metadata_rows(encoded: Sequence[EncodedDocument], keys: np.ndarray, schema: pa.Schema) -> pa.Table:
    rows = [
        {"key": key, "name": name, "text": text, "number": number}
        for key, one in zip(keys.tolist(), encoded, strict=True)
        for name, text, number in flatten(one.document.metadata)
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def _document_rows(encoded: Sequence[EncodedDocument], keys: np.ndarray, schema: pa.Schema) -> pa.Table:
    documents = [one.document for one in encoded]
    columns = {
        "key": keys,
        "id": [document.id for document in documents],
        "text": [document.text for document in documents],
        "metadata": [to_json(document.metadata) for document in documents],
    }
    return pa.table(columns, schema=schema)


def _vector_index(table: Any) -> str | None:
    """The name of a table's vector index, if there is one."""
    return next((index.name for index in table.list_indices() if index.columns == ["vector"]), None)


def _unindexed(table: Any) -> int:
    """How many rows of a table are in no vector index."""
    index = _vector_index(table)
    state = table.index_stats(index) if index else None
    return state.num_unindexed_rows if state else table.count_rows()


def _keys(table: Any, where: str | None = None) -> np.ndarray:
    """Keys of a table's rows."""
    rows = table.search().select(["key"]).limit(_ALL)
    return (rows.where(where) if where else rows).to_arrow()["key"].to_numpy()


def _dot(vectors: pa.ChunkedArray, query: np.ndarray) -> np.ndarray:
    """Dot products of stored half-precision vectors with a query. (rows,) float32."""
    # not `rows @ query`, whose last digit depends on a row's place: equal vectors must have equal scores
    return (_rows(vectors).astype(np.float32) * query.astype(np.float32)).sum(1)


def _rows(vectors: pa.ChunkedArray) -> np.ndarray:
    """Stored vectors as an array. (rows, size) float16"""
    parts = [chunk.flatten().to_numpy() for chunk in vectors.chunks] or [np.zeros(0, np.float16)]
    return np.concatenate(parts).reshape(-1, vectors.type.list_size)


def _in(column: str, values: Iterable[Any]) -> str:
    return f"{column} IN ({', '.join(map(str, values))})"


def _key_filters(keys: Iterable[int]) -> list[str]:
    return [_in("key", some) for some in _chunks(sorted(keys))]


def _chunks(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[at : at + CHUNK] for at in range(0, len(items), CHUNK)]
