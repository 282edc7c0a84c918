"""`nerret search`: list the documents that mention an entity of a type."""

from __future__ import annotations

import argparse

from .arguments import add_index, positive
from .streams import as_text, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_index(parser)
    add = parser.add_argument
    add("type", type=as_text, help='the type in plain words, such as "dinosaur"')
    add("-k", type=positive, default=10, help="how many documents (default: 10)")
    add(
        "--mode",
        choices=("hybrid", "vector", "document", "lexical"),
        default="hybrid",
        help="by mentions (vector), whole texts (document), words (lexical), or all of them (hybrid, the default)",
    )
    add(
        "--where",
        type=as_text,
        action="append",
        default=[],
        metavar="COND",
        help='"field=value", also != >= <= > < contains, "field in a, b", or "field" alone (it is there); '
        "with || between conditions one must hold; may be repeated",
    )
    add("--min-score", type=float, metavar="S", help="leave out documents with a lower score")
    add("--json", action="store_true", help="one JSON object a line: id, score, text, mentions, metadata")
    add("--model", metavar="NAME", help="default: the model that the index was made with")


def run(options: argparse.Namespace) -> int:
    """Print the hits, best first."""
    from ..index.filter_text import parse_filter
    from ..index.folder import read_manifest

    where = parse_filter(options.where)
    read_manifest(options.index)  # a wrong path should say so before a model is loaded

    from ..index.memory import share_heap
    from ..index.retriever import EntityRetriever

    share_heap()
    retriever = EntityRetriever(options.index, options.model)
    hits = retriever.search(options.type, options.k, where or None, options.mode, options.min_score)
    if options.json:
        for hit in hits:
            print_json(hit.as_dict())
        return 0
    from .display import print_hits

    print_hits(hits)
    return 0
