"""The index on disk: documents, mentions, windows, metadata and terms in LanceDB. It knows no model.

There are five tables: `documents` (a row each, with a full-text index), `mentions` and `windows` (a row each, with a
vector; texts are embedded window by window), `metadata` (a row for each value, so that filters need no schema) and
`terms` (how many documents contain each). Rows belong together by `key`, a new number for every written version of a
document. `snapshot.py` reads them as they stood at one commit, `writer.py` changes them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock, Thread
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
    REMEDY,
    as_path,
    count_bytes,
    has_index,
    is_vacant,
    make_private,
    plain_errors,
    read_manifest,
    remove_remains,
    write_lock,
    write_sealed,
)
from .snapshot import Snapshot
from .tables import make_tables
from .writer import Writer

T = TypeVar("T")
logger = logging.getLogger(__name__)

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
        self._database: Any = None
        self._latest: tuple[tuple[int, ...], Snapshot] | None = None  # with its stamp, so that threads see both or none
        self._names: set[str] = set()  # names of files whose sizes are right
        self.most_resident = 0  # mentions of an index that is kept in memory
        self._loader = Lock()  # held by the thread that reads a snapshot into memory
        self._failure: tuple[int, ...] = ()  # stamp of the commit that could not be read into memory
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
                    remove_remains(path)
                    _make(path, size)
                    write_sealed(path / MANIFEST, {"format": FORMAT, "size": size, **manifest})
        return cls(path)

    def __len__(self) -> int:
        """Number of documents."""
        return self.read(lambda snapshot: snapshot.size)

    def count_mentions(self) -> int:
        """Number of mentions."""
        return self.read(lambda snapshot: snapshot.mention_count)

    def info(self) -> dict[str, Any]:
        """Path, model, detector, numbers of documents and mentions, bytes on disk."""
        counts = {"documents": len(self), "mentions": self.count_mentions(), "bytes": count_bytes(self.path)}
        names = {"model": self.manifest["model"], "detector": self.manifest.get("detector", "unknown")}
        return {"path": str(self.path), **names, **counts, "format": FORMAT}

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
            ValueError: the index is gone, or another one is in its place.
        """
        refuse_fork()
        self._check_manifest()  # a folder that is gone has no lock
        with ExitStack() as stack:
            with plain_errors(self.path):  # not around what the caller does: its errors are not the index's
                stack.enter_context(write_lock(self.path, timeout))
                self._check_manifest()
                writer = Writer(self.path)
            try:
                yield writer
            except ValueError:
                writer.roll_back()
                raise
            if writer.is_behind:
                _compact(writer)

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
        while True:
            stamp, latest = self._read_stamp(), self._latest
            if latest and latest[0] == stamp:
                self._make_resident(stamp, latest[1])
                return latest[1]
            try:
                self._check_manifest()
                commit = read_commit(self.path)
                check_files(self.path, commit, self._names)
            except ValueError:
                if self._read_stamp() == stamp:
                    raise
                continue  # a later commit has taken the files away
            database = self._database or connect(self.path)  # it keeps what it has read of the engine's indexes
            snapshot = Snapshot(database, commit)
            self._database, self._latest = database, (stamp, snapshot)

    def _make_resident(self, stamp: tuple[int, ...], snapshot: Snapshot) -> None:
        """Begin to read a snapshot into memory, if that is wanted; until it is there, the one on disk answers."""
        is_small = 0 < snapshot.mention_count <= self.most_resident if self.most_resident else False
        if type(snapshot) is Snapshot and is_small and stamp != self._failure and self._loader.acquire(blocking=False):
            Thread(target=self._load, args=(stamp, snapshot), daemon=True).start()

    def _load(self, stamp: tuple[int, ...], snapshot: Snapshot) -> None:
        from .resident import ResidentSnapshot

        try:
            resident = ResidentSnapshot(self._database or connect(self.path), snapshot.commit)
            latest = self._latest
            if latest and latest[0] == stamp:
                self._latest = stamp, resident
        except Exception as error:  # the commit may be gone; the next one is tried
            self._failure = stamp
            logger.warning("the index is not kept in memory: %s", error)
        finally:
            self._loader.release()

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
            self._latest = self._database = None

    def _remove_halves(self) -> None:
        """Remove what a power cut has left, if nobody writes: the engine cannot open a table beside half a file."""
        with suppress(OSError, RuntimeError), write_lock(self.path, 0):
            remove_halves(self.path, read_checksums(self.path, read_commit(self.path)))

    def _check_manifest(self) -> None:
        """Refuse to go on if the folder is gone, or was made anew, perhaps with another model."""
        if read_manifest(self.path) != self.manifest:
            raise ValueError(f"{self.path} was removed and made anew with another model; open it again")

    def _read_stamp(self) -> tuple[int, ...]:
        """What tells one commit's file from another's."""
        try:
            status = (self.path / COMMIT).stat()
        except (FileNotFoundError, NotADirectoryError):
            read_manifest(self.path)  # says what is there instead
            raise ValueError(f"{self.path / COMMIT} is missing; {REMEDY}") from None
        return status.st_ino, status.st_mtime_ns, status.st_size


def _compact(writer: Writer) -> None:
    """Compact after a change; if that fails, the change itself is stored all the same."""
    try:
        writer.compact()
    except (OSError, RuntimeError) as error:
        logger.warning("all changes are stored, but the index could not be compacted: %s", error)


def _make(path: Path, size: int) -> None:
    """Make the empty tables and the first commit."""
    commit = Commit(0, make_tables(path, size), 1, 0, 0, "checksums-0.jsonl", 0)
    remove_hints(path)
    files = table_files(path)
    make_durable(path, files.values())
    length = add_checksums(path, commit, {name: checksum(file) for name, file in files.items()})
    write_commit(path, Commit(0, commit.versions, 1, 0, 0, commit.checksums, length))
