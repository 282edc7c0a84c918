"""Metadata as plain values, and as rows that filters can search without a schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")


def as_number(text: str) -> float | None:
    """The number that a string spells, such as a cell of a CSV file; `None` if it spells none.

    Example:
        >>> as_number("1905"), as_number("nan"), as_number("1_000")
        (1905.0, None, None)
    """
    return float(text) if _NUMBER.fullmatch(text) else None


def to_json(metadata: Mapping[str, Any]) -> str:
    """Metadata as it is stored; dates become ISO strings, what JSON lacks becomes its `str`."""
    return json.dumps(metadata, ensure_ascii=False, default=_plain)


def flatten(metadata: Mapping[str, Any]) -> Iterator[tuple[str, str | None, float | None]]:
    """Name, text and number of each value: nested names joined by dots, each value of a list by itself, no nulls.

    Example:
        >>> list(flatten({"year": 1905, "tags": ["sea", "12"], "author": {"name": "Ada"}, "editor": None}))
        [('year', None, 1905.0), ('tags', 'sea', None), ('tags', '12', 12.0), ('author.name', 'Ada', None)]
    """
    stack: list[tuple[str, Any]] = [(str(name), value) for name, value in metadata.items()][::-1]
    while stack:  # no recursion: JSON may be nested deeper than Python's stack
        name, value = stack.pop()
        if isinstance(value, Mapping):
            stack += [(f"{name}.{key}", part) for key, part in value.items()][::-1]
        elif isinstance(value, (list, tuple)):
            stack += [(name, part) for part in value][::-1]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, None, float(value)
        elif value is not None:
            text = as_text(value)
            yield name, text, as_number(text)


def as_text(value: Any) -> str:
    """A value as the text that filters compare."""
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, bool) else _plain(value)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
