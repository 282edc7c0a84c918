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


def open_packed(path: Path) -> BinaryIO:
    """A file's bytes, unpacked.

    Raises:
        OSError: it cannot be opened. Reading raises one of `DAMAGE` where the file is damaged.
    """
    suffix = packing(path.name)
    if suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    file = path.open("rb")
    return cast(BinaryIO, io.BufferedReader(_Zstandard(file))) if suffix else file


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
