"""`nerret compact`: give unused space back to the disk."""

from __future__ import annotations

import argparse

from .arguments import add_index
from .streams import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_index(parser)


def run(options: argparse.Namespace) -> int:
    """Compact the index, and print its size before and after."""
    from ..index.store import Store

    store = Store(options.index)
    size = store.info()["bytes"]
    with store.writing() as writer:
        writer.compact()
    say(f"{options.index}: {size:,} bytes before, {store.info()['bytes']:,} now")
    return 0
