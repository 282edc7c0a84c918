"""CSV and TSV: the delimiter is that of the header, and a quote that does not close costs its record only."""

from __future__ import annotations

import csv
import re
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from .lines import BOM, Line
from .record import Record, check_columns, line_range

DELIMITERS = ",;\t|"
LONGEST_ROW = 10_000_000  # characters; a quote that does not close would else take the rest of the file
_SEPARATOR = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # the first line of some files, for spreadsheets


def csv_records(
    lines: Iterator[Line], name: str, text_columns: Sequence[str], id_column: str, delimiters: str
) -> Iterator[Record]:
    """A record for each row that is not empty; an empty cell is no id.

    Raises:
        ValueError: the header is damaged, lacks a text column, or has two columns of one name.
    """
    csv.field_size_limit(sys.maxsize)  # the length of rows has its own limit
    source = _Source(lines)
    header = _read_header(source, name, text_columns, delimiters)
    if header is None:  # an empty file holds no documents, as in the other kinds
        return
    for row in _rows(source, header):
        if not any(cell.strip() for cell in row.cells) and not row.fault:
            continue
        fields: dict[str, str | None] = dict(zip(header.columns, row.cells, strict=False))
        if not fields.get(id_column):
            fields.pop(id_column, None)
        fault = row.fault or _count_fault(row.cells, header.columns)
        place = line_range(row.lines[0].number, row.lines[-1].number)
        yield Record(row.lines[0].number, place, ValueError(fault) if fault else fields)


class _Header(NamedTuple):
    delimiter: str
    columns: list[str]
    has_spaces: bool  # after the delimiter


class _Row(NamedTuple):
    lines: list[Line]
    cells: list[str]
    fault: str = ""


class _Source:
    """Lines for Python's csv reader, which can be taken back to read them in another way."""

    def __init__(self, lines: Iterator[Line]):
        self._lines = lines
        self._queue: deque[Line] = deque()
        self.row: list[Line] = []  # the lines of the row that is being read
        self._size = 0

    def __iter__(self) -> _Source:
        return self

    def __next__(self) -> str:
        line = self._queue.popleft() if self._queue else next(self._lines)
        self.row.append(line)
        self._size += len(line.text)
        if self._size > LONGEST_ROW and len(self.row) > 1:
            raise csv.Error(f"the quote does not close within {LONGEST_ROW:,} characters")
        return line.text.lstrip(BOM) if len(self.row) == 1 else line.text  # of files that were concatenated

    def begin_row(self) -> None:
        """Forget the lines of the last row."""
        self.row, self._size = [], 0

    def take_back(self, count: int) -> None:
        """Read the lines of the row again, but for its first `count`."""
        self._queue.extendleft(reversed(self.row[count:]))
        del self.row[count:]


def _read_header(source: _Source, name: str, text_columns: Sequence[str], delimiters: str) -> _Header | None:
    """The header, with the delimiter that gives the text columns and most columns; `None` if the file is empty."""
    text = ""
    while not text.strip():
        source.begin_row()
        text = next(source, "")
        if not text:
            return None
        if match := _SEPARATOR.fullmatch(text.strip()):
            text, delimiters = "", match[1]
    line = source.row[0]
    source.take_back(0)
    if line.fault:
        raise ValueError(f"{name}, line {line.number}: {line.fault}")
    headers = [header for delimiter in delimiters if (header := _split_header(source, delimiter))]
    needs = set(text_columns)
    header = max(headers, default=None, key=lambda header: (needs <= set(header.columns), len(header.columns)))
    if header is None or (len(headers) < len(delimiters) and header.columns[1:] == []):
        raise ValueError(f"{name}, line {line.number}: the quotes of the header do not match")
    check_columns(header.columns, text_columns)
    next(csv.reader(source, delimiter=header.delimiter, strict=True))  # go on after it
    return header


def _split_header(source: _Source, delimiter: str, has_spaces: bool = False) -> _Header | None:
    """The header as this delimiter cuts it; its lines are not used up."""
    source.begin_row()
    try:
        columns = next(csv.reader(source, delimiter=delimiter, strict=True, skipinitialspace=has_spaces))
    except (csv.Error, StopIteration):
        return None
    finally:
        source.take_back(0)
    if not has_spaces and any(name.startswith(" ") for name in columns):
        return _split_header(source, delimiter, has_spaces=True)
    while len(columns) > 1 and not columns[-1]:
        columns.pop()  # spreadsheets write empty columns; a cell there is a fault
    return _Header(delimiter, columns, has_spaces)


def _rows(source: _Source, header: _Header) -> Iterator[_Row]:
    """The rows below the header. After a broken row reading goes on at the line after the one that broke it."""
    reader = csv.reader(source, delimiter=header.delimiter, strict=True, skipinitialspace=header.has_spaces)
    is_remains = False  # of a broken row, perhaps
    while True:
        source.begin_row()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            last = source.row[-1]
            source.take_back(_opening(source.row, header.delimiter) + 1)
            yield _Row(source.row, [], _quote_fault(source.row[-1], last, error))
            is_remains = True
            continue
        fault = next((line.fault for line in source.row if line.fault), "")
        if is_remains and sum(line.text.count('"') for line in source.row) % 2:
            fault = fault or "it has a single quote, and belongs perhaps to the broken row before it"
            is_remains = False
        yield _Row(source.row, cells, fault)


def _opening(lines: list[Line], delimiter: str) -> int:
    """Index of the line with the quote that does not close properly."""
    edge = f"[{re.escape(delimiter)}\r\n]"
    cells = re.compile(rf'(?:\A|{edge}) *"(?P<content>[^"]*(?:""[^"]*)*)(?P<end>"(?={edge}|\Z))?')
    text = "".join(line.text for line in lines).lstrip(BOM)
    start = next((cell.start("content") for cell in cells.finditer(text) if cell["end"] is None), 0)
    ends = accumulate(len(line.text) for line in lines)
    return next((index for index, end in enumerate(ends) if start < end), 0)


def _quote_fault(line: Line, last: Line, error: csv.Error) -> str:
    remedy = 'write a quote inside a quoted cell twice ("")'
    if last.number == line.number:
        reason = "a quote is not closed" if "unexpected end" in str(error) else "text follows a closing quote"
        return f"{reason}; {remedy}"
    end = "the end of the file" if "unexpected end" in str(error) else f"line {last.number} ({error})"
    return f"the quote that opens in line {line.number} does not close properly before {end}; {remedy}"


def _count_fault(cells: list[str], columns: list[str]) -> str:
    if cells == columns:
        return "it repeats the header; leave it out"
    if len(cells) < len(columns):
        return f"it has {len(cells)} cells, the header has {len(columns)}"
    if any(cells[len(columns) :]):
        return f"it has {len(cells)} cells, the header has {len(columns)}; quote cells that hold the delimiter"
    return ""
