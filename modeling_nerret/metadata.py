"""Metadata as rows that filters can search without a schema, and filters as SQL."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

COMPARISONS = {"==": "=", ">=": ">=", "<=": "<=", ">": ">", "<": "<"}
OPERATORS = (*COMPARISONS, "!=", "exists")

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
    waiting: list[tuple[str, Any]] = [(str(name), value) for name, value in metadata.items()][::-1]
    while waiting:  # no recursion: JSON may be nested deeper than Python's stack
        name, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(f"{name}.{inner}", one) for inner, one in value.items()][::-1]
        elif isinstance(value, (list, tuple)):
            waiting += [(name, one) for one in value][::-1]
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, None, float(value)
        elif value is not None:
            text = _text(value)
            yield name, text, as_number(text)


def condition(name: str, operator: str, value: Any) -> str:
    """One comparison of a filter as SQL over the rows of `flatten`.

    Raises:
        ValueError: the value is of a kind that cannot be compared.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"the filter on {name!r} compares with {value!r}; accepted are finite numbers")
        test = f"number {COMPARISONS[operator]} {float(value)!r}"
    elif isinstance(value, (str, bool, date)):
        test = f"text {COMPARISONS[operator]} {quote(_text(value))}"
    else:
        raise ValueError(
            f"the filter on {name!r} compares with {value!r:.60}; accepted are strings, numbers, dates and true/false"
        )
    return f"name = {quote(name)} AND {test}"


def quote(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, bool) else _plain(value)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
