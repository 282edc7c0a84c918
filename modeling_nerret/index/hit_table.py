"""A table of hits: its columns, which `--columns` may name, and the cells below."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from .citations import cite
from .excerpts import plain_excerpt
from .hits import Hit

Cell = str | int | float
Copies = Mapping[str, Sequence[str]]  # ids of a hit's near-duplicates, by the hit's id
# Columns that are not the name of a metadata field
BUILT_IN = ("right", "score", "id", "title", "date", "link", "mentions", "text", "document", "why", "copies")
DEFAULT = ("id", "title", "date", "link", "mentions", "text")


def choose_columns(hits: Sequence[Hit], names: Sequence[str] | None, extras: Sequence[str] = ()) -> list[str]:
    """The columns of a table of hits.

    Args:
        hits: the hits.
        names: what was asked for; `None`: the usual ones.
        extras: columns that other options ask for.

    Raises:
        ValueError: a name that is no column, and no metadata field of any hit.
    """
    if names is None:
        figure = "right" if hits and all(hit.probability is not None for hit in hits) else "score"
        return [figure, *DEFAULT, *extras]
    fields = {name for hit in hits for name in _names(hit.metadata)}
    for name in names:
        if hits and name not in BUILT_IN and name not in fields:
            raise ValueError(
                f"there is no column {name!r}; there are {', '.join(BUILT_IN)}, and of the metadata "
                f"{', '.join(sorted(fields)) or 'nothing'}"
            )
    return [*names, *(name for name in extras if name not in names)]


def cell(hit: Hit, name: str, excerpt: str, copies: Copies) -> Cell:
    """What stands in a column for a hit.

    Args:
        hit: the hit.
        name: the column, see `choose_columns`.
        excerpt: the surroundings of its best mention.
        copies: see `Copies`.
    """
    citation = cite(hit.metadata)
    if name == "right":
        return "" if hit.probability is None else round(hit.probability, 3)
    values: dict[str, Any] = {
        "score": round(hit.score, 4),
        "id": hit.id,
        "mentions": "; ".join(dict.fromkeys(mention.text for mention in hit.mentions)),
        "text": excerpt,
        "document": hit.text,
        "copies": len(copies.get(hit.id, ())),
    }
    if name in values:
        return values[name]
    if name in citation._fields:
        return getattr(citation, name)
    return hit.why() if name == "why" else plain(_value(hit.metadata, name))


def rows(hits: Sequence[Hit], columns: Sequence[str], copies: Copies = MappingProxyType({})) -> list[list[Cell]]:
    """The cells of hits, a row each."""
    return [[cell(hit, name, plain_excerpt(hit), copies) for name in columns] for hit in hits]


def _value(metadata: Mapping[str, Any], name: str) -> Any:
    """The value of a field, whose nested names are joined by dots."""
    if name in metadata:
        return metadata[name]
    value: Any = metadata
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _names(metadata: Mapping[str, Any], prefix: str = "") -> set[str]:
    names = {f"{prefix}{name}" for name in metadata}
    for name, value in metadata.items():
        if isinstance(value, Mapping):
            names |= _names(value, f"{prefix}{name}.")
    return names


def plain(value: Any) -> Cell:
    """A metadata value as a cell: lists of texts with semicolons, other structures as JSON."""
    if value is None:
        return ""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "; ".join(value)
    return json.dumps(value, ensure_ascii=False)
