"""Filters as people write them on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from ..metadata import as_decimal, as_number
from .filters import ORDER, Tests, Where, branches_of, check_count
from .readers.jsonl import distinct

_CONDITION = re.compile(r"(.*?)(\s+in\s+|\s+contains\s+|==|!=|>=|<=|=|>|<)(.*)", re.DOTALL)
_SIGNS = ("=", "<", ">", "!", "~")
_JSON = re.compile(r"\s*(\{|\[\s*\{)")


def parse_filter(conditions: Iterable[str]) -> Where:
    """A filter from conditions on the command line, all of which must hold.

    A condition is `field=value`, with `!=`, `>=`, `<=`, `>`, `<`, `in` (values between commas) or `contains` instead of
    `=`, or a field alone, which must exist. With `||` between several of them, one must hold. A filter as JSON does for
    names and values that contain such signs. A value that is a number's canonical spelling is that number; for an
    order, any spelling of a number is. All others are texts.

    Raises:
        ValueError: a condition is empty or broken JSON, or conditions compare a field twice in the same way.

    Example:
        >>> parse_filter(["year>=1990", "topic=nature", "author"])
        {'year': {'>=': 1990}, 'topic': {'==': 'nature'}, 'author': {'exists': True}}
        >>> parse_filter(["zip=02134 || year in 1905, 1906"])
        [{'zip': {'==': '02134'}}, {'year': {'in': [1905, 1906]}}]
    """
    branches: list[Tests] = [{}]
    for condition in conditions:
        alternatives = _parse_condition(condition)
        branches = [_join(branch, tests) for branch in branches for tests in alternatives]
        check_count(len(branches))
    return branches[0] if len(branches) == 1 else branches


def _parse_condition(condition: str) -> list[Tests]:
    """The comparisons of which one must hold."""
    if not _JSON.match(condition):
        return [_parse_comparison(part.strip()) for part in condition.split("||")]
    try:
        where = json.loads(condition, object_pairs_hook=distinct)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"--where {condition!r:.80} begins as JSON and is none ({error})") from None
    return branches_of(where)


def _parse_comparison(text: str) -> Tests:
    match = _CONDITION.fullmatch(text)
    if not text:
        raise ValueError('a --where is empty; write "field=value", or != >= <= > < in contains instead of =')
    if match is None:
        return {text: {"exists": True}}
    if match[2][-1] in _SIGNS and match[3][:1] in _SIGNS:  # such as <> and =>
        raise ValueError(
            f"--where {text!r:.80} has an unknown comparison {match[2] + match[3][:1]!r}; accepted are = != >= <= > < "
            "in contains, with a space before a value that begins with such a sign"
        )
    name, sign, value = (part.strip() for part in match.groups())
    operator = "==" if sign == "=" else sign
    if operator == "in":
        return {name: {operator: [_parse_value(part.strip(), operator) for part in value.split(",")]}}
    return {name: {operator: _parse_value(value, operator)}}


def _parse_value(text: str, operator: str) -> Any:
    if operator == "contains":
        return text
    number = as_number(text)
    if number is None and operator in ORDER:
        number = as_decimal(text)  # type: ignore[assignment]
    return text if number is None else number


def _join(first: Tests, second: Tests) -> Tests:
    """Two branches' comparisons, all of which must hold."""
    branch = {name: dict(tests) for name, tests in first.items()}
    for name, tests in second.items():
        for operator, value in tests.items():
            if operator in branch.setdefault(name, {}):
                raise ValueError(f"--where compares {name!r} twice with {operator}; compare a field once in each way")
            branch[name][operator] = value
    return branch
