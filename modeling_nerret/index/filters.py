"""Filters on metadata: as a user writes them, and as SQL over the rows of `metadata.flatten`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from ..metadata import as_number, as_text

Keys = Callable[[str | None], set[int]]

COMPARISONS = {"==": "=", ">=": ">=", "<=": "<=", ">": ">", "<": "<"}
OPERATORS = (*COMPARISONS, "!=", "exists")

_COMPARISON = re.compile(r"\s*([^=!<>]+?)\s*(==|=|!=|>=|<=|>|<)\s*(.*?)\s*")
_NAME = re.compile(r"[\w\s.-]+")


def parse_filter(conditions: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A filter from conditions on the command line; text that spells a number is compared as a number.

    Raises:
        ValueError: a condition has another form, or a field is compared twice in the same way.

    Example:
        >>> parse_filter(["year>=1990", "topic=nature", "author"])
        {'year': {'>=': 1990.0}, 'topic': {'==': 'nature'}, 'author': {'exists': True}}
    """
    where: dict[str, dict[str, Any]] = {}
    for condition in conditions:
        match = _COMPARISON.fullmatch(condition)
        if match is not None:
            name, operator, text = match.groups()
            number = as_number(text)
            value: Any = text if number is None else number
            operator = "==" if operator == "=" else operator
        elif _NAME.fullmatch(condition):
            name, operator, value = condition.strip(), "exists", True
        else:
            raise ValueError(
                f'--where {condition!r} is no condition; write "field=value", or != >= <= > < instead of ='
            )
        if operator in where.setdefault(name, {}):
            raise ValueError(f"--where compares {name!r} twice with {operator}; compare a field only once in each way")
        where[name][operator] = value
    return where


def matching_keys(where: Mapping[str, Any], documents: Keys, metadata: Keys) -> set[int]:
    """Keys of the documents that satisfy all conditions of a filter.

    Args:
        where: see `Store.filter`.
        documents: gives the keys of rows of the table of documents that satisfy an SQL condition.
        metadata: the same for the table of metadata.

    Raises:
        ValueError: an unknown comparison, or a value that cannot be compared.
    """
    keys: set[int] | None = None
    for name, tests in where.items():
        for operator, value in (tests if isinstance(tests, Mapping) else {"==": tests}).items():
            matches = _keys_where(name, operator, value, documents, metadata)
            keys = matches if keys is None else keys & matches
    return set() if keys is None else keys


def _keys_where(name: str, operator: str, value: Any, documents: Keys, metadata: Keys) -> set[int]:
    if operator not in OPERATORS:
        raise ValueError(f"unknown comparison {operator!r} for {name!r}; accepted are {', '.join(OPERATORS)}")
    if operator == "!=":
        present = _keys_where(name, "exists", True, documents, metadata)
        return present - _keys_where(name, "==", value, documents, metadata)
    if operator == "exists" and not isinstance(value, bool):
        raise ValueError(f"the filter on {name!r} says exists: {value!r:.60}; accepted are true and false")
    test = as_sql(name, operator, value) if operator in COMPARISONS else f"name = {quote(name)}"
    keys = metadata(test)
    return documents(None) - keys if operator == "exists" and not value else keys


def as_sql(name: str, operator: str, value: Any) -> str:
    """One comparison of a filter as SQL over the rows of `flatten`.

    Raises:
        ValueError: the value is of a kind that cannot be compared.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"the filter on {name!r} compares with {value!r}; accepted are finite numbers")
        test = f"number {COMPARISONS[operator]} {float(value)!r}"
    elif isinstance(value, (str, bool, date)):
        test = f"text {COMPARISONS[operator]} {quote(as_text(value))}"
    else:
        raise ValueError(
            f"the filter on {name!r} compares with {value!r:.60}; accepted are strings, numbers, dates and true/false"
        )
    return f"name = {quote(name)} AND {test}"


def quote(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
