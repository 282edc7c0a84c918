"""An index's mentions as bulk files of vector stores: Qdrant, and Elasticsearch or OpenSearch.

Vectors are written as they are stored: their lengths say how much a mention counts, see `EntityRetriever._weigh`. So a
store must rank by the dot product. A cosine would forget the lengths.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, UUID, uuid5

from ..index.engine import is_failure
from ..index.excerpts import surroundings
from ..index.snapshot import Snapshot
from ..index.store import Store
from ..index.tables import as_array, rows_of

STEP = 64  # documents that are read at once
AROUND = 150  # characters of a passage on either side of its mention
NAMESPACE = uuid5(NAMESPACE_URL, "https://github.com/nerret/nerret")


class Point(NamedTuple):
    """A mention: an id that every export gives it again, its vector as numbers, and what is known of it."""

    id: UUID
    vector: list[float]
    fields: dict[str, Any]


class Form(NamedTuple):
    """How a store wants its points: the lines of one, and the settings for vectors of some size."""

    lines: Callable[[Point], list[dict[str, Any]]]
    settings: Callable[[int], dict[str, Any]]


def point_id(document: str, start: int, end: int) -> UUID:
    """The id of a mention; it depends on nothing but its document's id and its span.

    Example:
        >>> str(point_id("demo-147", 0, 11))
        '57c83d86-3b99-5f98-89ec-ce58ade8f4af'
    """
    return uuid5(NAMESPACE, json.dumps([document, start, end]))


def read_points(store: Store, texts: bool = False) -> Iterator[Point]:
    """All mentions of an index in its present state, document by document; memory does not grow with the index.

    Args:
        store: the index.
        texts: whether each point has its document's whole text too.

    Raises:
        ValueError: the index was compacted meanwhile, or is damaged.
    """
    snapshot = store.read(lambda snapshot: snapshot)
    for first in range(0, snapshot.commit.next_key, STEP):
        try:
            points = list(_points(snapshot, f"key >= {first} AND key < {first + STEP}", texts))
        except Exception as error:
            if not is_failure(error):
                raise
            raise ValueError(
                f"{store.path} was compacted meanwhile, or is damaged; export it again, or see: "
                f"nerret check {store.path}"
            ) from error
        yield from points


def _points(snapshot: Snapshot, condition: str, texts: bool) -> Iterator[Point]:
    """The mentions of the documents whose keys satisfy a condition."""
    rows = rows_of(snapshot.tables["documents"], ["key", "id", "text", "metadata"], condition).to_pylist()
    documents = {row["key"]: row for row in rows}
    mentions = rows_of(snapshot.tables["mentions"], ["key", "start", "end", "vector"], condition)
    vectors = as_array(mentions["vector"])  # (mentions, size) float16
    places = zip(*(mentions[name].to_pylist() for name in ("key", "start", "end")), range(len(vectors)), strict=True)
    for key, start, end, number in sorted(places):
        document = documents[key]
        text = document["text"]
        left, right = surroundings(text, start, end, AROUND)
        fields = {"document": document["id"], "start": start, "end": end, "mention": text[start:end]}
        fields |= {"passage": text[left:right], "metadata": json.loads(document["metadata"])}
        fields |= {"text": text} if texts else {}
        numbers = [float(f"{value:.9g}") for value in vectors[number].tolist()]  # exact in float32, and short
        yield Point(point_id(document["id"], start, end), numbers, fields)


def _qdrant_lines(point: Point) -> list[dict[str, Any]]:
    return [{"id": str(point.id), "vector": point.vector, "payload": point.fields}]


def _qdrant_settings(size: int) -> dict[str, Any]:
    return {"vectors": {"size": size, "distance": "Dot"}}


def _elasticsearch_lines(point: Point) -> list[dict[str, Any]]:
    return [{"index": {"_id": str(point.id)}}, point.fields | {"vector": point.vector}]


def _elasticsearch_settings(size: int) -> dict[str, Any]:
    # `dot_product` would refuse vectors whose length is not 1
    vector = {"type": "dense_vector", "dims": size, "index": True, "similarity": "max_inner_product"}
    name = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
    properties: dict[str, Any] = {"document": {"type": "keyword"}, "mention": name, "passage": {"type": "text"}}
    properties |= {"start": {"type": "integer"}, "end": {"type": "integer"}, "text": {"type": "text", "index": False}}
    properties |= {"metadata": {"type": "flattened", "ignore_above": 8_000}, "vector": vector}
    return {"mappings": {"properties": properties}}


FORMATS = {
    "qdrant": Form(_qdrant_lines, _qdrant_settings),
    "elasticsearch": Form(_elasticsearch_lines, _elasticsearch_settings),
}
