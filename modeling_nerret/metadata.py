"""Metadata as plain values, and as strings that one index can search without a schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence, Set, ValuesView
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np

DEPTH = 100  # levels of nested values
DIGITS = 4_300  # of a number; Python reads no longer whole number from JSON
TEXT, NUMBER = "t", "n"  # kinds of a row
INEXACT = " "  # ends the row of a number that its text does not spell canonically; it sorts before every digit

_CANONICAL = re.compile(r"(?!-0$)-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")
_DECIMAL = re.compile(r"\s*-?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\s*")
_COMPLEMENT = str.maketrans("0123456789", "9876543210")
_BYTES = (bytes, bytearray, memoryview)
_LISTS = (Sequence, Set, ValuesView)
_METHODS = ("as_py", "to_pylist", "tolist", "to_list")  # of Arrow, numpy, pandas, torch and polars


def plain(value: Any) -> Any:
    """A value as JSON has it: dictionaries, lists, strings, whole numbers, floats, booleans and `None`.

    Values of numpy, pandas, Arrow and torch are read too. Dates become ISO strings, durations seconds, bytes UTF-8
    text, sets sorted lists, dataclasses and named tuples dictionaries. A decimal number becomes text if no float is
    equal to it. NaN, infinities, NaT and NA become `None`, since JSON has no word for them.

    Raises:
        ValueError: JSON has no such value, or it is nested more than 100 levels deep.

    Example:
        >>> plain({"scores": np.array([0.5, np.nan]), 1905: {"sea"}})
        {'scores': [0.5, None], '1905': ['sea']}
    """
    return _plain(value, ())


def field_name(key: Any) -> str:
    """The name of a field, which is a string in JSON, whatever it is in Python.

    Raises:
        ValueError: the key is neither a string nor a number, date or the like.

    Example:
        >>> field_name("year"), field_name(1905), field_name(True)
        ('year', '1905', 'true')
    """
    name = plain(key)
    if isinstance(name, (dict, list)):
        raise ValueError(f"the name of a field is a string, not {key!r:.60}")
    return name if isinstance(name, str) else json.dumps(name)


def to_json(metadata: Mapping[str, Any]) -> str:
    """Plain metadata as it is stored."""
    return json.dumps(metadata, ensure_ascii=False, allow_nan=False)


def flatten(metadata: Mapping[str, Any]) -> Iterator[str]:
    """The rows of plain metadata: nested names joined by dots, each value of a list by itself, no nulls.

    A row is `row_start(name, kind)` and the value. A text that is a number's canonical spelling has a second row, of
    that number. So has one that spells a number otherwise ("1.50"), but it is only found by order, not by equality.

    Example:
        >>> list(flatten({"author": {"name": "Ada"}, "tags": ["sea", True], "editor": None}))
        ['"author.name"tAda', '"tags"tsea', '"tags"ttrue']
        >>> list(flatten({"year": "1905"}))
        ['"year"t1905', '"year"n250031905']
    """
    stack: list[tuple[str, Any]] = list(metadata.items())[::-1]
    while stack:
        name, value = stack.pop()
        if isinstance(value, Mapping):
            stack += [(f"{name}.{key}", part) for key, part in value.items()][::-1]
        elif isinstance(value, (list, tuple)):
            stack += [(name, part) for part in value][::-1]
        elif value is not None:
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


def _plain(value: Any, parents: tuple[int, ...]) -> Any:
    """As `plain`; `parents` are identities of what the value is inside of."""
    if value is None or isinstance(value, (bool, np.bool_)):
        return None if value is None else bool(value)
    if isinstance(value, str) and not isinstance(value, Enum):
        return str.__str__(value)
    if isinstance(value, (date, time, timedelta, np.datetime64, np.timedelta64)):
        return _plain_moment(value)
    if isinstance(value, (Real, Decimal)) and not isinstance(value, Enum):
        return _plain_number(value)
    if id(value) in parents or len(parents) == DEPTH:
        raise ValueError(f"it is nested more than {DEPTH} levels deep, or contains itself")
    parents = (*parents, id(value))
    if isinstance(value, Mapping):
        return _plain_fields(value, parents)
    if isinstance(value, _LISTS) and not isinstance(value, _BYTES) and not hasattr(value, "_asdict"):
        parts = [_plain(part, parents) for part in value]
        return _sort(parts) if isinstance(value, Set) else parts
    return _plain(_simplify(value), parents)


def _plain_fields(value: Mapping[Any, Any], parents: tuple[int, ...]) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for key, part in value.items():
        name = field_name(key)
        if name in names:
            raise ValueError(f"two fields have the name {name!r}; names must differ as strings")
        names[name] = _plain(part, parents)
    return names


def _plain_moment(value: Any) -> Any:
    """A date or time as an ISO string, a duration in seconds."""
    if value != value:  # NaT
        return None
    if isinstance(value, timedelta):
        return _plain_number(Decimal(repr(value.total_seconds())))
    if isinstance(value, np.timedelta64):
        try:
            return _plain_number(Decimal(repr(float(value / np.timedelta64(1, "s")))))
        except TypeError:  # months have no length
            raise ValueError(f"{value!r} is no number of seconds; give a number or string instead") from None
    if not isinstance(value, np.datetime64):
        return value.isoformat()
    if np.datetime_data(value)[0] in ("h", "m"):
        value = value.astype("datetime64[s]")
    whole, _, fraction = str(value).partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction.ljust(6, '0')}" if fraction else whole  # as datetime.isoformat writes it


def _plain_number(value: Any) -> int | float | str | None:
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        if value == value.to_integral_value() and value.adjusted() < DIGITS:
            return int(value)
        number = float(value)
        return number if math.isfinite(number) and Decimal(repr(number)) == value else str(value)
    if isinstance(value, Integral):
        if abs(int(value)) >= 10**DIGITS:
            raise ValueError(f"a whole number has more than {DIGITS:,} digits; give it as a string")
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else None


def _sort(parts: list[Any]) -> list[Any]:
    """The members of a set in an order that is the same in each run."""
    try:
        return sorted(parts)
    except TypeError:  # of several kinds
        return sorted(parts, key=json.dumps)


def _simplify(value: Any) -> Any:
    """A value in a simpler form, by what it can do: its library may not be there, and need not be imported."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, _BYTES):
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"its bytes are not UTF-8 at byte {error.start}; decode them first") from None
    if isinstance(value, (UUID, PurePath)):
        return str(value)
    if type(value).__name__ == "NAType":  # of pandas
        return None
    if hasattr(value, "_asdict"):
        return value._asdict()
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: getattr(value, part.name) for part in fields(value)}
    if isinstance(value, np.void) and value.dtype.names:
        return {name: value[name] for name in value.dtype.names}
    if isinstance(value, np.ndarray) and value.dtype.kind in "mMV":  # tolist would lose units and names
        return list(value) if value.ndim else value[()]
    method = next((name for name in _METHODS if hasattr(value, name)), None)
    if method is None or isinstance(value, type):
        raise ValueError(
            f"{type(value).__name__} is no value of JSON; "
            "accepted are strings, numbers, booleans, dates, lists, dictionaries and null: turn it into one of them"
        )
    return getattr(value, method)()
