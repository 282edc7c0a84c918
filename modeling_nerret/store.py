"""The index on disk: documents, mentions and metadata in LanceDB. Knows no model.

Three tables: `documents` (one row each, full-text index), `mentions` (one row each, with its vector) and `metadata` (one
row for each value, so that filters need no schema). Rows belong together by `key`, a number that every written version
of a document gets anew. A document exists from the moment when its row in `documents` is committed, which is the last of
a batch's three commits: rows of other tables whose key is not there are remains of an interrupted write, which readers
pass over and the next writer removes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout
from lancedb.index import FTS, BTree, IvfRq

from .documents import Document
from .encoding import EncodedDocument

FORMAT = 1
MANIFEST = "nerret.json"
APPROXIMATE_FROM = 20_000  # mentions; below, an exact scan is fast enough
CHUNK = 5_000  # keys of one filter expression

_OPERATORS = {"==": "=", "!=": "!=", ">=": ">=", "<=": "<=", ">": ">", "<": "<"}


class Store:
    """One index folder.

    Args:
        path: the folder.

    Raises:
        ValueError: the path is no index, or one of another format.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        manifest = self.path / MANIFEST
        if not manifest.is_file():
            kind = "a file" if self.path.is_file() else "a folder" if self.path.exists() else "nothing"
            raise ValueError(
                f"{self.path} is no nerret index ({kind} is there); make one with: nerret index CORPUS {self.path}"
            )
        try:
            self.manifest: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
            found = self.manifest["format"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{manifest} is damaged; make the index again from its corpus") from None
        if found != FORMAT:
            raise ValueError(
                f"{self.path} has index format {found}, this version of nerret reads {FORMAT}; "
                f"make the index again with: nerret index CORPUS {self.path}"
            )
        # every look sees what other processes have committed
        database = lancedb.connect(self.path, read_consistency_interval=timedelta(0))
        self._next_key: int | None = None
        self._documents = database.open_table("documents")
        self._mentions = database.open_table("mentions")
        self._metadata = database.open_table("metadata")

    @classmethod
    def create(cls, path: str | Path, size: int, **manifest: Any) -> Store:
        """Make an empty index for vectors of `size` numbers.

        Raises:
            ValueError: something else is at the path.
        """
        path = Path(path)
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            raise ValueError(f"{path} exists and is no nerret index; choose a new path")
        path.mkdir(parents=True, exist_ok=True)
        database = lancedb.connect(path)
        key = pa.field("key", pa.int64())
        documents = database.create_table(
            "documents", schema=pa.schema([key, ("id", pa.string()), ("text", pa.string()), ("metadata", pa.string())])
        )
        documents.create_index("text", config=FTS())
        database.create_table(
            "mentions",
            schema=pa.schema(
                [key, ("start", pa.int64()), ("end", pa.int64()), ("vector", pa.list_(pa.float16(), size))]
            ),
        )
        database.create_table(
            "metadata",
            schema=pa.schema([key, ("name", pa.string()), ("text", pa.string()), ("number", pa.float64())]),
        )
        manifest = {"format": FORMAT, "size": size, **manifest}
        (path / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        return cls(path)

    def __len__(self) -> int:
        """Number of documents."""
        return self._documents.count_rows()

    def count_mentions(self) -> int:
        """Number of mentions."""
        return self._mentions.count_rows()

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
        """
        lock = FileLock(self.path / "write.lock")
        try:
            lock.acquire(timeout=timeout)
        except Timeout:
            raise RuntimeError(f"another process writes to {self.path}; try again when it is done") from None
        try:
            self._next_key = self._recover()
            before = [table.version for table in self._tables]
            yield
        except ValueError:
            for table, version in zip(self._tables, before, strict=True):
                if table.version != version:
                    table.restore(version)
            raise
        finally:
            self._next_key = None
            lock.release()

    def lookup(self, ids: Sequence[str]) -> dict[str, Document]:
        """Those of the documents with these ids that are there, by id."""
        return {document.id: document for document in self.documents(self._keys_of(ids)).values()}

    def write(self, encoded: Sequence[EncodedDocument]) -> None:
        """Add documents, each in the place of what has its id. All of them are there afterwards, or none.

        Call it inside `with store.writing():`.

        Raises:
            ValueError: a vector is not finite.
        """
        ids = [one.document.id for one in encoded]
        if not all(np.isfinite(one.vectors).all() for one in encoded):
            raise ValueError("a vector is not finite (NaN or infinite); is the model damaged?")
        if self._next_key is None:
            raise RuntimeError("write() needs the lock: use it inside `with store.writing():`")
        keys = list(range(self._next_key, self._next_key + len(encoded)))
        self._next_key += len(encoded)
        old = self._keys_of(ids)
        counts = [len(one.mentions) for one in encoded]
        size = self.manifest["size"]
        vectors = np.concatenate([one.vectors.reshape(-1, size) for one in encoded]).astype(np.float16)
        spans = [span for one in encoded for span in one.mentions]
        if spans:
            self._mentions.add(
                pa.table(
                    {
                        "key": np.repeat(np.asarray(keys), counts),
                        "start": [span.start for span in spans],
                        "end": [span.end for span in spans],
                        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), size),
                    },
                    schema=self._mentions.schema,
                )
            )
        values = [row for key, one in zip(keys, encoded, strict=True) for row in _flatten(key, one.document.metadata)]
        if values:
            self._metadata.add(pa.Table.from_pylist(values, schema=self._metadata.schema))
        rows = pa.table(
            {
                "key": keys,
                "id": ids,
                "text": [one.document.text for one in encoded],
                "metadata": [json.dumps(one.document.metadata, ensure_ascii=False, default=str) for one in encoded],
            },
            schema=self._documents.schema,
        )
        self._documents.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
        self._drop(old)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents; returns how many were there."""
        keys = self._keys_of(ids)
        for some in _chunks(keys):
            self._documents.delete(f"key IN ({', '.join(map(str, some))})")
        self._drop(keys)
        return len(keys)

    def optimize(self, keep: timedelta = timedelta(minutes=10)) -> None:
        """Bring the indexes up to date and merge small files; versions older than `keep` are removed from disk."""
        for table in (self._mentions, self._metadata):
            if table.count_rows() and not any(index.columns == ["key"] for index in table.list_indices()):
                table.create_index("key", config=BTree())
        if self.count_mentions() >= APPROXIMATE_FROM and not self._approximate():
            self._mentions.create_index("vector", config=IvfRq(distance_type="dot", num_bits=4))
        for table in self._tables:
            table.optimize(cleanup_older_than=keep)

    def nearest(self, vector: np.ndarray, limit: int, keys: Iterable[int] | None = None) -> dict[int, float]:
        """Documents' keys with the dot product of their nearest mention, of the `limit` nearest mentions."""
        best: dict[int, float] = {}
        for where in _key_filters(keys):
            query = self._mentions.search(vector.astype(np.float32)).distance_type("dot").limit(limit)
            query = query.select(["key", "vector", "_distance"])
            if self._approximate():
                query = query.nprobes(64).refine_factor(4)
            rows = (query.where(where, prefilter=True) if where else query).to_arrow()
            scores = _dot(rows["vector"], vector)
            for key, score in zip(rows["key"].to_pylist(), scores, strict=True):
                if score > best.get(key, -np.inf):
                    best[key] = score
        return best

    def matching(self, words: str, limit: int, keys: Iterable[int] | None = None) -> dict[int, float]:
        """Documents' keys with their BM25 score for some words, the best `limit`."""
        found: dict[int, float] = {}
        plain = " ".join(re.findall(r"\w+", words))
        if not plain:
            return found
        for where in _key_filters(keys):
            query = self._documents.search(plain, query_type="fts").select(["key", "_score"]).limit(limit)
            rows = (query.where(where, prefilter=True) if where else query).to_arrow()
            found |= dict(zip(rows["key"].to_pylist(), rows["_score"].to_pylist(), strict=True))
        return found

    def mentions(
        self, keys: Sequence[int], vector: np.ndarray | None = None
    ) -> dict[int, list[tuple[int, int, float]]]:
        """All mentions of some documents, as start, end and dot product with `vector`, in order of their start."""
        found: dict[int, list[tuple[int, int, float]]] = {key: [] for key in keys}
        for some in _chunks(list(keys)):
            query = self._mentions.search().where(f"key IN ({', '.join(map(str, some))})")
            columns = ["key", "start", "end"] + (["vector"] if vector is not None else [])
            rows = query.select(columns).limit(self.count_mentions()).to_arrow()
            scores = [0.0] * rows.num_rows if vector is None else _dot(rows["vector"], vector)
            for key, *mention in zip(
                *(rows[name].to_pylist() for name in ("key", "start", "end")), scores, strict=True
            ):
                found[key].append(tuple(mention))
        return {key: sorted(mentions) for key, mentions in found.items()}

    def documents(self, keys: Sequence[int]) -> dict[int, Document]:
        """Documents by key; keys that no document has are left out."""
        found = {}
        for some in _chunks(list(keys)):
            query = self._documents.search().where(f"key IN ({', '.join(map(str, some))})").limit(len(some))
            for row in query.select(["key", "id", "text", "metadata"]).to_arrow().to_pylist():
                found[row["key"]] = Document(row["id"], row["text"], json.loads(row["metadata"]))
        return found

    def filter(self, where: Mapping[str, Any]) -> set[int]:
        """Keys of the documents that satisfy all conditions.

        Args:
            where: `{"year": 1905}`, `{"year": {">=": 1900, "<": 1910}}`, `{"tags": "sea"}` (any value of a list),
                `{"author.name": "Ada"}` (nested); strings compare by code point, so ISO dates by time.
        """
        keys: set[int] | None = None
        for name, condition in where.items():
            tests = condition if isinstance(condition, Mapping) else {"==": condition}
            for operator, value in tests.items():
                found = self._keys_where(name, operator, value)
                keys = found if keys is None else keys & found
        return set() if keys is None else keys

    def _keys_where(self, name: str, operator: str, value: Any) -> set[int]:
        if operator not in _OPERATORS:
            raise ValueError(f"unknown comparison {operator!r} for {name!r}; accepted are {', '.join(_OPERATORS)}")
        if isinstance(value, bool) or value is None:
            value = json.dumps(value)
        if isinstance(value, (int, float)):
            test = f"number {_OPERATORS[operator]} {float(value)!r}"
        elif isinstance(value, str):
            test = f"text {_OPERATORS[operator]} {_quote(value)}"
        else:
            raise ValueError(
                f"the filter on {name!r} compares with {value!r:.60}; accepted are strings, numbers and true/false"
            )
        query = self._metadata.search().where(f"name = {_quote(name)} AND {test}").select(["key"])
        return set(query.limit(max(self._metadata.count_rows(), 1)).to_arrow()["key"].to_pylist())

    def _approximate(self) -> bool:
        return any(index.columns == ["vector"] for index in self._mentions.list_indices())

    @property
    def _tables(self) -> tuple[Any, Any, Any]:
        return self._documents, self._mentions, self._metadata

    def _recover(self) -> int:
        """Remove the remains of interrupted writes; returns a key above every one in use."""
        committed = _keys(self._documents)
        for table in (self._mentions, self._metadata):
            self._drop(np.setdiff1d(_keys(table), committed).tolist())
        return int(committed.max(initial=0)) + 1

    def _keys_of(self, ids: Sequence[str]) -> list[int]:
        keys: list[int] = []
        for some in _chunks(list(ids)):
            query = self._documents.search().where(f"id IN ({', '.join(map(_quote, some))})")
            keys += query.select(["key"]).limit(len(some)).to_arrow()["key"].to_pylist()
        return keys

    def _drop(self, keys: Sequence[int]) -> None:
        for some in _chunks(list(keys)):
            for table in (self._mentions, self._metadata):
                table.delete(f"key IN ({', '.join(map(str, some))})")


def _keys(table: Any) -> np.ndarray:
    """All keys of a table."""
    return table.search().select(["key"]).limit(max(table.count_rows(), 1)).to_arrow()["key"].to_numpy()


def _dot(vectors: pa.ChunkedArray, query: np.ndarray) -> list[float]:
    """Dot products of stored half-precision vectors with a query, in float32."""
    flat = vectors.combine_chunks()
    rows = flat.values.to_numpy(zero_copy_only=False)[flat.offset * flat.type.list_size :].reshape(
        -1, flat.type.list_size
    )
    return [float(score) for score in rows[: len(flat)].astype(np.float32) @ query.astype(np.float32)]


def _flatten(key: int, value: Any, name: str = "") -> Iterable[dict[str, Any]]:
    """Metadata as rows: nested names joined by dots, each value of a list a row of its own."""
    if isinstance(value, Mapping):
        for inner, one in value.items():
            yield from _flatten(key, one, f"{name}.{inner}" if name else str(inner))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _flatten(key, one, name)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield {"key": key, "name": name, "text": None, "number": float(value)}
    else:
        yield {
            "key": key,
            "name": name,
            "text": value if isinstance(value, str) else json.dumps(value, default=str),
            "number": None,
        }


def _key_filters(keys: Iterable[int] | None) -> Iterable[str | None]:
    if keys is None:
        return [None]
    return [f"key IN ({', '.join(map(str, some))})" for some in _chunks(sorted(keys))]


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return [items[at : at + CHUNK] for at in range(0, len(items), CHUNK)]


def _quote(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
