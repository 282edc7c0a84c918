"""`nerret demo`: index the demo corpus and answer three type queries."""

from __future__ import annotations

import argparse
import shlex

from .streams import as_text, say

EPILOG = """examples:
  nerret demo
  nerret demo my-demo

An index of the demo that is there already is kept, and an interrupted one is finished.
"""
NEXT = "volcano"  # a type to ask for afterwards


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "index",
        nargs="?",
        type=as_text,
        default="demo-index",
        metavar="INDEX",
        help="the index folder (default: demo-index, here)",
    )


def run(options: argparse.Namespace) -> int:
    """Index, ask, and say what to type next.

    Raises:
        ValueError: an index of other documents is at the path.
        OSError: the folder cannot be written.
    """
    from ..demo import QUERIES
    from . import run_command

    _check_index(options.index)
    say("nerret: indexing the demo, 339 short texts; this takes some seconds")
    run_command(["index", "demo", options.index])
    name = shlex.quote(options.index)
    for query in QUERIES:
        print(f'\n$ nerret search {name} "{query}"', flush=True)
        run_command(["search", options.index, query])
    print(f'\nNow ask for a type of your own:\n\n  nerret search {name} "{NEXT}"', flush=True)
    return 0


def _check_index(index: str) -> None:
    """Refuse the index of another corpus: the demo's texts would be mixed with it.

    Raises:
        ValueError: the message says what to do.
    """
    from ..index.folder import as_path, has_index

    if not has_index(as_path(index)):
        return
    import json
    from pathlib import Path

    from ..demo import demo_corpus
    from ..index.store import Store

    ids = set(Store(index).read(lambda snapshot: snapshot.ids_from("")))
    texts = Path(demo_corpus()).read_text(encoding="utf-8").splitlines()
    if ids - {json.loads(line)["id"] for line in texts}:
        raise ValueError(f"{index} is an index of other documents; give the demo a new folder: nerret demo NEW_FOLDER")
