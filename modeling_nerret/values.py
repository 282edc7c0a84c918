"""Values of users as JSON has them: plain once, when they come in, so that all that follows need not ask."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence, Set, ValuesView
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

_LIMIT = 10**DIGITS
_BYTES = (bytes, bytearray, memoryview)
_GROUPS = (Mapping, Sequence, Set, ValuesView)
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


def _plain(value: Any, parents: tuple[int, ...]) -> Any:
    """As `plain`; `parents` are identities of what the value is inside of."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, (bool, np.bool_)):
        return None if value is None else bool(value)
    if isinstance(value, str):
        return str.__str__(value)  # of numpy's strings too
    if isinstance(value, (date, time, timedelta, np.datetime64, np.timedelta64)):
        return _plain_moment(value)
    if isinstance(value, (Real, Decimal)):
        return _plain_number(value)
    if id(value) in parents or len(parents) == DEPTH:
        raise ValueError(f"it is nested more than {DEPTH} levels deep, or contains itself")
    parents = (*parents, id(value))
    if (
        not isinstance(value, _GROUPS)
        or isinstance(value, _BYTES)
        or hasattr(value, "as_py")
        or hasattr(value, "_asdict")
    ):
        return _plain(_simplify(value), parents)
    if isinstance(value, Mapping):
        return _plain_fields(value, parents)
    parts = [_plain(part, parents) for part in value]
    return _sort(parts) if isinstance(value, Set) else parts


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
        if abs(int(value)) >= _LIMIT:
            raise ValueError(f"a whole number has more than {DIGITS:,} digits; give it as a string")
        return int(value)
    try:
        number = float(value)
    except OverflowError:  # of a fraction
        raise ValueError(f"{value!r:.60} is beyond the range of floats; give it as a string") from None
    return number if math.isfinite(number) else None


def _sort(parts: list[Any]) -> list[Any]:
    """The members of a set in an order that is the same in each run."""
    try:
        return sorted(parts)
    except TypeError:  # of several kinds
        return sorted(parts, key=json.dumps)


def _simplify(value: Any) -> Any:
    """A value in a simpler form, by what it can do: its library may not be there, and need not be imported."""
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
    try:
        return getattr(value, method)()
    except (TypeError, ValueError, RuntimeError) as error:  # of its library
        raise ValueError(f"its {type(value).__name__} cannot be read as a list ({error})") from None
