"""The index's tables in LanceDB: their columns, the rows of a batch, and reading columns back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..documents import EncodedDocument
from ..metadata import flatten, to_json
from .engine import FTS, lancedb

CHUNK = 5_000  # keys of one filter expression
ALL = 2**31 - 1  # rows; LanceDB would return ten
INDEX_CACHE, FILE_CACHE = 2 << 30, 8 << 20  # bytes; the latter fills up while documents are added


def connect(path: Path, **options: Any) -> lancedb.DBConnection:
    """A connection to the tables in a folder."""
    session = lancedb.Session(index_cache_size_bytes=INDEX_CACHE, metadata_cache_size_bytes=FILE_CACHE)
    return lancedb.connect(path, session=session, **options)


def make_tables(path: Path, size: int) -> None:
    """Make the empty tables for vectors of `size` numbers; keep those that a killed attempt has left."""
    key, text, number = ("key", pa.int64()), pa.string(), pa.int64()
    vector = ("vector", pa.list_(pa.float16(), size))
    columns: dict[str, list[Any]] = {
        "documents": [key, ("id", text), ("text", text), ("metadata", text)],
        "mentions": [key, ("start", number), ("end", number), vector],
        "windows": [key, ("start", number), ("end", number), vector],
        "metadata": [key, ("name", text), ("text", text), ("number", pa.float64())],
    }
    database = connect(path)
    for name, fields in columns.items():
        table = database.create_table(name, schema=pa.schema(fields), exist_ok=True)
        if name == "documents":
            table.create_index("text", config=FTS(), replace=True)


def vector_rows(documents: Sequence[EncodedDocument], keys: np.ndarray, schema: pa.Schema, name: str) -> pa.Table:
    """Rows of the table `name`, mentions or windows."""
    size = schema.field("vector").type.list_size
    parts = [
        (document.mentions, document.vectors) if name == "mentions" else (document.windows, document.window_vectors)
        for document in documents
    ]
    vectors = np.concatenate([vectors.reshape(-1, size) for _, vectors in parts]).astype(np.float16)
    columns = {
        "key": np.repeat(keys, [len(spans) for spans, _ in parts]),
        "start": [span.start for spans, _ in parts for span in spans],
        "end": [span.end for spans, _ in parts for span in spans],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), size),
    }
    return pa.table(columns, schema=schema)


def metadata_rows(documents: Sequence[EncodedDocument], keys: np.ndarray, schema: pa.Schema) -> pa.Table:
    """Rows of the table of metadata, one for each value."""
    rows = [
        {"key": key, "name": name, "text": text, "number": number}
        for key, document in zip(keys.tolist(), documents, strict=True)
        for name, text, number in flatten(document.document.metadata)
    ]
    return pa.Table.from_pylist(rows, schema=schema)


def document_rows(documents: Sequence[EncodedDocument], keys: np.ndarray, schema: pa.Schema) -> pa.Table:
    """Rows of the table of documents."""
    columns = {
        "key": keys,
        "id": [document.document.id for document in documents],
        "text": [document.document.text for document in documents],
        "metadata": [to_json(document.document.metadata) for document in documents],
    }
    return pa.table(columns, schema=schema)


def vector_index(table: Any) -> str | None:
    """The name of a table's vector index, if there is one."""
    return next((index.name for index in table.list_indices() if index.columns == ["vector"]), None)


def unindexed_rows(table: Any) -> int:
    """How many rows of a table are in no vector index."""
    name = vector_index(table)
    statistics = table.index_stats(name) if name else None
    return statistics.num_unindexed_rows if statistics else table.count_rows()


def keys_of(table: Any, where: str | None = None) -> np.ndarray:
    """Keys of a table's rows."""
    rows = table.search().select(["key"]).limit(ALL)
    return (rows.where(where) if where else rows).to_arrow()["key"].to_numpy()


def dot(vectors: pa.ChunkedArray, query: np.ndarray) -> np.ndarray:
    """Dot products of stored half-precision vectors with a query. (rows,) float32."""
    # not `vectors @ query`, whose last digit depends on a row's place: equal vectors must have equal scores
    return (as_array(vectors).astype(np.float32) * query.astype(np.float32)).sum(1)


def as_array(vectors: pa.ChunkedArray) -> np.ndarray:
    """Stored vectors as an array. (rows, size) float16."""
    parts = [chunk.flatten().to_numpy() for chunk in vectors.chunks] or [np.zeros(0, np.float16)]
    return np.concatenate(parts).reshape(-1, vectors.type.list_size)


def is_in(column: str, values: Iterable[Any]) -> str:
    """The SQL condition that a column has one of some values."""
    return f"{column} IN ({', '.join(map(str, values))})"


def key_filters(keys: Iterable[int]) -> list[str]:
    """SQL conditions that together select rows with these keys."""
    return [is_in("key", part) for part in chunks(sorted(keys))]


def fits_filter(values: Collection[Any]) -> bool:
    """Whether one filter expression can list some values."""
    return len(values) <= CHUNK


def chunks(items: Sequence[Any]) -> list[Sequence[Any]]:
    """Items in parts that fit one filter expression."""
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
