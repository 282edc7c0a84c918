"""Filters in plain Python, and the metadata of an index without the index: what filters are compared with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from modeling_nerret.index.engine import BTree, lancedb
from modeling_nerret.index.filters import Filter, Where
from modeling_nerret.metadata import flatten, name_of
from modeling_nerret.values import plain

ALL = 2**31 - 1
# What texts spell: numbers for all comparisons, numbers for an order only, and no numbers
CANONICAL = {"1905": 1905, "-2.5": -2.5, "9007199254740993": 2**53 + 1, "0": 0}
INEXACT = {"1.50": 1.5, "1e3": 1000, " 7": 7, "-0": 0, "1905.0": 1905, ".5": 0.5}
TEXTS = ["", "sea", "Sea", "O'Hara", "02134", "+5", "true", "%", "a_b", "\\", '"', "\0", "é", "É", "𝄞", "nan", "٣"]
TEXTS += [*CANONICAL, *INEXACT]
NAMES = ["a", "b", "a.b", "dc:title", "", 'q"', "o'"]
NUMBERS = [-3, 0, 7, 2134, 1905, 1000, 2**53, 2**53 + 1, 2.0**53, -0.0, 0.5, 1.5, -2.5, 10**30, 1e30, 5e-324]
ORDER = [">=", "<=", ">", "<"]


class Rows:
    """The metadata of some documents as a table, their keys counted from 1, and what the index does with a filter."""

    def __init__(self, folder: Path, documents: list[dict[str, Any]], btree: bool = False):
        self.documents = dict(enumerate((plain(metadata) for metadata in documents), 1))
        rows = [(key, value) for key, metadata in self.documents.items() for value in flatten(metadata)]
        columns = {"key": [key for key, _ in rows], "value": [value for _, value in rows]}
        table = pa.table(columns, schema=pa.schema([("key", pa.int64()), ("value", pa.string())]))
        self.table = lancedb.connect(folder).create_table("metadata", table, mode="overwrite")
        if btree and rows:
            self.table.create_index("value", config=BTree())

    def select(self, sql: str) -> set[int]:
        return set(self.table.search().where(sql).select(["key"]).limit(ALL).to_arrow()["key"].to_pylist())

    def names(self) -> set[str]:
        return {name_of(value) for metadata in self.documents.values() for value in flatten(metadata)}

    def passing(self, where: Where) -> set[int]:
        """Keys of the documents that pass, if each of them has a row for each probe."""
        test = Filter(where)
        keys = test.passing(set(self.documents), self.select)
        assert all(keys <= self.select(probe) for probe in test.probes)
        return keys

    def check(self, where: Where) -> None:
        Filter(where).check(lambda sql: self.table.count_rows(sql) > 0, self.names)


def leaves(value: Any, name: str) -> list[tuple[str, Any]]:
    """Names and values of a nested value."""
    if isinstance(value, dict):
        return [leaf for key, part in value.items() for leaf in leaves(part, f"{name}.{key}")]
    if isinstance(value, list):
        return [leaf for part in value for leaf in leaves(part, name)]
    return [] if value is None else [(name, value)]


def is_text(value: Any) -> bool:
    return isinstance(value, (str, bool))


def as_text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else value


def equals(value: Any, operand: Any) -> bool:
    if is_text(operand):
        return is_text(value) and as_text(value) == as_text(operand)
    return CANONICAL.get(value) == operand if is_text(value) else value == operand


def is_ordered(value: Any, operator: str, operand: Any) -> bool:
    if is_text(operand):
        value, operand = (as_text(value) if is_text(value) else None), as_text(operand)
    elif is_text(value):
        value = (CANONICAL | INEXACT).get(value)
    if value is None:
        return False
    return {">": value > operand, "<": value < operand, ">=": value >= operand, "<=": value <= operand}[operator]


def satisfies(metadata: dict[str, Any], where: Any) -> bool:
    """A filter in plain Python."""
    if isinstance(where, list):
        return any(satisfies(metadata, part) for part in where)
    fields = [leaf for key, part in metadata.items() for leaf in leaves(part, key)]
    for name, tests in where.items():
        values = [value for field, value in fields if field == name]
        for operator, operand in (tests if isinstance(tests, dict) else {"==": tests}).items():
            if operator == "exists":
                passes = bool(values) == operand
            elif operator == "!=":
                passes = bool(values) and not any(equals(value, operand) for value in values)
            elif operator == "in":
                passes = any(equals(value, part) for value in values for part in operand)
            elif operator == "==":
                passes = any(equals(value, operand) for value in values)
            elif operator == "contains":
                passes = any(operand.upper() in as_text(value).upper() for value in values if is_text(value))
            else:
                passes = any(is_ordered(value, operator, operand) for value in values)
            if not passes:
                return False
    return True
