"""Keep a process that indexes for hours at the size that it needs; only glibc needs this, elsewhere nothing happens."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8  # of malloc.h


def share_heap() -> None:
    """Let all threads that begin from now on share one heap; only the owner of the process should call it.

    glibc gives each thread a heap, and what the storage engine's many threads free in theirs stays with the process:
    without this it grew by half over 100,000 documents. A process that forks must not call it: its children crash.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def trim_memory() -> None:
    """Give freed memory back to the system."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
