"""LanceDB: import it quietly, and without an HTTP client that takes longer to import than all the rest; connect to it.

LanceDB warns of corpora with many equal mentions; its log level comes from the environment, which is restored. It also
imports the models of `lance_namespace_urllib3_client`, and with them the whole package, for servers that are not used
here. A bare package in its place has the models only; it is taken away afterwards, and others import the real one.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

LOG_LEVEL = "LANCEDB_LOG"
CLIENT = "lance_namespace_urllib3_client"


@contextmanager
def _errors_only() -> Iterator[None]:
    """Set LanceDB's log to errors, unless the user has chosen a level."""
    level = os.environ.get(LOG_LEVEL)
    os.environ[LOG_LEVEL] = level or "error"
    try:
        yield
    finally:
        if level is None:
            del os.environ[LOG_LEVEL]


@contextmanager
def _without_client() -> Iterator[None]:
    """Put a bare package in the place of the client's, so that only what is asked for is imported from it."""
    spec = None if CLIENT in sys.modules else importlib.util.find_spec(CLIENT)
    if spec is None or spec.submodule_search_locations is None:
        yield
        return
    package = ModuleType(CLIENT)
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules[CLIENT] = package
    try:
        yield
    finally:
        del sys.modules[CLIENT]


with _errors_only():
    try:
        with _without_client():
            import lancedb
    except ImportError:  # a LanceDB that needs the whole client
        import lancedb
    from lancedb.index import FTS, BTree, IvfRq

__all__ = ["FTS", "BTree", "ForkError", "IvfRq", "connect", "is_failure", "lancedb", "refuse_fork"]

INDEX_CACHE, FILE_CACHE = 2 << 30, 8 << 20  # bytes; the latter fills up while documents are added
_users: list[int] = []  # the process that has used the engine, and so runs its threads


class ForkError(RuntimeError):
    """The engine was used before a fork, and its threads are not here."""


def refuse_fork() -> None:
    """Refuse to go on in a forked child, where the engine would wait for threads that are not there.

    Raises:
        ForkError: this process was forked from one that had used an index.
    """
    if _users and os.getpid() not in _users:
        raise ForkError(
            "an index cannot be used in a forked process; start processes with the method 'spawn', for example "
            "multiprocessing.get_context('spawn'), and open the index there"
        )


def is_failure(error: BaseException) -> bool:
    """Whether the engine, or the disk below it, has failed; a panic of its own is no ordinary exception."""
    if isinstance(error, ForkError):
        return False
    return isinstance(error, (OSError, RuntimeError)) or type(error).__name__ in ("RustPanic", "PanicException")


def connect(path: Path, **options: Any) -> lancedb.DBConnection:
    """A connection to the tables in a folder.

    Raises:
        ForkError: in a forked process.
    """
    refuse_fork()
    _users[:] = [os.getpid()]
    session = lancedb.Session(index_cache_size_bytes=INDEX_CACHE, metadata_cache_size_bytes=FILE_CACHE)
    return lancedb.connect(path, session=session, **options)
