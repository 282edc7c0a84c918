"""Keep a process that indexes for hours at the size that it needs; only glibc wants this, elsewhere nothing happens.

glibc gives each thread a heap of its own. The storage engine has many threads, and what they free in theirs stays with
the process: it grew by half over 100,000 documents. So threads that begin after the import of this module share one.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_ARENA_MAX = -8  # of malloc.h

with suppress(OSError, AttributeError):
    ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def trim_memory() -> None:
    """Give freed memory back to the system."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
