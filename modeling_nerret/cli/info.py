"""`nerret info`: say what an index holds."""

from __future__ import annotations

import argparse

from ..index.plain_text import visible
from .arguments import add_index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_index(parser)


def run(options: argparse.Namespace) -> int:
    """Print path, model, numbers of documents and mentions, bytes on disk."""
    from ..index.store import Store

    for name, value in Store(options.index).info().items():
        print(f"{name:<10} {visible(str(value))}")
    return 0
