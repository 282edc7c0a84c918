"""Files that may be packed: their bytes, unpacked as a stream."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

SUFFIXES = (".gz", ".zst")
# What unpacking raises; errors of the file itself, such as a missing right to read, are others
DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile)


def packing(name: str) -> str:
    """The suffix that says how a file is packed; empty if it is not.

    Example:
        >>> packing("a.jsonl.GZ"), packing("a.jsonl")
        ('.gz', '')
    """
    return next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")


def open_packed(path: Path, most_bytes: int | None = None) -> BinaryIO:
    """A file's bytes, unpacked.

    Args:
        path: the file.
        most_bytes: how many it may have; `None`: as many as it has.

    Raises:
        OSError: it cannot be opened. Reading raises one of `DAMAGE` where the file is damaged, and `OSError` where it
            is too large.
    """
    suffix = packing(path.name)
    file = cast(BinaryIO, gzip.GzipFile(path, "rb")) if suffix == ".gz" else path.open("rb")
    if suffix == ".zst":
        file = cast(BinaryIO, io.BufferedReader(_Zstandard(file)))
    return file if most_bytes is None else cast(BinaryIO, io.BufferedReader(_Bounded(file, most_bytes)))


class _Bounded(io.RawIOBase):
    """A stream that may not be longer than a number of bytes: a small file may unpack to more than the memory."""

    def __init__(self, file: BinaryIO, most_bytes: int):
        self._file, self._rest, self._most_bytes = file, most_bytes, most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read1(min(len(buffer), io.DEFAULT_BUFFER_SIZE))  # type: ignore[attr-defined]
        self._rest -= len(data)
        if self._rest < 0:
            raise OSError(f"unpacked it has over {self._most_bytes:,} bytes")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


class _Zstandard(io.RawIOBase):
    """Unpacks Zstandard, also of several frames one after the other, with the library that Arrow brings."""

    def __init__(self, file: BinaryIO):
        import pyarrow as pa

        self._file, self._stream = file, pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except OSError as error:
            raise EOFError(str(error)) from None
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
            self._file.close()
        super().close()
