"""A corpus: documents of a file or of standard input, and the places where a record is none."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from stat import S_ISREG
from typing import Any
from uuid import UUID

from ...documents import Document
from .encodings import check_encoding, guess_encoding
from .jsonl import jsonl_records
from .kinds import DATASET, KINDS, Kind, Source, accepted, check_package, kind_name
from .lines import read_lines, standard_input
from .packed import DAMAGE, open_packed
from .record import Record
from .text_file import FILE, SPLITS

STDIN = "-"
EXACT = 2**53  # from here on a float may be another whole number than was meant
OWN_NAMES = ("id", "text")  # fields of `Document`
TITLE = "title"  # stays metadata, to be shown, also if it is a part of the text


@dataclass(frozen=True)
class BadLine:
    """A record that is no document: where it stands, and why it was refused."""

    where: str
    reason: str


def read_corpus(
    source: str,
    text_column: str = "text",
    id_column: str = "id",
    spans: bool = False,
    split: str = FILE,
    name: str = "",
    hashes: set[int] | None = None,
    encoding: str = "",
    most_bytes: int | None = None,
) -> Corpus:
    """Documents of a corpus in order, with a `BadLine` for each record that is none or repeats an id.

    The corpus is streamed; only a hash of each id stays in memory.

    Args:
        source: a file, the folder of a dataset, or `-` for JSONL on standard input.
        text_column: the field that holds the text, or several with commas between them: their values are joined, with
            an empty line between them, and what is missing is left out.
        id_column: the field that holds the id; a record without one gets an id from its place, see `Corpus`.
        spans: whether a field called `mentions` holds the spans of mentions; else it is metadata.
        split: whether a text or Markdown file is a document as a whole (`"file"`), or each `"paragraph"` or `"line"`.
        name: what messages call the file; empty: the file's name.
        hashes: hashes of the ids of earlier corpora, which must not be repeated; those of this one are added.
        encoding: that of texts and tables without a byte-order mark; empty: UTF-8, or a guess that is sure.
        most_bytes: how many a file may have, unpacked; `None`: as many as its kind allows.

    Raises:
        OSError: the file cannot be read, or is damaged from some line or row on.
        ValueError: the file is of another kind, lacks the text column, or the encoding is unknown.
        ImportError: the library that reads it is not installed.
    """
    encoding = check_encoding(encoding) if encoding else ""
    columns = tuple(dict.fromkeys(column.strip() for column in text_column.split(",")))
    if "" in columns:
        raise ValueError(f"{text_column!r} names no column; write NAME, or NAME,NAME for several")
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; accepted are {', '.join(SPLITS)}")
    return Corpus(source, columns, id_column, spans, split, name, hashes, encoding, most_bytes)


class Corpus(Iterator[Document | BadLine]):
    """What `read_corpus` returns: an iterator that knows the ids it has given.

    The id of a record without one is made of its place, `{file}@{folder}:{number}`: the file's name, eight digits of
    the SHA-256 of the folder's path, and the line, row, page or record. So a file gives the same ids wherever the
    command runs, and no two files share one. On standard input it is `stdin@{text}:{line}`, with digits of the text's
    SHA-256.

    Attributes:
        prefix: how such ids of this file begin; empty for standard input.
        is_table: whether it has rows with columns; else the file itself, or a part of it, is the document, whose
            metadata has its `path`.
        has_made_ids: whether a record so far had no id.
        guess: the encoding that was guessed, if one was.
    """

    def __init__(
        self,
        source: str,
        text_columns: tuple[str, ...],
        id_column: str,
        spans: bool,
        split: str = FILE,
        name: str = "",
        hashes: set[int] | None = None,
        encoding: str = "",
        most_bytes: int | None = None,
    ):
        self._text_columns, self._id_column, self._spans = text_columns, id_column, spans
        self._hashes = set() if hashes is None else hashes  # of all ids so far
        self.prefix, self.has_made_ids, self.is_table = "", False, True
        self._path = self.guess = ""
        if source == STDIN:
            self._name = "standard input"
            self._items = self._read(source, jsonl_records(read_lines(standard_input(), encoding)))
            return
        path = Path(source)
        kind = _kind(path, source)
        self._name, self.prefix, self.is_table = name or path.name, prefix_of(path), kind.is_table
        if not kind.is_table:
            self._text_columns, self._id_column = ("text",), ""
            self._path = _as_unicode(path.resolve())
        if kind.is_mute and not encoding:
            with open_packed(path, most_bytes) as file:
                self.guess = encoding = guess_encoding(file)
        file_source = Source(path, self._name, text_columns, id_column, split, encoding, most_bytes)
        self._items = self._read(source, kind.records(file_source))

    def __next__(self) -> Document | BadLine:
        """The next document, or the next record that is none."""
        return next(self._items)

    def has_given(self, id: str) -> bool:
        """Whether a record so far has this id."""
        return hash(id) in self._hashes

    def _read(self, source: str, records: Iterator[Record]) -> Iterator[Document | BadLine]:
        place = "line 0"
        try:
            for record in records:
                place = record.place
                yield self._item(record)
        except DAMAGE as error:
            raise OSError(f"{source} is damaged or cut off after {place} ({error})") from None

    def _item(self, record: Record) -> Document | BadLine:
        try:
            if isinstance(record.fields, ValueError):
                raise record.fields
            document = self._document(record.number, record.fields)
            if self.has_given(document.id):
                raise ValueError(f"the id {document.id!r:.60} stands on an earlier line too; ids must differ")
        except ValueError as error:
            self._hashes.add(hash(f"{self.prefix}{record.number}"))  # what the record gave before is not stale
            return BadLine(f"{self._name}, {record.place}" if record.place else self._name, str(error))
        self._hashes.add(hash(document.id))
        return document

    def _document(self, number: int | str, fields: dict[str, Any]) -> Document:
        """The document of a record; fields called id or text beside the columns so called are metadata.

        Raises:
            ValueError: the record is no document.
        """
        text, name = self._text(fields), _as_id(fields.get(self._id_column))
        if name is None:
            self.has_made_ids = True
            name = self._made_id(number, text)
        entry: dict[str, Any] = {"id": name, "text": text}
        namesakes: dict[str, Any] = {}
        columns = {self._id_column, *self._text_columns} - ({TITLE} if len(self._text_columns) > 1 else set())
        for field, value in fields.items():
            if field not in columns:
                (namesakes if field in OWN_NAMES else entry)[field] = value
        if self._path:
            entry["path"] = self._path
        document = Document.from_dict(entry, spans=self._spans)
        if namesakes:
            values = Document.from_dict({"id": name, "text": text, "values": namesakes}, spans=False).metadata["values"]
            document = replace(document, metadata=document.metadata | values)
        return document

    def _text(self, fields: dict[str, Any]) -> Any:
        """The text of a record: of one column as it is, or of several that are there, with an empty line between."""
        columns = [column for column in self._text_columns if column in fields]
        if not columns:
            names = " or ".join(map(repr, self._text_columns))
            raise ValueError(f"there is no {names}; the fields are {', '.join(map(str, fields)) or 'none'}")
        texts = [_decode(fields[column], "text") for column in columns]
        if len(self._text_columns) == 1:
            return texts[0]
        for column, text in zip(columns, texts, strict=True):
            if not isinstance(text, str | None):
                raise ValueError(f"the column {column!r} holds {type(text).__name__}, not a string")
        return "\n\n".join(text for text in texts if text and text.strip())

    def _made_id(self, number: int | str, text: Any) -> str:
        prefix = self.prefix or f"stdin@{_digest(str(text).encode('utf-8', 'surrogatepass'))}:"
        return f"{prefix}{number}"


def _kind(path: Path, source: str) -> Kind:
    """The kind of a file or dataset that can be read.

    Raises:
        OSError: it is not there, or is a folder, a pipe or a device.
        ValueError: it is of an unknown kind.
        ImportError: its library is not installed.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise OSError(f"no corpus at {source!r}: it is not there") from None
    except OSError as error:
        raise OSError(f"no corpus at {source!r}: it cannot be read ({error.strerror})") from None
    name = kind_name(path)
    if path.is_dir() and name != DATASET:
        raise OSError(f"no corpus at {source!r}: it is a folder")
    if name not in KINDS:
        raise ValueError(f"{source!r} is of an unknown kind; accepted are {accepted()}")
    if name != DATASET and not S_ISREG(mode):
        raise OSError(f"{source!r} is no file but a pipe or device; pipe JSONL into: nerret index - INDEX")
    check_package(name)
    return KINDS[name]


def prefix_of(path: Path) -> str:
    """How the ids begin that a file's records get; also if its name is no text."""
    path = path.resolve()
    return f"{_as_unicode(Path(path.name))}@{folder_digest(path.parent)}:"


def folder_digest(folder: Path) -> str:
    """What stands for a folder in ids."""
    return _digest(os.fsencode(folder))


def _as_unicode(path: Path) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:8]


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
