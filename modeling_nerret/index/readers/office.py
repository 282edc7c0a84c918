"""Files of Office programs: ZIP archives, checked before a part of them is read."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from xml.etree import ElementTree

COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # begins encrypted files, and those of Office before 2007
LARGEST = 1_000_000_000  # bytes, unpacked: a small archive may hold more than the memory
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    ElementTree.ParseError,
)


def open_archive(path: Path, kind: str, part: str, most_bytes: int | None = None) -> zipfile.ZipFile:
    """An Office file as an archive.

    Args:
        path: the file.
        kind: what it should be, for messages.
        part: a name in the archive that such a file has.
        most_bytes: how many it may have, unpacked; `None`: 1 GB.

    Raises:
        OSError: it is damaged, encrypted or something else. Reading a part raises one of `DAMAGE` where it is damaged.
    """
    with path.open("rb") as file:
        head = file.read(len(COMPOUND))
    if head == COMPOUND:
        raise OSError(
            f"it is encrypted with a password, or in the format of {kind} before 2007; save it as {path.suffix}"
        )
    try:
        archive = zipfile.ZipFile(path)
    except DAMAGE as error:
        raise OSError(f"it is no {kind} file, or a damaged one ({error})") from None
    sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    largest = most_bytes or LARGEST
    if part in sizes and sum(sizes.values()) <= largest:
        return archive
    archive.close()
    raise OSError(f"unpacked it has over {largest:,} bytes" if part in sizes else f"it is no {kind} file")
