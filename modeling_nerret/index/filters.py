"""Filters on metadata: conditions as a user writes them, and as SQL over the rows of `metadata.flatten`."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from ..metadata import as_text

COMPARISONS = {"==": "=", ">=": ">=", "<=": "<=", ">": ">", "<": "<"}
OPERATORS = (*COMPARISONS, "!=", "exists")


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
        test = f"text {COMPARISONS[operator]} {quote(as_text(value))}"
    else:
        raise ValueError(
            f"the filter on {name!r} compares with {value!r:.60}; accepted are strings, numbers, dates and true/false"
        )
    return f"name = {quote(name)} AND {test}"


def quote(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
