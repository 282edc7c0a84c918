"""Texts for terminals and spreadsheets, which take some characters for commands."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

# C0 and C1 controls, line separators, embeddings and overrides of the writing direction, halves of characters
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # begin a formula in some spreadsheet
_SPACES = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]")


def visible(text: str) -> str:
    r"""A text with the characters spelled out that would control a terminal.

    Example:
        >>> print(visible("a\x1b[31mred"))
        a\x1b[31mred
    """
    return CONTROLS.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str) -> str:
    """As `visible`, with a space for each tab and line end."""
    return visible(_SPACES.sub(" ", text))


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as comma-separated values, on a line each.

    A text that a spreadsheet would take for a formula gets an apostrophe in front, which the spreadsheet hides. All
    texts are in quotes: a spreadsheet of a language that parts cells by semicolons would else begin a cell in a text.
    """
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(map(_harmless, row) for row in rows)
    return stream.getvalue()


def _harmless(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula and no terminal for a command."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.lstrip().startswith(FORMULAS) else text
