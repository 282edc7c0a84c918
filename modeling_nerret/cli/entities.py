"""`nerret entities`: list the entities of a type, or the pairs of two types."""

from __future__ import annotations

import argparse
from typing import Any

from .arguments import add_index, positive
from .queries import add_scope, add_search, add_type, named_type, open_search, type_query
from .streams import as_text, print_csv, print_json

EXAMPLES = """examples:
  nerret entities my-index "dinosaur"
      each dinosaur, in how many documents it stands, its other spellings, and the first place
  nerret entities my-index "politician" --with "country" --within sentence
      which politician stands with which country in a sentence, and in how many documents
  nerret entities my-index "company" --where "year>=1990" --csv > companies.csv

Mentions with equal text are one entity, but for case, an article and 's; where their vectors say
homonym, they are two. A shorter name ("Curie"), an acronym ("WHO") and a plural ("caves") count to
the entity for which the texts say that they stand; --json and --csv give the reason of each, and
--no-merge leaves them apart. Numbers are exact for the documents of the answer.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog, parser.formatter_class = EXAMPLES, argparse.RawDescriptionHelpFormatter
    add_index(parser)
    add_type(parser)
    add = parser.add_argument
    add(
        "--with",
        type=as_text,
        dest="other",
        metavar="TYPE",
        help="another type, or @NAME: list pairs that stand together",
    )
    add_scope(parser)
    add("-k", type=positive, help="of how many documents (default: the whole answer)")
    add("--no-merge", action="store_false", dest="merge", help="leave shorter names, acronyms and plurals apart")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line")
    form.add_argument("--csv", action="store_true", help="comma-separated values, for a spreadsheet")
    add_search(parser)


def run(options: argparse.Namespace) -> int:
    """Print the entities or pairs, those in most documents first.

    Raises:
        ValueError: a scope of pairs without a second type.
    """
    if options.within is not None and options.other is None:
        raise ValueError("--within is about two types; name the other one: --with TYPE")
    retriever, search = open_search(options)
    query = type_query(options, retriever)
    if options.other is None:
        _print_entities(options, retriever.entities(query, options.k, options.merge, **search))
    else:
        within = options.within or "document"
        partner = named_type(options.other, retriever)
        pairs = retriever.pairs(query, partner, options.k, within, options.merge, **search)
        _print_pairs(options, pairs)
    return 0


def _print_entities(options: argparse.Namespace, entities: Any) -> None:
    if options.json:
        for entity in entities:
            print_json(entity.as_dict())
    elif options.csv:
        from ..index.entities.table import entity_table

        print_csv(entity_table(entities))
    else:
        from .display import print_entities

        print_entities(entities)


def _print_pairs(options: argparse.Namespace, pairs: Any) -> None:
    names = options.type, options.other if options.other != options.type else f"other {options.type}"
    if options.json:
        for pair in pairs:
            print_json(pair.as_dict())
    elif options.csv:
        rows = ([pair.first.name, pair.second.name, pair.documents, "; ".join(pair.ids)] for pair in pairs)
        print_csv([[*names, "documents", "ids"], *rows])
    else:
        from .display import print_pairs

        print_pairs(pairs, names)
