"""Metadata as it is stored: as JSON, and as strings that one index can search without a schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from .values import DIGITS

EMPTY, NUMBER, TEXT = "e", "n", "t"  # kinds of a row, in order
INEXACT = " "  # ends the row of a number that its text does not spell canonically; it sorts before every digit

_CANONICAL = re.compile(r"(?!-0$)-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")
_DECIMAL = re.compile(r"\s*-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\s*")
_COMPLEMENT = str.maketrans("0123456789", "9876543210")


def to_json(metadata: Mapping[str, Any]) -> str:
    """Plain metadata as it is stored."""
    return json.dumps(metadata, ensure_ascii=False, allow_nan=False)


def flatten(metadata: Mapping[str, Any]) -> Iterator[str]:
    """The rows of plain metadata: nested names joined by dots, each value of a list by itself.

    A row is `row_start(name, kind)` and the value. A text that is a number's canonical spelling has a second row, of
    that number. So has one that spells a number otherwise ("1.50"), but it is only found by order, not by equality.
    A row without a value says that the field is there, if with null or an empty list.

    Example:
        >>> list(flatten({"author": {"name": "Ada"}, "tags": ["sea", True], "editor": None}))
        ['"author.name"tAda', '"tags"tsea', '"tags"ttrue', '"editor"e']
        >>> list(flatten({"year": "1905"}))
        ['"year"t1905', '"year"n250031905']
    """
    stack: list[tuple[str, Any]] = list(metadata.items())[::-1]
    while stack:
        name, value = stack.pop()
        if value is None or value in ([], {}):
            yield row_start(name, EMPTY)
        elif isinstance(value, Mapping):
            stack += [(f"{name}.{key}", part) for key, part in value.items()][::-1]
        elif isinstance(value, (list, tuple)):
            stack += [(name, part) for part in value][::-1]
        else:
            yield row(name, value)
            if isinstance(value, str) and (number := as_decimal(value)) is not None:
                yield row(name, number) + ("" if as_number(value) is not None else INEXACT)


def row(name: str, value: str | bool | int | float | Decimal) -> str:
    """The row of one value of a field."""
    if isinstance(value, bool):
        value = json.dumps(value)
    return row_start(name, TEXT) + value if isinstance(value, str) else row_start(name, NUMBER) + number_key(value)


def row_start(name: str, kind: str) -> str:
    """How all rows of one field and kind begin, and no others."""
    return json.dumps(name, ensure_ascii=False) + kind


def name_of(row: str) -> str:
    """The name of the field that a row is of."""
    return json.JSONDecoder().raw_decode(row)[0]


def number_key(number: int | float | Decimal) -> str:
    """A string that is as exact as the number, and sorts as the number does.

    It is the sign, the decimal exponent and the significant digits. A float counts as the shortest decimal number that
    it is read from, except that a whole one is exact.

    Example:
        >>> [number_key(number) for number in (-12.5, 0, 0.5, 12, 125)]
        ['04998874~', '1', '249995', '2500112', '25002125']
    """
    whole = not isinstance(number, float) or number.is_integer()
    exact = Decimal(number) if whole else Decimal(repr(number))
    digits = "".join(map(str, exact.as_tuple().digits)).rstrip("0")
    if not digits:
        return "1"
    if abs(exact.adjusted()) > DIGITS:
        raise ValueError(f"the number {number!s:.60} has over {DIGITS:,} digits; accepted are numbers of fewer")
    size = f"{exact.adjusted() + 5_000:04}{digits}"
    return "2" + size if exact > 0 else "0" + size.translate(_COMPLEMENT) + "~"


def as_number(text: str) -> int | float | None:
    """The number whose canonical spelling a text is; `None` if it is that of none.

    A number has one: digits without exponent, plus sign, or zeros that change nothing. "02134" and "1.50" may be codes.

    Example:
        >>> as_number("1905"), as_number("-2.5"), as_number("02134"), as_number("1e3"), as_number("1.50")
        (1905, -2.5, None, None, None)
    """
    if len(text) > DIGITS or not _CANONICAL.fullmatch(text):
        return None
    if "." not in text:
        return int(text)
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else None


def as_decimal(text: str) -> Decimal | None:
    """The number that a text spells in any way, unless leading zeros or a plus sign make it a code.

    Example:
        >>> as_decimal("1.50"), as_decimal("1e-05"), as_decimal("02134"), as_decimal("+49")
        (Decimal('1.50'), Decimal('0.00001'), None, None)
    """
    if len(text) > DIGITS or not _DECIMAL.fullmatch(text):
        return None
    number = Decimal(text)
    return number if abs(number.adjusted()) <= DIGITS else None
