"""Index the demo corpus and answer three type queries: `python -m modeling_nerret.demo`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ..cli import main
from . import QUERIES

with tempfile.TemporaryDirectory() as folder:
    index = str(Path(folder) / "index")
    status = main(["index", "demo", index])
    for query in QUERIES:
        if status == 0:
            print(f'\nnerret search INDEX "{query}"', flush=True)
            status = main(["search", index, query])
sys.exit(status)
