"""The forms in which `nerret search` shows an answer."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..extras import install_line
from .streams import check_file, print_json, say

if TYPE_CHECKING:
    from ..index.hits import Answer, Hit

SHOWN = 10  # documents of an answer, without --all


def check_output(options: argparse.Namespace) -> None:
    """Refuse a file that cannot be written before a model is loaded.

    Raises:
        OSError: it is a folder, or its folder is not there.
        ImportError: the library that writes it is not installed.
    """
    if options.xlsx and find_spec("openpyxl") is None:
        raise ImportError(f"--xlsx needs the package openpyxl; install it with: {install_line('files')}")
    for name in filter(None, (options.html, options.xlsx)):
        check_file(name)


def show_answer(answer: Answer, copies: Mapping[str, Sequence[str]], options: argparse.Namespace) -> None:
    """Show an answer in the form that the options name.

    Args:
        answer: the answer.
        copies: ids of the near-duplicates of a hit, by its id; empty: all hits are shown.
        options: of the command.

    Raises:
        ValueError: a column is unknown.
        OSError: a file cannot be written.
    """
    doubles = {name for names in copies.values() for name in names}
    hits = [hit for hit in answer if hit.id not in doubles]
    if options.json:
        for hit in hits:
            print_json(hit.as_dict() | ({"copies": list(copies.get(hit.id, ()))} if options.duplicates else {}))
    elif options.csv or options.markdown or options.html or options.xlsx:
        _export(answer, hits, copies, options)
    else:
        from .display import print_answer

        limit = None if options.all or options.k else SHOWN
        print_answer(answer, hits, limit, options.why, options.columns, copies)
        return
    if answer.note and not (options.markdown or options.html):
        say(answer.note)


def _export(
    answer: Answer, hits: Sequence[Hit], copies: Mapping[str, Sequence[str]], options: argparse.Namespace
) -> None:
    from ..index.hit_table import choose_columns
    from . import exports

    extras = ["why"] * options.why + ["copies"] * options.duplicates
    columns = choose_columns(hits, options.columns, extras)
    if options.csv:
        exports.print_table(hits, columns, copies)
    elif options.markdown:
        exports.print_markdown(answer.note, hits, columns, copies)
    elif options.html:
        facts = [name for name in columns if options.columns or name == "why"]
        exports.write_page(Path(options.html), answer, hits, facts, copies)
        say(f"{options.html}: {len(hits)} documents")
    else:
        exports.write_workbook(Path(options.xlsx), hits, columns, copies)
        say(f"{options.xlsx}: {len(hits)} documents")
