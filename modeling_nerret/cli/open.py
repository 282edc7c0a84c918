"""`nerret open`: print a stored document."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ..index.plain_text import visible
from .arguments import add_index
from .streams import as_text, print_json

if TYPE_CHECKING:
    from ..index.hits import Mention

EPILOG = """examples:
  nerret open my-index doc-7
  nerret open my-index doc-7 --mark dinosaur
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    add_index(parser)
    add = parser.add_argument
    add("id", type=as_text, help="the document's id, as nerret search prints it")
    add("--mark", type=as_text, metavar="TYPE", help="mark the mentions of this type")
    add("--model", metavar="NAME", help="with --mark: default is the model that the index was made with")
    add("--json", action="store_true", help="one JSON object: id, text, metadata, and with --mark mentions")


def run(options: argparse.Namespace) -> int:
    """Print the metadata and the text of a document.

    Raises:
        ValueError: there is no such document.
    """
    from ..index.store import Store

    document = Store(options.index).lookup([options.id]).get(options.id)
    if document is None:
        raise ValueError(f"{options.index} has no document {options.id!r}; nerret search --json prints ids in full")
    mentions: list[Mention] = []
    if options.mark is not None:
        from ..index.retriever import EntityRetriever

        mentions = EntityRetriever(options.index, options.model).mentions(options.id, options.mark)
    if options.json:
        fields = {"id": document.id, "text": document.text, "metadata": document.metadata}
        print_json(fields | ({} if options.mark is None else {"mentions": [vars(mention) for mention in mentions]}))
        return 0
    from ..index.hit_table import plain

    for name, value in {"id": document.id, **document.metadata}.items():
        print(f"{visible(str(name))}: {visible(str(plain(value)))}")
    print()
    print(_marked(document.text, mentions))
    return 0


def _marked(text: str, mentions: list[Mention]) -> str:
    """A text with its mentions in bold, or in [brackets] where standard output is no terminal."""
    from ..index.hits import remove_overlaps

    left, right = ("\x1b[1;33m", "\x1b[0m") if sys.stdout.isatty() else ("[", "]")
    pieces, position = [], 0
    for mention in remove_overlaps(mentions):
        pieces += [_lines(text[position : mention.start]), left, _lines(mention.text), right]
        position = mention.end
    return "".join([*pieces, _lines(text[position:])])


def _lines(text: str) -> str:
    """A text whose line ends and tabs stay, and in which nothing controls the terminal."""
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.replace("\r\n", "\n").split("\n"))
