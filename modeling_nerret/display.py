"""Show hits to a person: a table with each mention highlighted in its sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .retriever import Hit

AROUND = 100  # characters of context on either side of the best mention


def print_hits(hits: Sequence[Hit]) -> None:
    """Print hits to standard output, best first."""
    console = Console(highlight=False)
    if not hits:
        console.print("no document found")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("score", "document", "text"):
        table.add_column(name, overflow="fold")
    for hit in hits:
        table.add_row(f"{hit.score:.3f}", Text(hit.id), excerpt(hit))
    console.print(table)


def excerpt(hit: Hit) -> Text:
    """The surroundings of the hit's best mention, with all its matching mentions in bold."""
    best = max(hit.mentions, key=lambda mention: mention.score, default=None)
    centre = (best.start, best.end) if best else (0, 0)
    left, right = max(0, centre[0] - AROUND), min(len(hit.text), centre[1] + AROUND)
    if left:
        left = hit.text.find(" ", left, centre[0]) + 1 or left
    if right < len(hit.text):
        right = max(hit.text.rfind(" ", centre[1], right), centre[1])
    shown = Text(re.sub(r"[\r\n\t]", " ", hit.text[left:right]))
    for mention in hit.mentions:
        shown.stylize("bold yellow", max(mention.start - left, 0), max(mention.end - left, 0))
    return Text("… " if left else "") + shown + Text(" …" if right < len(hit.text) else "")
