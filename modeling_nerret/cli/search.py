"""`nerret search`: list the documents that mention an entity of a type."""

from __future__ import annotations

import argparse

from .arguments import add_index, positive
from .queries import add_joined_types, add_type, read_filter, type_query
from .streams import as_text, print_json, say

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
    add(
        "--precision",
        type=float,
        metavar="P",
        help="as many documents as possible of which the share P is expected to be right, such as 0.8",
    )
    add("--why", action="store_true", help="say why each document is here")
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
    add(
        "--json",
        action="store_true",
        help="the whole answer, one JSON object a line: id, score, probability, text, mentions, metadata, and more",
    )
    add("--model", metavar="NAME", help="default: the model that the index was made with")


def run(options: argparse.Namespace) -> int:
    """Print the answer, best document first; as JSON, what it promises goes to standard error."""
    from ..index.folder import read_manifest

    where = read_filter(options.where)
    read_manifest(options.index)  # a wrong path should say so before a model is loaded

    from ..index.memory import share_heap
    from ..index.retriever import EntityRetriever

    share_heap()
    retriever = EntityRetriever(options.index, options.model)
    query = type_query(options, retriever)
    answer = retriever.search(
        query,
        options.k,
        where,
        options.mode,
        options.min_score,
        options.precision,
        options.within or "document",
        why=options.why,
    )
    if options.json:
        for hit in answer:
            print_json(hit.as_dict())
        if answer.note:
            say(answer.note)
    else:
        from .display import print_answer

        print_answer(answer, None if options.all or options.k else SHOWN, options.why)
    return 0
