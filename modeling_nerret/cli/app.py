"""`nerret app`: ask an index in the browser."""

from __future__ import annotations

import argparse

from .arguments import positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("index", nargs="?", help="the index folder; without it, the demo corpus and your own texts")
    add("--port", type=positive, metavar="N", help="default: the first free one from 7860")
    add("--no-browser", action="store_true", help="only print the address")


def run(options: argparse.Namespace) -> int:
    """Show the app until Ctrl-C."""
    if options.index is not None:
        from ..index.folder import read_manifest

        read_manifest(options.index)  # a wrong path should say so before the app is loaded
    from ..app.page import run as show
    from ..index.memory import share_heap

    share_heap()
    show(options.index, options.port, not options.no_browser)
    return 0
