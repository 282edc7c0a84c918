"""XLSX: rows of the sheets of a workbook."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from .office import open_archive
from .record import Record, check_columns

MAIN = "xl/workbook.xml"
BATCH_ROWS = 200


def xlsx_records(path: Path, name: str, text_columns: Sequence[str], most_bytes: int | None = None) -> Iterator[Record]:
    """A record for each row that is not empty; the first row of a sheet that is not empty names its columns.

    A sheet without the text columns is a fault, unless no sheet has them. The number of a row is `{sheet}!{row}`.

    Raises:
        OSError: the file is damaged or encrypted.
        ValueError: no sheet has the text columns, or a sheet has two columns of one name.
    """
    from openpyxl import load_workbook

    open_archive(path, "Excel", MAIN, most_bytes).close()
    workbook = _quietly(lambda: load_workbook(path, read_only=True, data_only=True), "it is damaged")
    try:
        faults: list[Record] = []
        is_table = False
        for sheet in workbook.worksheets:
            rows = _rows(sheet)
            columns = next((cells for _, cells in rows if _has_content(cells)), None)
            if columns is None:
                continue
            try:
                names = _names(columns, text_columns)
            except ValueError as error:
                faults.append(Record(f"{sheet.title}!", f"sheet {sheet.title!r}", error))
                continue
            is_table = True
            yield from _records(sheet.title, names, rows)
        if faults and not is_table:
            raise ValueError(f"{name}, {faults[0].place}: {faults[0].fields}")
        yield from faults
    finally:
        workbook.close()


def _records(title: str, names: list[str], rows: Iterator[tuple[int, tuple[Any, ...]]]) -> Iterator[Record]:
    for number, cells in rows:
        if not _has_content(cells):
            continue
        fields: dict[str, Any] | ValueError = {
            name: value for name, value in zip(names, cells, strict=False) if value not in (None, "")
        }
        if _has_content(cells[len(names) :]):
            fields = ValueError(f"it has {len(cells)} cells, the header has {len(names)}")
        yield Record(f"{title}!{number}", f"sheet {title!r}, row {number}", fields)


def _names(cells: tuple[Any, ...], text_columns: Sequence[str]) -> list[str]:
    names = ["" if cell is None else str(cell).strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    check_columns(names, text_columns)
    return names


def _has_content(cells: tuple[Any, ...]) -> bool:
    return any(cell is not None and str(cell).strip() for cell in cells)


def _rows(sheet: Any) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Numbers and cells of a sheet's rows."""
    sheet.reset_dimensions()  # some programs write wrong ones, and the rows beyond would be missed
    rows = enumerate(sheet.iter_rows(values_only=True), 1)
    while part := _quietly(lambda: list(islice(rows, BATCH_ROWS)), f"its sheet {sheet.title!r} is damaged"):
        yield from part


def _quietly(task: Any, fault: str) -> Any:
    """What a task gives, without the library's warnings of what it does not read, such as colours.

    Raises:
        OSError: it failed, in whatever way.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return task()
        except Exception as error:  # damaged files make the library fail in any way
            raise OSError(f"{fault} ({str(error) or type(error).__name__:.100})") from None
