"""Text files and their lines, in UTF-8, in UTF-16 or UTF-32 with a byte-order mark, or in a named encoding."""

from __future__ import annotations

import codecs
import io
import re
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple, TextIO

BOM = "\ufeff"
REMEDY = "name the encoding with --encoding, such as --encoding cp1252, or save the file as UTF-8"
LONGEST = 100_000_000  # characters of a line or record; without a limit, a damaged file could fill the memory

_MARKS = (  # the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MARK_BYTES = 4  # of the longest mark
_CONTROLS = re.compile("[\0-\x08\x0e-\x1a]")
_MANY, _HEAD = 0.05, 200  # of the characters; so many are looked at
_DAMAGE = re.compile("[\ud800-\udfff]")
_MARKING = "nerret.mark"

# Bytes that are no text become a lone surrogate, which no text can hold
codecs.register_error(_MARKING, lambda error: ("\udcff", error.end))  # type: ignore[attr-defined]


class Line(NamedTuple):
    """A line of a file.

    Args:
        number: its number in the file, from 1.
        text: its text with the line end.
        fault: why it cannot be read, if it cannot.
    """

    number: int
    text: str
    fault: str = ""

    @property
    def content(self) -> str:
        """The text without line end, and without the byte-order marks that stand between concatenated files."""
        return self.text.lstrip(BOM).rstrip("\r\n")


def standard_input() -> BinaryIO:
    """The bytes of standard input, also if text stands in its place, as in notebooks.

    Raises:
        OSError: it is closed.
    """
    if sys.stdin is None:
        raise OSError("standard input is closed; give a file, or pipe text in")
    return sys.stdin.buffer if hasattr(sys.stdin, "buffer") else io.BytesIO(sys.stdin.read().encode("utf-8"))


def has_mark(head: bytes) -> bool:
    """Whether a file that begins with these bytes has a byte-order mark."""
    return head.startswith((codecs.BOM_UTF8, *(mark for mark, _ in _MARKS)))


def open_text(stream: BinaryIO, newline: str | None = None, encoding: str = "") -> TextIO:
    """The text of a binary stream; bytes that are no text become lone surrogates, which `find_fault` names.

    Args:
        stream: an open file.
        newline: as for `open`.
        encoding: that of a text without a byte-order mark; empty: UTF-8.
    """
    head = stream.read(_MARK_BYTES)
    encoding = "utf-8" if has_mark(head) else encoding or "utf-8"
    encoding = next((name for mark, name in _MARKS if head.startswith(mark)), encoding)
    return io.TextIOWrapper(io.BufferedReader(_Joint(head, stream)), encoding, _MARKING, newline)


def read_lines(stream: BinaryIO, encoding: str = "") -> Iterator[Line]:
    """Lines that end in LF, CR LF or CR, as a stream; arguments as of `open_text`.

    Example:
        >>> stream = io.BytesIO("Göttingen\\r\\nOslo".encode("utf-16"))
        >>> [line.content for line in read_lines(stream)]
        ['Göttingen', 'Oslo']
    """
    file, number = open_text(stream, newline="", encoding=encoding), 0
    while text := file.readline(LONGEST):
        number += 1
        if len(text) < LONGEST:
            yield Line(number, text, find_fault(text, file.encoding))
            continue
        while not text.endswith(("\r", "\n")) and (text := file.readline(LONGEST)):
            pass  # its rest
        yield Line(number, "", f"the line is longer than {LONGEST:,} characters")


def decode_marked(data: bytes) -> str | None:
    """The text of bytes that begin with a byte-order mark; `None` without a mark.

    Raises:
        ValueError: they are not valid.
    """
    for mark, encoding in (*_MARKS, (codecs.BOM_UTF8, "utf-8")):
        if data.startswith(mark):
            text = data.decode(encoding, _MARKING)
            if fault := find_fault(text, encoding):
                raise ValueError(fault)
            return text.lstrip(BOM)
    return None


class _Joint(io.RawIOBase):
    """A stream with its first bytes, which were read before."""

    def __init__(self, head: bytes, stream: BinaryIO):
        self._head, self._stream = head, stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head or self._stream.read1(len(buffer))  # type: ignore[attr-defined]
        self._head = b""
        buffer[: len(data)] = data
        return len(data)


def find_fault(text: str, encoding: str = "utf-8") -> str:
    """Why a text is damaged, if it is.

    Example:
        >>> find_fault("Oslo"), find_fault("G\\udcffttingen")[:36]
        ('', 'the bytes from 1 are not valid UTF-8')
    """
    head = text[:_HEAD]
    for kind, count, part in (
        ("NUL bytes", text.count("\0"), text),
        ("control characters", len(_CONTROLS.findall(head)), head),  # what is Cyrillic or Arabic has few NUL bytes
    ):
        if count > 1 and count >= _MANY * len(part):
            return f"it is full of {kind}, as UTF-16 without a byte-order mark is; save the file as UTF-8"
    if text.isascii() or not (damage := _DAMAGE.search(text)):
        return ""
    if encoding != "utf-8":
        return f"the text from character {damage.start() + 1} on is not valid {encoding.upper()}"
    start = len(text[: damage.start()].encode("utf-8"))
    return f"the bytes from {start} are not valid UTF-8; {REMEDY}"
