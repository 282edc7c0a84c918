"""PDF: a document a page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from .record import Record

T = TypeVar("T")
SCAN = "only a picture of text, perhaps; make it text first, with a program for text recognition (OCR)"


def pdf_records(path: Path) -> Iterator[Record]:
    """A record for each page that has text, with its number as `page`, and a fault for those that have pictures only.

    Raises:
        OSError: the file is damaged, encrypted, or has no text at all.
    """
    from pypdf import PdfReader

    with path.open("rb") as file:
        reader = _quietly(lambda: _open(PdfReader(file, strict=False)), "it is no PDF, or a damaged one")
        count = _quietly(lambda: len(reader.pages), "it is damaged")
        values = _quietly(lambda: _metadata(reader), "its metadata are damaged")
        pictures: list[int] = []
        has_text = False
        for number in range(1, count + 1):
            try:
                page, text = _quietly(lambda number=number: _read(reader, number), "the page is damaged")  # type: ignore[misc]
            except OSError as error:
                yield Record(number, f"page {number}", ValueError(str(error)))
                continue
            if text.strip():
                has_text = True
                yield Record(number, f"page {number}", values | {"page": number, "text": text})
            elif _has_picture(page):
                pictures.append(number)
    if not has_text:
        raise OSError(f"none of its {count} pages has text; {SCAN}")
    if pictures:
        place = f"page{'s' * (len(pictures) > 1)} {', '.join(map(str, pictures))}"
        yield Record(pictures[0], place, ValueError(f"no text, {SCAN}"))


def _open(reader: Any) -> Any:
    """The reader, its file decrypted if that needs no password."""
    if reader.is_encrypted and not reader.decrypt(""):
        raise OSError("it is encrypted with a password; save it without one")
    return reader


def _read(reader: Any, number: int) -> tuple[Any, str]:
    page = reader.pages[number - 1]
    return page, page.extract_text().strip("\n")


def _has_picture(page: Any) -> bool:
    try:
        return bool(_quietly(lambda: len(page.images), ""))
    except OSError:
        return True


def _metadata(reader: Any) -> dict[str, Any]:
    information = reader.metadata
    if information is None:
        return {}
    date = information.creation_date
    values = {
        "title": information.title,
        "author": information.author,
        "date": date.isoformat() if isinstance(date, datetime) else None,
    }
    return {name: str(value).strip() for name, value in values.items() if value and str(value).strip()}


def _quietly(task: Callable[[], T], fault: str) -> T:
    """What a task gives, without the library's notes on standard error.

    Raises:
        OSError: it failed, in whatever way.
    """
    logger = logging.getLogger("pypdf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        return task()
    except OSError:
        raise
    except Exception as error:  # damaged files make the library fail in any way
        if "cryptography" in str(error) and type(error).__name__ == "DependencyError":
            raise OSError("it is encrypted with AES; save it without, or: pip install cryptography") from None
        raise OSError(f"{fault} ({str(error) or type(error).__name__:.100})") from None
    finally:
        logger.setLevel(level)
