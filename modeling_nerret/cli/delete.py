"""`nerret delete`: remove documents from an index."""

from __future__ import annotations

import argparse

from .arguments import add_index
from .streams import as_text, say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_index(parser)
    parser.add_argument("ids", type=as_text, nargs="+", metavar="ID", help="ids of documents")


def run(options: argparse.Namespace) -> int:
    """Remove the documents; 1 if one was not there."""
    from ..index.store import Store

    store = Store(options.index)
    with store.writing() as writer:
        count = writer.delete(options.ids)
    say(f"{count} of {len(options.ids)} documents removed")
    return 0 if count == len(options.ids) else 1
