"""JSON files: an array of objects, objects one after the other, or one of the forms in which pandas writes a table.

An array and a row of objects are read as a stream. A table is read as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TextIO

from .jsonl import parse_object
from .lines import LONGEST, find_fault
from .record import Record, line_range

FORMS = (
    'an array of objects [{"id": ..., "text": ...}, ...], an object of columns {"id": [...], "text": [...]}, '
    'or an object of objects {ID: {"text": ...}, ...}'
)
CHUNK = 65_536  # characters
_SPACE = re.compile("[ \t\r\n\ufeff]*")
_TORN = 12  # characters before the end of a part: an error there may come from a word or number that goes on


def json_records(file: TextIO, name: str, text_columns: Sequence[str], id_column: str) -> Iterator[Record]:
    """The records of a file.

    Raises:
        OSError: the file is no JSON from some line on.
        ValueError: it has another form.
    """
    values = _Values(file, name)
    if values.peek() == "[":
        yield from values.array()
        return
    objects = values.objects()
    first = next(objects, None)
    second = next(objects, None)
    if second is not None:
        yield from chain([first], [second], objects)  # type: ignore[list-item]
    elif first is not None:
        yield from _table(first, name, text_columns, id_column)


class _Values:
    """The values of a file, of which only a part is in memory."""

    def __init__(self, file: TextIO, name: str):
        self._file, self._name = file, name
        self._text, self._position, self._line = "", 0, 1
        self._decoder = json.JSONDecoder()

    def array(self) -> Iterator[Record]:
        """A record for each value of an array, which is all that the file holds."""
        self._take("[")
        sign, number = self.peek(), 0
        if sign == "]":
            self._take("]")
        while sign != "]":
            number += 1
            yield self._record(number)
            sign = self._take(",]")
        if self.peek():
            raise self._error("more follows the end of the array")

    def objects(self) -> Iterator[Record]:
        """A record for each of the values that stand one after the other."""
        number = 0
        while self.peek():
            number += 1
            yield self._record(number)

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._position)
            self._move(match.end() if match else self._position)
            if self._position < len(self._text):
                return self._text[self._position]
            if not self._read_on():
                return ""

    def _take(self, signs: str) -> str:
        sign = self.peek()
        if not sign or sign not in signs:
            raise self._error(f"expecting {' or '.join(signs)}")
        self._position += 1
        return sign

    def _record(self, number: int) -> Record:
        self.peek()
        length, first = self._length(), self._line
        text = self._text[self._position : self._position + length]
        self._move(self._position + length)
        fault = find_fault(text, self._file.encoding)
        place = f"{line_range(first, self._line)}, record {number}"
        return Record(number, place, ValueError(fault) if fault else parse_object(text, "record"))

    def _length(self) -> int:
        """Characters of the value that begins at the position."""
        while True:
            try:
                end = self._decoder.raw_decode(self._text, self._position)[1]
            except json.JSONDecodeError as error:
                offset = max(error.pos - self._position, 0)
                is_torn = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _TORN
                if not is_torn or not self._read_on():
                    first = self._line
                    self._move(self._position + offset)
                    raise self._error(error.msg, first) from None
            except RecursionError:
                raise self._error("it is nested too deeply") from None
            else:
                length = end - self._position
                if end < len(self._text) or not self._read_on():  # a number at the end of a part may go on
                    return length

    def _move(self, position: int) -> None:
        self._line += self._text.count("\n", self._position, position)
        self._position = position

    def _read_on(self) -> bool:
        """Add as much to the text as is left of it; whether there was more."""
        left = self._text[self._position :]
        if len(left) > LONGEST:
            raise self._error(f"a record is longer than {LONGEST:,} characters")
        part = self._file.read(max(CHUNK, len(left)))
        self._text, self._position = left + part, 0
        return bool(part)

    def _error(self, reason: str, first: int | None = None) -> OSError:
        """An error at the position, in a value that begins in line `first`."""
        reason = find_fault(self._text, self._file.encoding) or reason
        place = line_range(first or self._line, self._line)
        # not ValueError: what was read of the file is right
        return OSError(f"{self._name}, {place}: this is not JSON ({reason}); nothing after it is read")


def _table(record: Record, name: str, text_columns: Sequence[str], id_column: str) -> Iterator[Record]:
    """The records of a file that holds one object: a document, columns, or rows by their id.

    Raises:
        ValueError: it is another object.
    """
    fields, text_column = record.fields, text_columns[0]
    if isinstance(fields, ValueError) or isinstance(fields.get(text_column), str):
        yield record
        return
    if text_column in fields:
        rows = _rows_of_columns(fields, text_column, id_column)
    else:
        rows = _rows_by_label(fields, id_column)
    if rows is None:
        raise ValueError(f"{name} holds an object with the fields {', '.join(fields)!r:.100}; accepted is {FORMS}")
    for number, row in enumerate(rows, 1):
        yield Record(number, f"record {number}", row)


def _rows_of_columns(columns: dict[str, Any], text_column: str, id_column: str) -> list[dict[str, Any]] | None:
    """Rows of columns, each of which is a list, or an object with a value for each row; `None` if they are others."""
    labels = columns[text_column]
    if isinstance(labels, list) and all(isinstance(c, list) and len(c) == len(labels) for c in columns.values()):
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if isinstance(labels, dict) and all(isinstance(c, dict) and c.keys() == labels.keys() for c in columns.values()):
        rows = {label: {name: column[label] for name, column in columns.items()} for label in labels}
        return _rows_by_label(rows, id_column)
    return None


def _rows_by_label(rows: dict[str, Any], id_column: str) -> list[dict[str, Any]] | None:
    """Rows by a label, which is the id of a row without one, unless labels only count; `None` if they are others."""
    if not rows or not all(isinstance(row, dict) for row in rows.values()):
        return None
    if list(rows) == [str(number) for number in range(len(rows))]:
        return list(rows.values())
    return [{id_column: label} | row for label, row in rows.items()]
