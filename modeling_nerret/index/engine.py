"""Import LanceDB with its log set to errors, because it warns of corpora with many equal mentions.

LanceDB reads the level from the environment. The environment is restored afterwards.
"""

from __future__ import annotations

import os

_VARIABLE = "LANCEDB_LOG"
_level = os.environ.get(_VARIABLE)
os.environ[_VARIABLE] = _level or "error"

import lancedb  # noqa: E402
from lancedb.index import FTS, BTree, IvfRq  # noqa: E402

if _level is None:
    del os.environ[_VARIABLE]

__all__ = ["FTS", "BTree", "IvfRq", "lancedb"]
