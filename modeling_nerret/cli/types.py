"""`nerret types`: show which types an index holds."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..index.plain_text import one_line
from .arguments import add_index
from .streams import as_text, print_json

if TYPE_CHECKING:
    from ..index.type_tree import TypeTree

DESCRIPTION = """Show which types an index holds, so that you see what can be asked.

The types are a tree: "river" stands under "body of water", and that under "place". Each has about how many documents
mention it, how many mentions it has, and three examples. The words are a few of those that nerret understands: ask for
any type, whether it is listed or not. A mention that is near to no type is not counted. In an index of more than 4,000
mentions the numbers are estimates from an even sample of so many.

examples:
  nerret types my-index
  nerret types my-index --picture types.svg
  nerret types my-index --json | jq -r 'select(.documents >= 100) | .type'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description, parser.formatter_class = DESCRIPTION, argparse.RawDescriptionHelpFormatter
    add_index(parser)
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line: type, path, documents, mentions, examples"
    )
    parser.add_argument("--picture", type=as_text, metavar="FILE.svg", help="also draw the tree as bars into a file")
    parser.add_argument("--model", metavar="NAME", help="default: the model that the index was made with")


def run(options: argparse.Namespace) -> int:
    """Print the tree, and draw it."""
    from ..index.folder import read_manifest

    if options.picture and Path(options.picture).suffix != ".svg":
        raise ValueError(f"{options.picture!r:.80} is no name of a picture; it must end in .svg")
    read_manifest(options.index)  # a wrong path should say so before a model is loaded

    from ..index.memory import share_heap
    from ..index.retriever import EntityRetriever

    share_heap()
    tree = EntityRetriever(options.index, options.model).types()
    if options.picture:
        from ..index.type_picture import draw_types

        title = f"What is in {Path(options.index).name}"
        Path(options.picture).write_text(draw_types(tree, title), encoding="utf-8")
    if options.json:
        for path, group in tree.walk():
            numbers = {"documents": group.documents, "mentions": group.mentions}
            print_json({"type": group.name, "path": path, **numbers, "examples": group.examples})
        return 0
    print_types(tree)
    return 0


def print_types(tree: TypeTree) -> None:
    """Print a tree to standard output."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..index.type_picture import summary

    console = Console(highlight=False)
    if not tree.types:
        console.print("no type found")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("documents", justify="right")
    table.add_column("mentions", justify="right")
    table.add_column("type", no_wrap=True)
    table.add_column("such as", overflow="fold")
    for path, group in tree.walk():
        name = Text("  " * (len(path) - 1) + one_line(group.name), style="bold" if len(path) == 1 else "")
        examples = Text(one_line(", ".join(group.examples)))
        table.add_row(f"{group.documents:,}", f"{group.mentions:,}", name, examples)
    console.print(table)
    console.print(Text(f"\n{summary(tree)}"))
