"""Parquet: rows of a table, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .record import Record, check_columns

BATCH_ROWS, BUFFER_BYTES = 200, 1 << 20


def parquet_records(path: Path, text_columns: Sequence[str]) -> Iterator[Record]:
    """A record for each row.

    Raises:
        OSError: the file is damaged, or no Parquet file.
        ValueError: it lacks a text column, or has two columns of one name.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    damage = (pa.ArrowException, OSError)
    try:
        # a buffer: a group of rows would else be read as a whole
        source = parquet.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False, page_checksum_verification=True)
    except damage as error:
        raise OSError(f"{path} is no Parquet file, or a damaged one ({error})") from None
    number = 0
    with source as file:
        check_columns(file.schema_arrow.names, text_columns)
        try:
            for batch in file.iter_batches(BATCH_ROWS):
                for fields in rows_of(batch):
                    number += 1
                    yield Record(number, f"row {number}", fields)
        except damage as error:
            raise OSError(f"{path} is damaged after row {number} ({error})") from None
        rows = file.metadata.num_rows
        if number != rows:  # Arrow leaves out some damaged parts without a word
            raise OSError(f"{path} is damaged after row {number} (it should have {rows} rows)")


def rows_of(batch: Any) -> list[dict[str, Any] | ValueError]:
    """The rows of a batch; where a cell has no value in Python, why not."""
    try:
        return batch.to_pylist()
    except Exception:  # of whatever kind, that row is named
        return [_row(batch, number) for number in range(batch.num_rows)]


def _row(batch: Any, number: int) -> dict[str, Any] | ValueError:
    fields = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            fields[name] = column[number].as_py()
        except UnicodeDecodeError as error:
            return ValueError(f"the column {name!r} is not valid UTF-8 at byte {error.start}")
        except Exception as error:
            return ValueError(f"the column {name!r} cannot be read ({error})")
    return fields
