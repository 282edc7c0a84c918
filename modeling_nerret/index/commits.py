"""Commits: what an index holds, as versions of its tables, and the checksums of the files behind them.

A commit is one small file that is replaced in one step, after all files of the tables' new versions have reached the
disk. So readers see the tables as they stood at one moment, what a killed writer has left is never seen, and a power
cut loses what was not committed and nothing else.

The files' SHA-256 stand in a second file, to which each commit adds its own lines. The commit says how long that file
is, so what an interrupted commit has added does not count.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .folder import COMMIT, REMEDY, TABLES, mode_of_files, read_sealed, sync, write_sealed

SMALL = 1 << 16  # bytes of a file that is read whole before the engine reads it


@dataclass(frozen=True)
class Commit:
    """What an index holds.

    Args:
        number: how many commits there were.
        versions: the version of each table.
        next_key: a number above the key of every document.
        words: number of words of all texts, as `terms.terms_of` counts them.
        since_compaction: number of commits since the last compaction.
        checksums: name of the file with the checksums.
        bytes: how much of that file counts.
        cleanup: whether files of earlier commits are being removed, so that checksums of missing files may remain.
    """

    number: int
    versions: dict[str, int]
    next_key: int
    words: int
    since_compaction: int
    checksums: str
    bytes: int
    cleanup: bool = False


class Checksum(NamedTuple):
    """A file's size in bytes and SHA-256."""

    size: int
    sha256: str


def read_commit(path: Path) -> Commit:
    """The last commit of the index at a path.

    Raises:
        ValueError: it is damaged.
    """
    fields = read_sealed(path / COMMIT)
    if not (fields.keys() == _SOUND.keys() and all(is_sound(fields[name]) for name, is_sound in _SOUND.items())):
        raise ValueError(f"{path / COMMIT} is damaged; {REMEDY}")
    return Commit(**fields)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _are_versions(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == set(TABLES) and all(map(_is_count, value.values()))


_SOUND: dict[str, Callable[[Any], bool]] = {
    "number": _is_count,
    "versions": _are_versions,
    "next_key": _is_count,
    "words": _is_count,
    "since_compaction": _is_count,
    "checksums": lambda value: isinstance(value, str) and bool(re.fullmatch(r"checksums-\d{1,20}\.jsonl", value)),
    "bytes": _is_count,
    "cleanup": lambda value: isinstance(value, bool),
}


def write_commit(path: Path, commit: Commit) -> None:
    """Make a commit the last one."""
    write_sealed(path / COMMIT, asdict(commit))


def read_checksums(path: Path, commit: Commit) -> dict[str, Checksum]:
    """Checksums of the tables' files, by path in the index folder.

    Raises:
        ValueError: their file is damaged.
    """
    file = path / commit.checksums
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            raise ValueError("no file")
        with file.open("rb") as stream:
            content = stream.read(commit.bytes)
        if len(content) < commit.bytes:
            raise ValueError("too short")
        return {name: Checksum(size, digest) for name, size, digest in map(json.loads, content.splitlines())}
    except (OSError, ValueError, TypeError):
        raise ValueError(f"{file} is damaged; {REMEDY}") from None


def add_checksums(path: Path, commit: Commit, checksums: Mapping[str, Checksum]) -> int:
    """Write checksums after those that count; returns how many bytes then count."""
    lines = "".join(json.dumps([name, *checksum]) + "\n" for name, checksum in checksums.items()).encode()
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(path / commit.checksums, flags, mode_of_files(path)), "r+b") as stream:
        stream.truncate(commit.bytes)
        stream.seek(commit.bytes)
        stream.write(lines)
        stream.flush()
        os.fsync(stream.fileno())
    return commit.bytes + len(lines)


def table_files(path: Path) -> dict[str, Path]:
    """The files of all tables, by path in the index folder."""
    files: dict[str, Path] = {}
    for table in TABLES:
        for folder, _, names in os.walk(path / f"{table}.lance"):
            for name in names:
                file = Path(folder, name)
                files[file.relative_to(path).as_posix()] = file
    return files


def remove_hints(path: Path) -> None:
    """Remove the files in which the engine notes its latest version: they change, and it works without them."""
    for table in TABLES:
        (path / f"{table}.lance" / "_versions" / "latest_version_hint.json").unlink(missing_ok=True)


def remove_halves(path: Path, checksums: Mapping[str, Checksum]) -> None:
    """Remove versions of tables that were never committed; a power cut may have left but half of their files.

    Only the holder of the write lock may call it.
    """
    for name, file in table_files(path).items():
        if file.suffix == ".manifest" and name not in checksums:
            file.unlink()


def check_files(path: Path, commit: Commit, names: set[str]) -> None:
    """Look at the size of each file of the tables, and at the content of the small ones.

    Args:
        path: the index folder.
        commit: the commit that names the files.
        names: names of files that were looked at before; those of this call are added.

    Raises:
        ValueError: a file has changed since it was written.
        FileNotFoundError: a file is missing; after a compaction, those of older commits are.
    """
    for name, expected in read_checksums(path, commit).items():
        if name in names:
            continue
        file = path / name
        try:
            status = file.lstat()
            is_right = stat.S_ISREG(status.st_mode) and status.st_size == expected.size
            if not is_right or (expected.size <= SMALL and checksum(file) != expected):
                raise ValueError(f"{file} is damaged: it has changed since it was written; {REMEDY}")
        except FileNotFoundError:
            if not commit.cleanup:
                raise FileNotFoundError(f"{name} is missing") from None
        names.add(name)


def make_durable(path: Path, files: Iterable[Path]) -> None:
    """Wait until new files would survive a power cut, and make them as private as the index folder."""
    mode = mode_of_files(path)
    folders = set()
    for file in files:
        file.chmod(mode)
        sync(file)
        folders |= {folder for folder in file.parents if path in folder.parents}
    for folder in sorted(folders):
        sync(folder)
    sync(path)


def checksum(file: Path) -> Checksum:
    """A file's size and SHA-256."""
    with file.open("rb") as stream:
        digest: Any = hashlib.file_digest(stream, "sha256")
        return Checksum(stream.tell(), digest.hexdigest())
