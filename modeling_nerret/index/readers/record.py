"""A record: what a file holds for one document."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .lines import Line

LONGEST_TEXT = 10_000_000  # characters of a document that is a file


class Record(NamedTuple):
    """A record of a file.

    Args:
        number: of its line, row, page or record, from 1, or another name; no two records of a file share it.
        place: the same in words, such as "line 3"; empty for a whole file.
        fields: its fields by name, or why there are none.
    """

    number: int | str
    place: str
    fields: dict[str, Any] | ValueError


def line_record(line: Line, fields: dict[str, Any] | ValueError) -> Record:
    """A record that is one line."""
    return Record(line.number, f"line {line.number}", ValueError(line.fault) if line.fault else fields)


def line_range(first: int, last: int) -> str:
    """The place of a record over some lines.

    Example:
        >>> line_range(3, 3), line_range(3, 5)
        ('line 3', 'lines 3 to 5')
    """
    return f"line {first}" if first == last else f"lines {first} to {last}"


def check_length(length: int, remedy: str) -> str:
    """Why a file cannot be one document, if it is too long for that."""
    return f"it has over {LONGEST_TEXT:,} characters; {remedy}" if length > LONGEST_TEXT else ""


def check_columns(columns: list[str], text_columns: Sequence[str]) -> None:
    """Refuse a table without text, or with two columns of one name.

    Raises:
        ValueError: the message names the columns.
    """
    for column in text_columns:
        if column not in columns:
            raise ValueError(
                f"there is no column {column!r}; the columns are {', '.join(columns)}: name one with --text-column"
            )
    if (name := first_repeat(columns)) is not None:
        raise ValueError(f"two columns are called {name!r}; rename one of them")


def first_repeat(names: Iterable[str]) -> str | None:
    """The first name that stands twice.

    Example:
        >>> first_repeat(["id", "text", "id"])
        'id'
    """
    earlier: set[str] = set()
    for name in names:
        if name in earlier:
            return name
        earlier.add(name)
    return None
