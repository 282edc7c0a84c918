"""`nerret search`: list the documents that mention an entity of a type."""

from __future__ import annotations

import argparse

from .arguments import add_index, positive
from .forms import SHOWN, check_output, show_answer
from .queries import add_joined_types, add_search, add_type, open_search, type_query
from .streams import as_text

EPILOG = """examples:
  nerret search my-index dinosaur
  nerret search my-index politician --all --precision 0.8
  nerret search my-index politician --and disease --without election --within sentence
  nerret search my-index dinosaur --like Triceratops --unlike "saber-toothed cat" -k 20
  nerret search my-index dinosaur --where "year>=1990" --json | jq .id
  nerret search my-index dinosaur --columns right,title,author,mentions
  nerret search my-index dinosaur --html dinosaurs.html

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
        "--columns",
        type=_names,
        metavar="NAME,...",
        help="columns of the table: right, score, id, title, date, link, mentions, text, document, why, copies, or "
        "fields of the metadata",
    )
    add(
        "--duplicates", action="store_true", help="show documents that are almost equal once, and say how many they are"
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        action="store_true",
        help="the whole answer, one JSON object a line: id, score, probability, text, mentions, metadata, and more",
    )
    form.add_argument(
        "--csv", action="store_true", help="the whole answer as comma-separated values, for a spreadsheet"
    )
    form.add_argument("--markdown", action="store_true", help="the whole answer as a Markdown table")
    form.add_argument("--html", type=as_text, metavar="FILE", help="the whole answer as a page with marked mentions")
    form.add_argument("--xlsx", type=as_text, metavar="FILE", help="the whole answer as a workbook (extra files)")
    add_search(parser)


def run(options: argparse.Namespace) -> int:
    """Print the answer, best document first; in forms for programs, what it promises goes to standard error.

    Raises:
        ValueError: a column is unknown, or is asked for where there are none.
        OSError: a file cannot be written.
    """
    if options.columns and options.json:
        raise ValueError("--columns is for tables; --json has all fields, of which jq takes some: jq '{id, text}'")
    check_output(options)
    retriever, search = open_search(options)
    query, within = type_query(options, retriever), options.within or "document"
    answer = retriever.search(query, options.k, within=within, why=options.why, **search)
    copies: dict[str, list[str]] = {}
    if options.duplicates:
        from ..index.duplicates import group_duplicates

        copies = group_duplicates([(hit.id, hit.text) for hit in answer])
    show_answer(answer, copies, options)
    return 0


def _names(text: str) -> list[str]:
    """Names of columns, for argparse."""
    names = [name.strip() for name in as_text(text).split(",")]
    if "" in names:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of columns; write NAME,NAME")
    return list(dict.fromkeys(names))
