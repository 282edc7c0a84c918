"""DOCX: the text of a Word document, with its tables, notes and text boxes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

from .office import DAMAGE, open_archive

MAIN, NOTES, PROPERTIES = "word/document.xml", ("word/footnotes.xml", "word/endnotes.xml"), "docProps/core.xml"
FIELDS = {"title": "title", "creator": "author", "created": "date"}
_SIGNS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "tc": "\t", "tr": "\n"}
# What is not shown: text that tracked changes removed, and the second form of what stands before it
_UNSEEN = frozenset(["del", "moveFrom", "Fallback"])


def docx_fields(path: Path, most_bytes: int | None = None) -> dict[str, Any]:
    """The text of a document, and its title, author and date where it has them.

    Paragraphs have an empty line between them; the cells of a table have a tab, and its rows are lines.

    Args:
        path: the file.
        most_bytes: how many it may have, unpacked; `None`: 1 GB.

    Raises:
        OSError: the file is damaged or encrypted.
    """
    with open_archive(path, "Word", MAIN, most_bytes) as archive:
        try:
            names = set(archive.namelist())
            parts = [_text(archive, name) for name in (MAIN, *NOTES) if name in names]
            fields = _properties(archive) if PROPERTIES in names else {}
        except DAMAGE as error:
            raise OSError(f"it is damaged ({error})") from None
    return fields | {"text": "\n\n".join(part for part in parts if part)}


def _text(archive: ZipFile, name: str) -> str:
    """The text of a part of the archive; its elements are read as a stream, however deep they lie."""
    pieces: list[str] = []
    unseen = cells = 0  # elements that are open
    with archive.open(name) as file:
        for event, element in ElementTree.iterparse(file, ("start", "end")):
            tag, is_start = element.tag.rpartition("}")[2], event == "start"
            if tag in _UNSEEN:
                unseen += 1 if is_start else -1
            elif tag == "tc":
                cells += 1 if is_start else -1
            if is_start or unseen:
                continue
            if tag == "t":
                pieces.append(element.text or "")
            elif tag == "p":
                pieces.append("\n" if cells else "\n\n")
            elif tag in _SIGNS:
                pieces.append(_SIGNS[tag])
            elif tag == "tbl":
                pieces.append("\n\n")
            if tag in ("p", "tbl"):
                element.clear()
    text = re.sub(r"\n*\t(?=\n|\Z)", "", "".join(pieces))  # after the last cell of a row
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"\n+\t", "\t", text)).strip()


def _properties(archive: ZipFile) -> dict[str, str]:
    def fields() -> Iterator[tuple[str, str]]:
        for element in ElementTree.fromstring(archive.read(PROPERTIES)).iter():
            name, value = FIELDS.get(element.tag.rpartition("}")[2]), (element.text or "").strip()
            if name and value:
                yield name, value

    return dict(fields())
