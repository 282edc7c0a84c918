"""`nerret mcp`: give an index to a language model."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import add_index

EPILOG = """A client such as an assistant or an editor starts this command and speaks with it over standard input and
output. In its settings write:

  {"mcpServers": {"my-index": {"command": "nerret", "args": ["mcp", "/path/to/my-index"]}}}

The tools are search, answer, entities and types. They read the index; none writes.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    add_index(parser)
    parser.add_argument("--model", metavar="NAME", help="default: the model that the index was made with")


def run(options: argparse.Namespace) -> int:
    """Answer until the client closes standard input."""
    from ..index.folder import read_manifest

    read_manifest(options.index)  # a wrong path should say so before a model is loaded

    from ..index.memory import share_heap
    from ..index.retriever import EntityRetriever
    from ..serve.tools import make_server

    share_heap()
    retriever = EntityRetriever(options.index, options.model)
    retriever.keep_in_memory()
    make_server(retriever, Path(options.index).name).run()
    return 0
