"""Show hits to a person: a table with each mention highlighted in its sentence."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..index.excerpts import surroundings
from ..index.hits import Hit, remove_overlaps
from .streams import one_line

AROUND = 100  # characters of context on either side of the best mention


def print_hits(hits: Sequence[Hit], why: bool = False) -> None:
    """Print hits to standard output, best first.

    Args:
        hits: the hits.
        why: whether to say why each is there.
    """
    console = Console(highlight=False)
    plain = not console.is_terminal
    if not hits:
        console.print("no document found")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    has_chances = all(hit.probability is not None for hit in hits)
    table.add_column("right" if has_chances else "score", justify="right" if has_chances else "left")
    for name in ("document", "text"):
        table.add_column(name, overflow="fold")
    for hit in hits:
        figure = f"{hit.score:.3f}" if hit.probability is None else f"{100 * hit.probability:.0f} %"
        text = excerpt(hit, plain)
        if why:
            text.append("\n" + one_line(hit.why()), style="dim")
        table.add_row(figure, Text(one_line(hit.id)), text)
    console.print(table)


def excerpt(hit: Hit, plain: bool) -> Text:
    """The surroundings of the hit's best mention, its matching mentions in bold, or in [brackets] if `plain`.

    Of mentions inside each other only the best is marked.
    """
    best = max(hit.mentions, key=lambda mention: mention.score, default=None)
    first, last = (best.start, best.end) if best else (0, 0)
    left, right = surroundings(hit.text, first, last, AROUND)
    line, position = Text("… " if left else ""), left
    for mention in remove_overlaps(hit.mentions):
        if left <= mention.start and mention.end <= right:
            line.append(one_line(hit.text[position : mention.start]))
            text = one_line(mention.text)
            line.append(f"[{text}]" if plain else text, style="bold yellow")
            position = mention.end
    line.append(one_line(hit.text[position:right]))
    return line.append(" …" if right < len(hit.text) else "")
