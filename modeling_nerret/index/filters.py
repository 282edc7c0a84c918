"""Filters on metadata, as SQL over the rows of `metadata.flatten`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, NamedTuple

from ..metadata import EMPTY, INEXACT, NUMBER, TEXT, number_key, row, row_start
from ..values import field_name, plain

Where = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Tests = dict[str, dict[str, Any]]  # values by field and operator

ORDER = (">=", "<=", ">", "<")
OPERATORS = ("==", *ORDER, "!=", "exists", "in", "contains")
MOST = 100  # branches of which one must hold


class Filter:
    """A filter on metadata, checked as a whole.

    Args:
        where: `{"year": 1905}`, `{"year": {">=": 1900, "<": 1910}}`, `{"author.name": "Ada"}` (nested),
            `{"year": {"in": [1905, "unknown"]}}`, `{"title": {"contains": "sea"}}` (part of a text, in upper or lower
            case). All conditions must hold. A list of such filters is satisfied if one of them is. A list of values
            satisfies a comparison if one of its values does. `!=` is the opposite of `==` among documents that have
            the field: `{"tags": {"!=": "sea"}}` finds those with tags none of which is "sea". `{"year": {"exists":
            False}}` finds those without the field, or with null or an empty list in it. Dates are compared as ISO
            strings, strings by code point.

    Raises:
        ValueError: an unknown comparison, or a value that cannot be compared.

    Example:
        >>> Filter({"topic": "sea"}).probes
        ['value = \\'"topic"tsea\\'']
    """

    def __init__(self, where: Where):
        self._branches = [
            [Condition(name, *test) for name, tests in branch.items() for test in tests.items()]
            for branch in branches_of(where)
        ]

    @property
    def probes(self) -> list[str]:
        """SQL conditions; every document that passes has at least one row for each of them."""
        branches = [[test.rows for test in branch if test.needs_field] for branch in self._branches]
        if len(branches) == 1:
            return branches[0]
        return [" OR ".join(f"({probes[0]})" for probes in branches)] if all(branches) else []

    def passing(self, keys: set[int], select: Callable[[str], set[int]]) -> set[int]:
        """Those of some documents that satisfy the filter.

        Args:
            keys: the documents' keys.
            select: gives, of these keys, those that have a row for which an SQL condition holds.
        """
        matches: set[int] = set()
        for branch in self._branches:
            rest = keys - matches
            for test in branch:
                rest = test.passing(rest, select)
            matches |= rest
        return matches

    def check(self, exists: Callable[[str], bool], names: Callable[[], Iterable[str]] | None = None) -> None:
        """Refuse a filter that no document can satisfy because of how it is written.

        Args:
            exists: whether the index has a row for which an SQL condition holds.
            names: gives the names of all fields; see `metadata.name_of`.

        Raises:
            ValueError: no document has a field, or its values are of another kind.
        """
        for branch in self._branches:
            for test in branch:
                test.check(exists, names)


class Condition(NamedTuple):
    """One comparison of a filter, its value plain; with `in` a list of them."""

    name: str
    operator: str
    value: Any

    @property
    def needs_field(self) -> bool:
        """Whether only a document with the field can satisfy it."""
        return not (self.operator == "exists" and self.value is False)

    @property
    def rows(self) -> str:
        """SQL for the rows that decide: one of them is needed, or for the opposite comparisons none."""
        if self.operator in ORDER:
            return self._order()
        if self.operator in ("==", "in"):
            return _is_in([row(self.name, value) for value in self._values()])
        if self.operator == "contains":
            place = len(row_start(self.name, TEXT)) + 1
            return (
                f"{_rows_of(self.name, TEXT)} AND contains(upper(substr(value, {place})), upper({quote(self.value)}))"
            )
        return _rows_of(self.name)

    def passing(self, keys: set[int], select: Callable[[str], set[int]]) -> set[int]:
        """Those of some documents that satisfy it; see `Filter.passing`."""
        if not keys:
            return keys
        matches = keys & select(self.rows)
        if self.operator == "!=":
            return matches - select(self._replace(operator="==").rows)
        return matches if self.needs_field else keys - matches

    def check(self, exists: Callable[[str], bool], names: Callable[[], Iterable[str]] | None) -> None:
        """Refuse it if nothing can be compared so; see `Filter.check`."""
        if not self.needs_field:
            return
        kinds: set[str | None] = {_kind(value) for value in self._values()} or {None}
        if any(exists(_rows_of(self.name, kind)) for kind in kinds):
            self._check_spelling(exists)
            return
        if None not in kinds and exists(_rows_of(self.name)):
            raise ValueError(f"the field {self.name!r} has only {self._kind_error()}")
        if exists(f"value = {quote(row_start(self.name, EMPTY))}"):
            return  # it has nulls only
        nearest = get_close_matches(self.name, names() if names else (), 1)
        hint = f"the nearest name is {nearest[0]!r}" if nearest else "names of nested fields are joined by dots"
        raise ValueError(f"no document has a field {self.name!r}; {hint}")

    def _check_spelling(self, exists: Callable[[str], bool]) -> None:
        """Refuse equality with a number that the field only has in another spelling, such as 1905.0."""
        for value in self._values() if self.operator in ("==", "!=", "in") else ():
            exact = row(self.name, value)
            if _kind(value) == NUMBER and not exists(_is_in([exact])) and exists(_is_in([exact + INEXACT])):
                spelling = f"{value}.0" if isinstance(value, int) else f"{value}0"
                raise ValueError(
                    f"the field {self.name!r} has {value} only as a text in another spelling, such as {spelling}; "
                    "compare with that text, or use >= and <="
                )

    def _kind_error(self) -> str:
        """What a field has only, what it is compared with, and what to do instead."""
        value = self._values()[0]
        if _kind(value) == TEXT:
            return f"numbers, and {value!r:.60} is a text; compare with numbers"
        texts: Any = [str(part) for part in self._values()]
        remedy = {self.name: {self.operator: texts if self.operator == "in" else texts[0]}}
        return f"texts, and {value} is a number; compare with a text: {json.dumps(remedy, ensure_ascii=False):.200}"

    def _values(self) -> list[Any]:
        """The values that are compared."""
        return [] if self.operator == "exists" else self.value if self.operator == "in" else [self.value]

    def _order(self) -> str:
        bound = row(self.name, self.value)
        kind = _kind(self.value)
        if kind == NUMBER and self.operator in (">", "<="):
            bound += INEXACT  # the last row of this number
        first, last = _bounds(self.name, kind, kind)
        if self.operator in (">", ">="):
            return f"value {self.operator} {quote(bound)} AND value < {quote(last)}"
        return f"value >= {quote(first)} AND value {self.operator} {quote(bound)}"


def branches_of(where: Any) -> list[Tests]:
    """The branches of a filter, of which one must hold: their comparisons by field and operator, the values plain.

    Raises:
        ValueError: an unknown comparison, or a value that cannot be compared.

    Example:
        >>> branches_of({"year": 1905, "topic": {"in": ["sea"]}})
        [{'year': {'==': 1905}, 'topic': {'in': ['sea']}}]
    """
    parts = [where] if isinstance(where, Mapping) else where
    if not isinstance(parts, (list, tuple)) or not parts or not all(isinstance(part, Mapping) for part in parts):
        raise ValueError(f"a filter is a mapping, or a list of mappings of which one must hold, not {where!r:.60}")
    check_count(len(parts))
    return [_tests(part) for part in parts]


def check_count(branches: int) -> None:
    """Refuse a filter of more branches than the engine can take."""
    if branches > MOST:
        raise ValueError(f"a filter has {branches:,} branches; accepted are at most {MOST}: use in for many values")


def quote(value: str) -> str:
    """A string as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def _is_in(rows: Sequence[str]) -> str:
    if len(rows) == 1:
        return f"value = {quote(rows[0])}"
    return f"value IN ({', '.join(map(quote, rows))})" if rows else "false"


def _rows_of(name: str, kind: str | None = None) -> str:
    """SQL for all rows of a field, or for those of one kind."""
    first, last = _bounds(name, kind or NUMBER, kind or TEXT)
    return f"value >= {quote(first)} AND value < {quote(last)}"


def _bounds(name: str, first: str, last: str) -> tuple[str, str]:
    """The least string of the rows of a field from one kind to another, and the least after them."""
    return row_start(name, first), row_start(name, chr(ord(last) + 1))


def _kind(value: Any) -> str:
    return TEXT if isinstance(value, (str, bool)) else NUMBER


def _tests(part: Mapping[Any, Any]) -> Tests:
    """A mapping's comparisons by field and operator, their values plain."""
    branch: Tests = {}
    for key, tests in part.items():
        name = field_name(key)
        if name in branch:
            raise ValueError(f"the filter has two fields {name!r}; names must differ as strings")
        tests = tests if isinstance(tests, Mapping) else {"==": tests}
        if not tests:
            raise ValueError(f"the filter on {name!r} is empty; accepted are {', '.join(OPERATORS)}")
        try:
            branch[name] = {operator: _operand(operator, value) for operator, value in tests.items()}
            json.dumps([name, branch[name]], ensure_ascii=False, default=str).encode("utf-8")
        except UnicodeEncodeError:
            raise ValueError(f"the filter on {name!a:.60} is not valid Unicode") from None
        except ValueError as error:
            raise ValueError(f"the filter on {name!r:.60} {error}") from None
    return branch


def _operand(operator: Any, value: Any) -> Any:
    """The value of one comparison, plain."""
    if operator not in OPERATORS:
        raise ValueError(
            f"has an unknown comparison {operator!r:.60}; accepted are {', '.join(OPERATORS)} "
            "(names of nested fields are joined by dots)"
        )
    if operator == "in":
        values = value if isinstance(value, (list, tuple)) else plain(value)
        if not isinstance(values, (list, tuple)):
            raise ValueError(f"says in: {value!r:.60}; accepted is a list of values")
        return [_scalar(part) for part in values]
    if operator in ORDER and isinstance(value, Decimal) and value.is_finite():
        number_key(value)  # refuses what is beyond its range
        return value
    scalar = _scalar(value)
    if operator == "exists" and not isinstance(scalar, bool):
        raise ValueError(f"says exists: {value!r:.60}; accepted are true and false")
    if operator == "contains" and not isinstance(scalar, str):
        raise ValueError(f"says contains: {value!r:.60}; accepted is a string")
    return scalar


def _scalar(value: Any) -> Any:
    """A value that can be compared, plain."""
    scalar = plain(value)
    if scalar is None and value is not None:
        raise ValueError(f"compares with {value!r}; accepted are finite numbers")
    if scalar is None or isinstance(scalar, (dict, list)):
        raise ValueError(
            f"compares with {value!r:.60}; accepted are strings, numbers, dates and true/false; "
            'for several values use {"in": [...]}, for none {"exists": false}'
        )
    return scalar
