"""`nerret search`: list the documents that mention an entity of a type."""

from __future__ import annotations

import argparse

from .arguments import add_index, positive
from .queries import add_joined_types, add_search, add_type, open_search, type_query
from .streams import print_json, say

SHOWN = 10  # documents of an answer, without --all

EPILOG = """examples:
  nerret search my-index dinosaur
  nerret search my-index politician --all --precision 0.8
  nerret search my-index politician --and disease --without election --within sentence
  nerret search my-index dinosaur --like Triceratops --unlike "saber-toothed cat" -k 20
  nerret search my-index dinosaur --where "year>=1990" --json | jq .id

Without -k the answer ends by itself: where more documents would add more wrong than right ones. A percentage is the
probability that the document is right. To sharpen an answer, judge some documents with: nerret mark
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    add_index(parser)
    add_type(parser)
    add_joined_types(parser)
    add = parser.add_argument
    add(
        "-k", type=positive, metavar="N", help="the best N documents, however good (default: the answer ends by itself)"
    )
    add("--all", action="store_true", help=f"show the whole answer, not its first {SHOWN} documents")
    add("--why", action="store_true", help="say why each document is here")
    add(
        "--json",
        action="store_true",
        help="the whole answer, one JSON object a line: id, score, probability, text, mentions, metadata, and more",
    )
    add_search(parser)


def run(options: argparse.Namespace) -> int:
    """Print the answer, best document first; as JSON, what it promises goes to standard error."""
    retriever, search = open_search(options)
    query, within = type_query(options, retriever), options.within or "document"
    answer = retriever.search(query, options.k, within=within, why=options.why, **search)
    if options.json:
        for hit in answer:
            print_json(hit.as_dict())
        if answer.note:
            say(answer.note)
    else:
        from .display import print_answer

        print_answer(answer, None if options.all or options.k else SHOWN, options.why)
    return 0
