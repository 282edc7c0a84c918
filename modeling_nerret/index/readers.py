"""Read corpora: JSONL, JSONL.gz, text with a document a line, CSV, Parquet, or standard input."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..documents import Document

SUFFIXES = (".jsonl", ".jsonl.gz", ".txt", ".csv", ".parquet")


@dataclass(frozen=True)
class BadLine:
    """A record that is no document: where it stands, and why it was refused."""

    where: str
    reason: str


def read_corpus(source: str, text_column: str = "text", id_column: str = "id") -> Iterator[Document | BadLine]:
    """Documents of a corpus in order, with a `BadLine` for each record that is none or repeats an id.

    The corpus is streamed; only a hash of each id stays in memory.

    Args:
        source: a file, or `-` for JSONL on standard input.
        text_column: the field that holds the text.
        id_column: the field that holds the id; a record without one is named after its line.

    Raises:
        OSError: the file cannot be read, or is compressed and damaged.
        ValueError: the file is of another kind, or lacks the text column.
    """
    if source == "-":
        yield from _documents(_json_lines(_lines(sys.stdin.buffer, source)), "standard input", text_column, id_column)
        return
    path = Path(source)
    if path.is_dir() or not path.exists():
        raise OSError(f"no corpus at {source!r}: it is {'a folder' if path.is_dir() else 'not there'}")
    kind = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)
    if kind is None:
        raise ValueError(f"{source!r} is of an unknown kind; accepted are {', '.join(SUFFIXES)} and - (JSONL on stdin)")
    if kind == ".parquet":
        yield from _documents(_parquet(path, text_column), path.name, text_column, id_column)
        return
    with gzip.open(path, "rb") if kind == ".jsonl.gz" else path.open("rb") as file:
        if kind == ".csv":
            records: Iterable[Any] = _csv(file, text_column)
        elif kind == ".txt":
            records = _text_lines(_lines(file, source), text_column)
        else:
            records = _json_lines(_lines(file, source))
        yield from _documents(records, path.name, text_column, id_column)


def _documents(
    records: Iterable[dict[str, Any] | ValueError | None], file_name: str, text_column: str, id_column: str
) -> Iterator[Document | BadLine]:
    hashes: set[int] = set()  # of all ids so far
    for number, record in enumerate(records, 1):
        if record is None:  # an empty line
            continue
        where = f"{file_name}, line {number}"
        if isinstance(record, ValueError):
            yield BadLine(where, str(record))
            continue
        try:
            if not isinstance(record, dict):
                raise ValueError(f'a line is an object {{"id": ..., "text": ...}}, not {json.dumps(record)[:60]}')
            fields = dict(record)
            if text_column not in fields:
                raise ValueError(f"there is no {text_column!r}; the fields are {', '.join(map(str, fields)) or 'none'}")
            text, name = fields.pop(text_column), fields.pop(id_column, None)
            document = Document.from_dict(fields | {"text": text, "id": str(number) if name is None else name})
            if hash(document.id) in hashes:
                raise ValueError(f"the id {document.id!r:.60} stands on an earlier line too; ids must differ")
            hashes.add(hash(document.id))
            yield document
        except ValueError as error:
            yield BadLine(where, str(error))


def _lines(file: Iterable[bytes], source: str) -> Iterator[bytes]:
    """A file's lines, without the mark that some systems put before UTF-8."""
    number = 0
    try:
        for number, line in enumerate(file, 1):
            yield line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OSError(f"{source} is damaged or cut off after line {number} ({error})") from None


def _json_lines(lines: Iterable[bytes]) -> Iterator[Any]:
    for line in lines:
        try:
            yield json.loads(line.decode("utf-8")) if line.strip() else None
        except UnicodeDecodeError as error:
            yield ValueError(f"the bytes from {error.start} are not valid UTF-8")
        except RecursionError:
            yield ValueError("the JSON is nested too deeply")
        except ValueError as error:
            yield ValueError(f"this is not JSON ({error})")


def _text_lines(lines: Iterable[bytes], text_column: str) -> Iterator[Any]:
    for line in lines:
        try:
            text = line.decode("utf-8").rstrip("\r\n")
            yield {text_column: text} if text.strip() else None
        except UnicodeDecodeError as error:
            yield ValueError(f"the bytes from {error.start} are not valid UTF-8")


def _csv(file: Any, text_column: str) -> Iterator[Any]:
    csv.field_size_limit(sys.maxsize)
    rows = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline=""))
    if rows.fieldnames is None:  # an empty file holds no documents, as in the other kinds
        return
    _need_column(text_column, rows.fieldnames)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield ValueError(f"this is not CSV ({error})")
            continue
        row.pop(None, None)  # type: ignore[call-overload]  # cells beyond the header
        yield row


def _parquet(path: Path, text_column: str) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        source = parquet.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise OSError(f"{path} is no Parquet file, or a damaged one ({error})") from None
    with source as file:
        _need_column(text_column, file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=1_000):
            yield from batch.to_pylist()


def _need_column(name: str, columns: Iterable[str]) -> None:
    if name not in columns:
        raise ValueError(
            f"there is no column {name!r}; the columns are {', '.join(columns)}: name one with --text-column"
        )
