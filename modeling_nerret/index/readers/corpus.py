"""A corpus: documents of a file or of standard input, and the places where a record is none."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from ...documents import Document
from .csv_file import DELIMITERS, csv_records
from .json_file import json_records
from .jsonl import jsonl_records
from .lines import Line, open_text, read_lines, standard_input
from .parquet_file import parquet_records
from .record import Record, line_record

STDIN = "-"
TEXT_KINDS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt")
PARQUET, PACKED = ".parquet", ".gz"
EXACT = 2**53  # from here on a float may be another whole number than was meant
OWN_NAMES = ("id", "text")  # fields of `Document`


@dataclass(frozen=True)
class BadLine:
    """A record that is no document: where it stands, and why it was refused."""

    where: str
    reason: str


def read_corpus(source: str, text_column: str = "text", id_column: str = "id", spans: bool = False) -> Corpus:
    """Documents of a corpus in order, with a `BadLine` for each record that is none or repeats an id.

    The corpus is streamed; only a hash of each id stays in memory.

    Args:
        source: a file, or `-` for JSONL on standard input.
        text_column: the field that holds the text.
        id_column: the field that holds the id; a record without one gets an id from its place, see `Corpus`.
        spans: whether a field called `mentions` holds the spans of mentions; else it is metadata.

    Raises:
        OSError: the file cannot be read, or is damaged from some line or row on.
        ValueError: the file is of another kind, or lacks the text column.
    """
    return Corpus(source, text_column, id_column, spans)


class Corpus(Iterator[Document | BadLine]):
    """What `read_corpus` returns: an iterator that knows the ids it has given.

    The id of a record without one is made of its place, `{file}@{folder}:{number}`: the file's name, eight digits of
    the SHA-256 of the folder's path, and the line, row or record. So a file gives the same ids wherever the command
    runs, and no two files share one. On standard input it is `stdin@{text}:{line}`, with digits of the text's SHA-256.

    Attributes:
        prefix: how such ids of this file begin; empty for standard input.
        has_made_ids: whether a record so far had no id.
    """

    def __init__(self, source: str, text_column: str, id_column: str, spans: bool):
        self._text_column, self._id_column, self._spans = text_column, id_column, spans
        self._hashes: set[int] = set()  # of all ids so far
        self.prefix, self.has_made_ids = "", False
        if source == STDIN:
            self._name = "standard input"
            self._items = self._read(None)
            return
        path = Path(source)
        if path.is_dir() or not path.exists():
            raise OSError(f"no corpus at {source!r}: it is {'a folder' if path.is_dir() else 'not there'}")
        kind = _kind(path)
        if kind not in (*TEXT_KINDS, PARQUET):
            raise ValueError(
                f"{source!r} is of an unknown kind; accepted are {', '.join(TEXT_KINDS)} (also {PACKED}), {PARQUET} "
                "and - (JSONL on stdin)"
            )
        self._name, self.prefix = path.name, _prefix(path)
        self._items = self._read(path)

    def __next__(self) -> Document | BadLine:
        """The next document, or the next record that is none."""
        return next(self._items)

    def has_given(self, id: str) -> bool:
        """Whether a record so far has this id."""
        return hash(id) in self._hashes

    def _read(self, path: Path | None) -> Iterator[Document | BadLine]:
        place = "line 0"
        try:
            for record in self._records(path):
                place = record.place
                yield self._item(record)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise OSError(f"{path} is damaged or cut off after {place} ({error})") from None

    def _records(self, path: Path | None) -> Iterator[Record]:
        if path is None:
            yield from jsonl_records(read_lines(standard_input()))
            return
        kind = _kind(path)
        if kind == PARQUET:
            yield from parquet_records(path, self._text_column)
            return
        with _open(path) as file:
            if kind == ".json":
                yield from json_records(open_text(file), self._name, self._text_column, self._id_column)
            elif kind == ".txt":
                yield from _text_records(read_lines(file), self._text_column)
            elif kind in (".csv", ".tsv"):
                delimiters = "\t" if kind == ".tsv" else DELIMITERS
                yield from csv_records(read_lines(file), self._name, self._text_column, self._id_column, delimiters)
            else:
                yield from jsonl_records(read_lines(file))

    def _item(self, record: Record) -> Document | BadLine:
        try:
            if isinstance(record.fields, ValueError):
                raise record.fields
            document = self._document(record.number, record.fields)
            if self.has_given(document.id):
                raise ValueError(f"the id {document.id!r:.60} stands on an earlier line too; ids must differ")
        except ValueError as error:
            self._hashes.add(hash(f"{self.prefix}{record.number}"))  # what the record gave before is not stale
            return BadLine(f"{self._name}, {record.place}", str(error))
        self._hashes.add(hash(document.id))
        return document

    def _document(self, number: int, fields: dict[str, Any]) -> Document:
        """The document of a record; fields called id or text beside the columns so called are metadata.

        Raises:
            ValueError: the record is no document.
        """
        if self._text_column not in fields:
            raise ValueError(
                f"there is no {self._text_column!r}; the fields are {', '.join(map(str, fields)) or 'none'}"
            )
        text, name = _decode(fields[self._text_column], "text"), _as_id(fields.get(self._id_column))
        if name is None:
            self.has_made_ids = True
            name = self._made_id(number, text)
        entry: dict[str, Any] = {"id": name, "text": text}
        namesakes: dict[str, Any] = {}
        for field, value in fields.items():
            if field not in (self._text_column, self._id_column):
                (namesakes if field in OWN_NAMES else entry)[field] = value
        document = Document.from_dict(entry, spans=self._spans)
        if namesakes:
            values = Document.from_dict({"id": name, "text": text, "values": namesakes}, spans=False).metadata["values"]
            document = replace(document, metadata=document.metadata | values)
        return document

    def _made_id(self, number: int, text: Any) -> str:
        prefix = self.prefix or f"stdin@{_digest(str(text).encode('utf-8', 'surrogatepass'))}:"
        return f"{prefix}{number}"


def _kind(path: Path) -> str:
    name = path.name.lower()
    kind = Path(name.removesuffix(PACKED)).suffix
    return "" if kind == PARQUET and name.endswith(PACKED) else kind


def _open(path: Path) -> Any:
    return gzip.open(path, "rb") if path.name.lower().endswith(PACKED) else path.open("rb")


def _prefix(path: Path) -> str:
    """How the ids begin that a file's records get; also if its name is no text."""
    path = path.resolve()
    name = os.fsencode(path.name).decode("utf-8", "backslashreplace")
    return f"{name}@{_digest(os.fsencode(path.parent))}:"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]


def _text_records(lines: Iterator[Line], text_column: str) -> Iterator[Record]:
    """A record for each line that is not empty."""
    for line in lines:
        if line.fault or line.content.strip():
            is_text = line.content.strip().strip("\0")
            yield line_record(line, {text_column: line.content} if is_text else ValueError("it holds NUL bytes only"))


def _decode(value: Any, kind: str) -> Any:
    """A text, which some tables hold as bytes."""
    try:
        return value.decode("utf-8") if isinstance(value, bytes) else value
    except UnicodeDecodeError as error:
        raise ValueError(f"the {kind} is not valid UTF-8 at byte {error.start}") from None


def _as_id(value: Any) -> Any:
    """An id as `Document` takes it; a table with nulls has floats for whole numbers, and NaN for null."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, float | Decimal):
        if value != value:
            return None
        if -EXACT < value < EXACT and value == int(value):
            return int(value)
    return _decode(value, "id")
