"""`nerret mark`: judge some documents, so that a query finds more of the right ones and knows better where to end."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from .arguments import add_index, positive
from .queries import add_type, type_query
from .streams import as_text, say

if TYPE_CHECKING:
    from ..index.answers.type_query import Type
    from ..index.retriever import EntityRetriever

EPILOG = """examples:
  nerret mark my-index dinosaur --save-as "my dinosaurs"
  nerret mark my-index dinosaur --right doc-3 doc-8 --wrong doc-5 --save-as "my dinosaurs"
  nerret search my-index "@my dinosaurs"

Without --right and --wrong it shows documents one after another, those whose marks teach most, and asks: y (right),
n (wrong), Enter (skip), q (that is enough). The saved query serves every index of the same model.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    add_index(parser)
    add_type(parser)
    add = parser.add_argument
    add("--right", type=as_text, nargs="+", default=[], metavar="ID", help="documents that are right")
    add("--wrong", type=as_text, nargs="+", default=[], metavar="ID", help="documents that are wrong")
    add("-n", type=positive, default=10, metavar="N", help="how many documents to ask about (default: 10)")
    add("--save-as", type=as_text, required=True, metavar="NAME", help="the name of the refinement query")
    add("--model", metavar="NAME", help="default: the model that the index was made with")


def run(options: argparse.Namespace) -> int:
    """Collect the marks, save the query, and say what it promises now."""
    from ..index.answers.saved_queries import query_path
    from ..index.answers.type_query import Type
    from ..index.folder import read_manifest

    query_path(options.save_as)  # a wrong name should be said before the questions
    read_manifest(options.index)

    from ..index.retriever import EntityRetriever

    retriever = EntityRetriever(options.index, options.model)
    type_ = type_query(options, retriever)
    assert isinstance(type_, Type)
    marks = {name: True for name in options.right} | {name: False for name in options.wrong}
    conflicts = set(options.right) & set(options.wrong)
    if conflicts:
        raise ValueError(f"{min(conflicts)!r} is marked both right and wrong; name it once")
    if not marks:
        marks = _ask(retriever, type_, options.n)
    if not marks:
        say("nothing was marked, so nothing is saved")
        return 1
    refinement = Type(type_.name, type_.wordings, type_.like, type_.unlike, marks, type_.vector, type_.intercept)
    retriever.save_query(options.save_as, refinement)
    say(f'saved with {len(marks)} marks; ask: nerret search {options.index} "@{options.save_as}"')
    say(retriever.search(refinement).note)
    return 0


def _ask(retriever: EntityRetriever, type_: Type, count: int) -> dict[str, bool]:
    """Marks that a person gives at the keyboard, for the documents that teach most."""
    from .display import print_hits

    answer = retriever.search(type_, k=max(4 * count, 40))
    hits = {hit.id: hit for hit in answer}
    names = answer.to_mark(count)
    marks: dict[str, bool] = {}
    for number, name in enumerate(names, start=1):
        print_hits([hits[name]])
        say(f"{number} of {len(names)}: does it mention what you mean by {type_}? y, n, Enter to skip, q to end:")
        reply = sys.stdin.readline()
        letter = reply.strip().lower()[:1]
        if not reply or letter == "q":
            break
        if letter in ("y", "n"):
            marks[name] = letter == "y"
    return marks
