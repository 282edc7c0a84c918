"""Kinds of files: what turns each into records."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from ...extras import install_line
from .csv_file import DELIMITERS, csv_records
from .dataset_folder import dataset_records, is_dataset
from .docx_file import docx_fields
from .html_file import html_fields
from .json_file import json_records
from .jsonl import jsonl_records
from .lines import Line, open_text, read_lines
from .mail_file import mail_fields
from .packed import SUFFIXES, open_packed, packing
from .parquet_file import parquet_records
from .pdf_file import pdf_records
from .record import Record, check_length
from .text_file import FILE, markdown_records, text_records
from .xlsx_file import xlsx_records

EXTRA = "files"
LARGEST = 100_000_000  # bytes of a page or mail
DATASET = "dataset"  # the kind of a folder


class Source(NamedTuple):
    """A file, and how it is to be read.

    Args:
        path: the file, or the folder of a dataset.
        name: what messages call it.
        text_columns: the fields of a table that hold the text.
        id_column: the field of a table that holds the id.
        split: where a text file is cut, see `text_file`.
        encoding: that of a text without a byte-order mark; empty: UTF-8.
        most_bytes: how many it may have, unpacked; `None`: as many as its kind allows.
    """

    path: Path
    name: str
    text_columns: tuple[str, ...] = ("text",)
    id_column: str = "id"
    split: str = FILE
    encoding: str = ""
    most_bytes: int | None = None

    def open(self) -> BinaryIO:
        """The file's bytes, unpacked."""
        return open_packed(self.path, self.most_bytes)

    def lines(self) -> Iterator[Line]:
        """The file's lines."""
        with self.open() as file:
            yield from read_lines(file, self.encoding)


class Kind(NamedTuple):
    """What turns a file of a kind into records.

    Args:
        records: reads a source.
        is_table: whether its records are rows with columns, of which the user says which holds the text; the text of
            others is called "text".
        is_text: whether such a file may be packed.
        package: the module that must be installed, if any.
        is_mute: whether nothing in such a text says its encoding, and no standard.
    """

    records: Callable[[Source], Iterator[Record]]
    is_table: bool
    is_text: bool
    package: str = ""
    is_mute: bool = False


def kind_name(path: Path) -> str:
    """The name in `KINDS` of a file or folder; another suffix, or none, if it is of no kind that is read.

    Example:
        >>> kind_name(Path("a.JSONL.gz")), kind_name(Path("a.parquet.gz")), kind_name(Path("a.png"))
        ('.jsonl', '.gz', '.png')
    """
    if path.is_dir():
        return DATASET if is_dataset(path) else ""
    return kind_of(path.name)


def kind_of(name: str) -> str:
    """The kind of a file by its name alone; see `kind_name`."""
    suffix = packing(name)
    kind = Path(name[: -len(suffix)] if suffix else name).suffix.lower()
    kind = ALIASES.get(kind, kind)
    return suffix if suffix and not (kind in KINDS and KINDS[kind].is_text) else kind


def accepted() -> str:
    """The kinds that are read, in words."""
    texts = ", ".join(name for name, kind in KINDS.items() if kind.is_text)
    files = ", ".join(name for name, kind in KINDS.items() if not kind.is_text and name != DATASET)
    return f"{texts} (also {' and '.join(SUFFIXES)}), {files}, folders of datasets, and - (JSONL on standard input)"


def check_package(name: str, count: int = 1) -> None:
    """Refuse files of a kind whose library is not installed.

    Raises:
        ImportError: the message names the library and what installs it.
    """
    package = KINDS[name].package
    if package and find_spec(package) is None:
        subject = f"{count} {name} files need" if count > 1 else f"a {name} file needs"
        raise ImportError(
            f"{subject} the package {package}; install it with: {install_line(EXTRA)}, or leave such files out with "
            f"--exclude '*{name}'"
        )


def _csv(source: Source, delimiters: str) -> Iterator[Record]:
    return csv_records(source.lines(), source.name, source.text_columns, source.id_column, delimiters)


def _json(source: Source) -> Iterator[Record]:
    with source.open() as file:
        yield from json_records(
            open_text(file, encoding=source.encoding), source.name, source.text_columns, source.id_column
        )


def _page(fields: Callable[[bytes], dict[str, Any]]) -> Callable[[Source], Iterator[Record]]:
    """Reads a file that is one document, from its bytes."""

    def records(source: Source) -> Iterator[Record]:
        with source.open() as file:
            data = file.read(LARGEST + 1)
        if not data.strip():
            return
        if len(data) > LARGEST:
            yield Record(1, "", ValueError(f"it has over {LARGEST:,} bytes; cut it"))
            return
        try:
            yield _document(fields(data))
        except ValueError as error:
            yield Record(1, "", error)

    return records


def _docx(source: Source) -> Iterator[Record]:
    yield _document(docx_fields(source.path, source.most_bytes))


def _document(fields: dict[str, Any]) -> Record:
    """The record of a file that is one document."""
    fault = check_length(len(fields["text"]), "cut it")
    if not fields["text"].strip():
        fault = "it has no text"
    return Record(1, "", ValueError(fault) if fault else fields)


KINDS = {
    ".jsonl": Kind(lambda source: jsonl_records(source.lines()), is_table=True, is_text=True),
    ".json": Kind(_json, is_table=True, is_text=True),
    ".csv": Kind(lambda source: _csv(source, DELIMITERS), is_table=True, is_text=True, is_mute=True),
    ".tsv": Kind(lambda source: _csv(source, "\t"), is_table=True, is_text=True, is_mute=True),
    ".txt": Kind(lambda source: text_records(source.lines(), source.split), is_table=False, is_text=True, is_mute=True),
    ".md": Kind(
        lambda source: markdown_records(source.lines(), source.split), is_table=False, is_text=True, is_mute=True
    ),
    ".html": Kind(_page(html_fields), is_table=False, is_text=True),
    ".eml": Kind(_page(mail_fields), is_table=False, is_text=True),
    ".pdf": Kind(lambda source: pdf_records(source.path), is_table=False, is_text=False, package="pypdf"),
    ".docx": Kind(_docx, is_table=False, is_text=False),
    ".xlsx": Kind(
        lambda source: xlsx_records(source.path, source.name, source.text_columns, source.most_bytes),
        is_table=True,
        is_text=False,
        package="openpyxl",
    ),
    ".parquet": Kind(lambda source: parquet_records(source.path, source.text_columns), is_table=True, is_text=False),
    DATASET: Kind(lambda source: dataset_records(source.path, source.text_columns), is_table=True, is_text=False),
}
ALIASES = {".ndjson": ".jsonl", ".htm": ".html", ".xhtml": ".html", ".markdown": ".md"}
