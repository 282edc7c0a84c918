"""The index folder: its manifest, its lock, and errors of the disk in plain words."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

FORMAT = 2
TABLES = ("documents", "mentions", "windows", "metadata")
MANIFEST, LOCK = "nerret.json", "write.lock"

_REMEDIES = {  # words of the storage engine and of the system: what is wrong and what to do
    "No space left": "the disk is full; make room",
    "File too large": "a file would be larger than this system allows; raise the limit (ulimit -f)",
    "Disk quota": "the disk quota is used up; make room",
    "Read-only file system": "the folder is read-only; choose another path or remount it",
    "Permission denied": "there is no permission to write here; choose another path or change the folder's owner",
}


def is_vacant(path: str | Path) -> bool:
    """Whether an index can be made at a path: nothing is there, an empty folder, or the rest of a killed attempt."""
    path = Path(path)
    if not path.exists():
        return True
    if not path.is_dir():
        return False
    names = {entry.name for entry in path.iterdir()}
    remains = {LOCK, f"{MANIFEST}.new", *(f"{table}.lance" for table in TABLES)}
    return not names or (LOCK in names and names <= remains)


def has_index(path: str | Path) -> bool:
    """Whether there is a complete index at a path."""
    return (Path(path) / MANIFEST).is_file()


def read_manifest(path: str | Path) -> dict[str, Any]:
    """An index's manifest: `format`, `size` (of a vector), `model` and `fingerprint`.

    Raises:
        ValueError: there is no index at the path, or one of another format.
    """
    path = Path(path)
    manifest = path / MANIFEST
    if not manifest.is_file():
        raise ValueError(
            f"{path} is no nerret index ({_what_is_there(path)} is there); make one with: nerret index CORPUS {path}"
        )
    try:
        fields = json.loads(manifest.read_text(encoding="utf-8"))
        version = fields["format"]
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{manifest} is damaged; index its corpus again under a new path") from None
    if version != FORMAT:
        raise ValueError(
            f"{path} has index format {version}, this version of nerret reads {FORMAT}; "
            "index its corpus again under a new path: nerret index CORPUS NEW_PATH"
        )
    return fields


def _what_is_there(path: Path) -> str:
    if path.is_file():
        return "a file"
    if not path.exists():
        return "nothing"
    return "an interrupted attempt to make one" if is_vacant(path) and any(path.iterdir()) else "a folder"


def write_manifest(path: Path, fields: Mapping[str, Any]) -> None:
    """Write the manifest in one step: its presence says that the index is complete."""
    new = path / f"{MANIFEST}.new"
    with new.open("w", encoding="utf-8") as file:
        file.write(json.dumps(fields, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path / MANIFEST)


@contextmanager
def write_lock(path: Path, timeout: float = 10.0) -> Iterator[None]:
    """Hold the folder's write lock; wait at most `timeout` seconds for it.

    Raises:
        RuntimeError: another process still writes.
    """
    try:
        with FileLock(path / LOCK, timeout=timeout):
            yield
    except Timeout:
        raise RuntimeError(f"another process writes to {path}; try again when it is done") from None


@contextmanager
def plain_errors(path: Path) -> Iterator[None]:
    """Say in plain words that the disk is full or the folder cannot be written.

    Raises:
        OSError: what is wrong, and what to do.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        remedy = next((remedy for words, remedy in _REMEDIES.items() if words in str(error)), None)
        if remedy is None:
            raise
        raise OSError(f"{path}: {remedy} and run this again; what was committed is kept") from error
