"""`nerret check`: verify an index."""

from __future__ import annotations

import argparse

from ..index.plain_text import one_line
from .arguments import add_index
from .streams import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_index(parser)
    parser.add_argument(
        "--deep", action="store_true", help="also read every document, mention and vector, and compare them"
    )


def run(options: argparse.Namespace) -> int:
    """Print what is wrong, a line each; 1 if anything is."""
    from ..index.check import Check

    check = Check(options.index)
    faults = check.faults(options.deep)
    for fault in faults:
        print(one_line(fault))
    documents = f"{check.snapshot.size:,} documents, {check.snapshot.mention_count:,} mentions"
    say(f"{options.index}: {documents}, {len(faults) or 'no'} faults found")
    return 1 if faults else 0
