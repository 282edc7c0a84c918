"""The index folder: its path, its lock, its small files, and errors of the disk in plain words."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Lock, get_ident
from typing import Any

from filelock import FileLock, Timeout

FORMAT = 3
TABLES = ("documents", "mentions", "windows", "metadata", "terms")
MANIFEST, COMMIT, LOCK = "nerret.json", "commit.json", "write.lock"
NEW = ".new"  # ends the name of a file that is being written
PRIVATE = 0o700  # of a new index folder: a corpus may be confidential

REMEDY = "index its corpus again under a new path, or restore the folder from a backup"

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_REMEDIES = {  # words of the storage engine and of the system: what is wrong and what to do
    "No space left": "the disk is full; make room",
    "File too large": "a file would be larger than this system allows; raise the limit (ulimit -f)",
    "Disk quota": "the disk quota is used up; make room",
    "Read-only file system": "the folder is read-only; choose another path or remount it",
    "Permission denied": "there is no permission to write here; choose another path or change the folder's owner",
}


def count_bytes(path: Path) -> int:
    """Bytes of all files in a folder, without those that vanish meanwhile."""
    size = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                size += Path(folder, name).lstat().st_size
    return size


def as_path(path: str | Path) -> Path:
    """An index's path as an absolute one, so that a change of the working folder changes nothing; `~` is the home.

    Raises:
        ValueError: it is an address such as `s3://bucket/index`.
    """
    if _ADDRESS.match(os.fspath(path)):
        raise ValueError(f"{os.fspath(path)!r} is an address; an index is a folder of this computer: give its path")
    return Path(path).expanduser().absolute()


def is_vacant(path: Path) -> bool:
    """Whether an index can be made at a path: nothing is there, an empty folder, or the rest of a killed attempt."""
    if not path.exists():
        return True
    if not path.is_dir():
        return False
    names = {entry.name for entry in path.iterdir()}
    small = {name for name in names if name.startswith((COMMIT, f"{MANIFEST}{NEW}", "checksums-"))}
    remains = {LOCK, *small, *(f"{table}.lance" for table in TABLES)}
    return not names or (LOCK in names and names <= remains and not _has_documents(path))


def remove_remains(path: Path) -> None:
    """Remove what a killed attempt to make an index has left; it may be half a file, or for a model of another size.

    Only the holder of the write lock may call it.

    Raises:
        ValueError: there is something else.
    """
    if not is_vacant(path):
        raise ValueError(f"{path} exists and is no nerret index; choose a new path")
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()


def _has_documents(path: Path) -> bool:
    """Whether anything was written after the empty tables of a new index."""
    if not (path / COMMIT).exists():  # its tables have no data, unless the file was lost
        return any(any(folder.iterdir()) for folder in path.glob("*.lance/data"))
    try:
        return bool(read_sealed(path / COMMIT).get("number") != 0)
    except ValueError:
        return True


def has_index(path: Path) -> bool:
    """Whether there is a complete index at a path."""
    return (path / MANIFEST).is_file()


def read_manifest(path: str | Path) -> dict[str, Any]:
    """An index's manifest: `format`, `size` (of a vector), `model` and `fingerprint`.

    Raises:
        ValueError: there is no index at the path, a damaged one, or one of another format.
    """
    path = as_path(path)
    if not has_index(path):
        raise ValueError(
            f"{path} is no nerret index ({_what_is_there(path)} is there); make one with: nerret index CORPUS {path}"
        )
    fields = read_sealed(path / MANIFEST, is_older=lambda fields: fields.get("format") != FORMAT)
    if fields["format"] != FORMAT:
        raise ValueError(
            f"{path} has index format {fields['format']!r}, this version of nerret reads {FORMAT}; "
            "index its corpus again under a new path: nerret index CORPUS NEW_PATH"
        )
    size, names = fields.get("size"), (fields.get("model"), fields.get("fingerprint"))
    if isinstance(size, bool) or not isinstance(size, int) or size < 1 or not all(isinstance(n, str) for n in names):
        raise ValueError(f"{path / MANIFEST} is damaged; {REMEDY}")
    return fields


def _what_is_there(path: Path) -> str:
    if path.is_file():
        return "a file"
    if not path.exists():
        return "nothing"
    if (path / COMMIT).exists() and not is_vacant(path):
        return f"one without its {MANIFEST}"
    return "an interrupted attempt to make one" if is_vacant(path) and any(path.iterdir()) else "a folder"


def make_private(path: Path) -> None:
    """Make an index folder that only its owner can read; a table's files become as private as their folder."""
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    if not any(path.iterdir()):
        path.chmod(PRIVATE)
    for folder in new:
        with suppress(PermissionError):  # of a folder that may not be listed
            sync(folder.parent)


def mode_of_files(path: Path) -> int:
    """The permissions of files in an index folder: those of the folder."""
    return stat.S_IMODE(path.stat().st_mode) & 0o666


def write_sealed(file: Path, fields: Mapping[str, Any]) -> None:
    """Write a small file of JSON with its own SHA-256, in one step that a power cut leaves undone or done.

    Raises:
        OSError: it cannot be written.
    """
    new = file.with_name(file.name + NEW)
    new.unlink(missing_ok=True)
    content = dict(fields) | {"sha256": _seal(fields)}
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # no link is followed
    with os.fdopen(os.open(new, flags, mode_of_files(file.parent)), "w", encoding="utf-8") as stream:
        stream.write(json.dumps(content, indent=2) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
    sync(file.parent)


def read_sealed(file: Path, is_older: Any = lambda fields: False) -> dict[str, Any]:
    """The fields of a file that `write_sealed` wrote; one that `is_older` says is of another format needs no seal.

    Raises:
        ValueError: it is no regular file, or damaged.
    """
    damage = ValueError(f"{file} is damaged; {REMEDY}")
    if not file.exists() or not stat.S_ISREG(file.lstat().st_mode):
        raise damage
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        seal = fields.pop("sha256", None)
    except (ValueError, AttributeError, RecursionError):
        raise damage from None
    if seal != _seal(fields) and not (seal is None and is_older(fields) and "format" in fields):
        raise damage
    return fields


def _seal(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def write_lock(path: Path, timeout: float = 10.0) -> Iterator[None]:
    """Hold the folder's write lock; wait at most `timeout` seconds for another process.

    Other threads of this process are waited for as long as it takes, unless `timeout` is 0.

    Raises:
        RuntimeError: another process still writes, or this thread does.
        OSError: a link stands in the lock's place.
    """
    lock, turn = path / LOCK, _turn(path)
    if lock.is_symlink():
        raise OSError(f"{lock} is a link; remove it")
    if turn.thread == get_ident():  # it would wait for itself
        raise RuntimeError(f"this thread already writes to {path}; finish that first")
    if not turn.lock.acquire(blocking=timeout > 0):
        raise RuntimeError(f"another thread writes to {path}; try again when it is done")
    turn.thread = get_ident()
    try:
        with FileLock(lock, timeout=timeout, mode=mode_of_files(path) | 0o600):  # less it refuses
            yield
    except Timeout:
        raise RuntimeError(f"another process writes to {path}; try again when it is done") from None
    finally:
        turn.thread = None
        turn.lock.release()


@dataclass
class _Turn:
    """Which thread of this process writes to a folder."""

    lock: Lock = field(default_factory=Lock)
    thread: int | None = None


@cache
def _turn(path: Path) -> _Turn:
    return _Turn()


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
