"""The index on disk: documents, mentions, windows, metadata and terms in LanceDB. It knows no model.

There are five tables: `documents` (a row each, with a full-text index), `mentions` and `windows` (a row each, with a
vector; texts are embedded window by window), `metadata` (a row for each value, so that filters need no schema) and
`terms` (how many documents contain each). Rows belong together by `key`, a new number for every written version of a
document. `snapshot.py` reads them as they stood at one commit, `writer.py` changes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ..documents import Document
from ..spans import Span
from .commits import (
    Commit,
    add_checksums,
    check_files,
    checksum,
    make_durable,
    read_checksums,
    read_commit,
    remove_halves,
    remove_hints,
    table_files,
    write_commit,
)
from .engine import connect, is_failure, refuse_fork
from .folder import (
    COMMIT,
    FORMAT,
    MANIFEST,
    as_path,
    has_index,
    is_vacant,
    make_private,
    plain_errors,
    read_manifest,
    write_lock,
    write_sealed,
)
from .snapshot import Snapshot
from .tables import make_tables
from .writer import Writer

T = TypeVar("T")

PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)  # seconds before a failed reading is tried again
PATIENCE = 30.0  # seconds for all attempts, while another process goes on committing


class Store:
    """One index folder.

    Args:
        path: the folder.

    Raises:
        ValueError: the path is no index, a damaged one, or one of another format.
    """

    def __init__(self, path: str | Path):
        self.path = as_path(path)
        self.manifest = read_manifest(self.path)
        self._stamp: tuple[int, ...] = ()
        self._snapshot: Snapshot | None = None
        self._database: Any = None
        self._names: set[str] = set()  # names of files whose sizes are right
        self.read(lambda snapshot: snapshot.commit)  # so that damage is said at once

    @classmethod
    def create(cls, path: str | Path, size: int, **manifest: Any) -> Store:
        """Make an empty index for vectors of `size` numbers, or open the one that another process has just made.

        Raises:
            ValueError: something else is at the path.
            OSError: the folder cannot be written.
        """
        path = as_path(path)
        if not is_vacant(path) and not has_index(path):
            raise ValueError(f"{path} exists and is no nerret index; choose a new path")
        with plain_errors(path):
            make_private(path)
            with write_lock(path):
                if not has_index(path):
                    _make(path, size)
                    write_sealed(path / MANIFEST, {"format": FORMAT, "size": size, **manifest})
        return cls(path)

    def __len__(self) -> int:
        """Number of documents."""
        return self.read(lambda snapshot: snapshot.size)

    def count_mentions(self) -> int:
        """Number of mentions."""
        return self.read(Snapshot.count_mentions)

    def info(self) -> dict[str, Any]:
        """Path, model, numbers of documents and mentions, bytes on disk."""
        size = sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
        counts = {"documents": len(self), "mentions": self.count_mentions(), "bytes": size}
        return {"path": str(self.path), "model": self.manifest["model"], **counts, "format": FORMAT}

    def lookup(self, ids: Sequence[str], spans: bool = False) -> dict[str, Document]:
        """Documents by id, with their mentions if `spans`; ids that no document has are left out."""

        def documents(snapshot: Snapshot) -> dict[str, Document]:
            documents = snapshot.documents(list(snapshot.keys(ids).values()))
            mentions = snapshot.mentions(list(documents)) if spans else {}
            for key, places in mentions.items():
                documents[key] = replace(documents[key], mentions=tuple(Span(start, end) for start, end, _ in places))
            return {document.id: document for document in documents.values()}

        return self.read(documents)

    @contextmanager
    def writing(self, timeout: float = 10.0) -> Iterator[Writer]:
        """Hold the write lock, and undo everything on ValueError; gives the writer.

        Raises:
            RuntimeError: another process still holds the lock after `timeout` seconds.
            OSError: the disk is full or the folder read-only; what was committed is kept.
        """
        refuse_fork()
        with plain_errors(self.path), write_lock(self.path, timeout):
            writer = Writer(self.path)
            try:
                yield writer
            except ValueError:
                writer.roll_back()
                raise
            if writer.is_behind:
                writer.compact()

    def finish(self) -> None:
        """Compact the index if a killed writer should have done it, and if nobody else writes."""
        with suppress(OSError, RuntimeError), self.writing(0):
            pass

    def snapshot(self) -> Snapshot:
        """The last commit's documents.

        Raises:
            ValueError: the index is damaged.
            ForkError: in a forked process.
        """
        refuse_fork()
        stamp, snapshot = self._read_stamp(), self._snapshot
        if snapshot is None or stamp != self._stamp:
            commit = read_commit(self.path)
            check_files(self.path, commit, self._names)
            self._database = self._database or connect(self.path)  # it keeps what it has read of the engine's indexes
            snapshot = Snapshot(self._database, commit)
            self._snapshot, self._stamp = snapshot, stamp
        return snapshot

    def read(self, query: Callable[[Snapshot], T]) -> T:
        """What `query` gives for the last commit. It is asked again if files vanish, as in a compaction they do.

        Raises:
            ValueError: the tables are damaged, or cannot be read.
        """
        end, pauses = time.monotonic() + PATIENCE, list(PAUSES)
        while True:
            stamp = self._read_stamp()
            try:
                return query(self.snapshot())
            except BaseException as error:
                if not is_failure(error):
                    raise
                failure = error
            if self._read_stamp() != stamp and time.monotonic() < end:  # there is a later commit
                continue
            if pauses == list(PAUSES):
                self._remove_halves()
            if not pauses:
                raise ValueError(
                    f"{self.path} is damaged, or cannot be read ({' '.join(str(failure).split())[:160]}); "
                    f"find out what is wrong with: nerret check {self.path}"
                ) from failure
            time.sleep(pauses.pop(0))
            self._snapshot = self._database = None

    def _remove_halves(self) -> None:
        """Remove what a power cut has left, if nobody writes: the engine cannot open a table beside half a file."""
        with suppress(OSError, RuntimeError), write_lock(self.path, 0):
            remove_halves(self.path, read_checksums(self.path, read_commit(self.path)))

    def _read_stamp(self) -> tuple[int, ...]:
        """What tells one commit's file from another's."""
        status = (self.path / COMMIT).stat()
        return status.st_ino, status.st_mtime_ns, status.st_size


def _make(path: Path, size: int) -> None:
    """Make the empty tables and the first commit."""
    commit = Commit(0, make_tables(path, size), 1, 0, 0, "checksums-0.jsonl", 0)
    remove_hints(path)
    files = table_files(path)
    make_durable(path, files.values())
    length = add_checksums(path, commit, {name: checksum(file) for name, file in files.items()})
    write_commit(path, Commit(0, commit.versions, 1, 0, 0, commit.checksums, length))
