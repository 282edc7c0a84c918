"""The index's tables in LanceDB: their columns, the rows of a batch, and reading columns back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..documents import EncodedDocument
from ..metadata import flatten, to_json
from .engine import FTS, BTree, connect
from .filters import quote
from .terms import join, terms_of

CHUNK, FEW = 2_000, 1_000  # keys of one filter expression, and of one that replaces a filter on metadata
ALL = 2**31 - 1  # rows; LanceDB would return ten

_KEY, _NUMBER, _TEXT = pa.int64(), pa.int64(), pa.string()
_SPANS = {"key": _KEY, "start": _NUMBER, "end": _NUMBER}
COLUMNS: dict[str, dict[str, pa.DataType]] = {
    "documents": {"key": _KEY, "id": _TEXT, "text": _TEXT, "metadata": _TEXT, "words": _TEXT, "length": _NUMBER},
    "mentions": _SPANS,
    "windows": _SPANS,
    "metadata": {"key": _KEY, "value": _TEXT},
    "terms": {"term": _TEXT, "documents": _NUMBER},
}
INDEXED = {  # columns by which rows are looked up
    "documents": ("key", "id"),
    "mentions": ("key",),
    "windows": ("key",),
    "metadata": ("key", "value"),
    "terms": ("term",),
}
# Terms are made by `terms_of`; the engine only finds the documents that have one
WORDS = FTS(
    base_tokenizer="whitespace",
    max_token_length=None,
    lower_case=False,
    stem=False,
    remove_stop_words=False,
    ascii_folding=False,
)


def make_tables(path: Path, size: int) -> dict[str, int]:
    """Make the empty tables for vectors of `size` numbers.

    Returns:
        The version of each.
    """
    database = connect(path)
    versions = {}
    for name, columns in COLUMNS.items():
        fields = dict(columns)
        if columns is _SPANS:
            fields["vector"] = pa.list_(pa.float16(), size)
        table = database.create_table(name, schema=pa.schema(list(fields.items())))
        for column in INDEXED[name]:
            table.create_index(column, config=BTree(), replace=True)
        if name == "documents":
            table.create_index("words", config=WORDS, replace=True)
        versions[name] = table.version
    return versions


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
        (key, value)
        for key, document in zip(keys.tolist(), documents, strict=True)
        for value in dict.fromkeys(flatten(document.document.metadata))
    ]
    return pa.table({"key": [key for key, _ in rows], "value": [value for _, value in rows]}, schema=schema)


def document_rows(documents: Sequence[EncodedDocument], keys: np.ndarray, schema: pa.Schema) -> pa.Table:
    """Rows of the table of documents."""
    terms = [terms_of(document.document.text) for document in documents]
    columns = {
        "key": keys,
        "id": [document.document.id for document in documents],
        "text": [document.document.text for document in documents],
        "metadata": [to_json(document.document.metadata) for document in documents],
        "words": list(map(join, terms)),
        "length": list(map(len, terms)),
    }
    return pa.table(columns, schema=schema)


def term_rows(counts: Mapping[str, int], schema: pa.Schema) -> pa.Table:
    """Rows of the table of terms: how many more documents, or fewer, contain each."""
    changes = {term: count for term, count in counts.items() if count}
    return pa.table({"term": list(changes), "documents": list(changes.values())}, schema=schema)


def count_terms(words: Iterable[str]) -> Counter[str]:
    """How many of some texts, by their column `words`, contain each term."""
    counts: Counter[str] = Counter()
    for text in words:
        counts.update(set(text.split()))
    return counts


def vector_index(table: Any) -> str | None:
    """The name of a table's vector index, if there is one."""
    return next((index.name for index in table.list_indices() if index.columns == ["vector"]), None)


def unindexed_rows(table: Any, name: str | None) -> int:
    """How many rows of a table are in none of its index `name`: all, if there is no such index."""
    statistics = table.index_stats(name) if name else None
    return statistics.num_unindexed_rows if statistics else table.count_rows()


def rows_of(table: Any, columns: Sequence[str], where: str | None = None, limit: int = ALL) -> pa.Table:
    """Some columns of a table's rows, at most `limit` of them."""
    rows = table.search().select(list(columns)).limit(limit)
    return (rows.where(where) if where else rows).to_arrow()


def rows_in(table: Any, columns: Sequence[str], name: str, values: Collection[Any]) -> Iterable[pa.Table]:
    """Some columns of the rows that have one of some values in the column `name`, part by part."""
    for part in chunks(list(values)):
        yield rows_of(table, columns, is_in(name, part))


def keys_by_id(documents: Any, ids: Iterable[str]) -> dict[str, int]:
    """Keys of documents by id, from their table; ids that no document has are left out."""
    keys: dict[str, int] = {}
    for rows in rows_in(documents, ["id", "key"], "id", list(dict.fromkeys(ids))):
        keys |= zip(rows["id"].to_pylist(), rows["key"].to_pylist(), strict=True)
    return keys


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
    return f"{column} IN ({', '.join(quote(value) if isinstance(value, str) else str(value) for value in values)})"


def chunks(items: Sequence[Any]) -> list[Sequence[Any]]:
    """Items in parts that fit one filter expression."""
    return [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
