"""Show hits and entities to a person: tables with each mention highlighted in its sentence."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..index.citations import cite
from ..index.entities.listing import Context, Entity
from ..index.entities.pairs import Pair
from ..index.excerpts import excerpt_parts, surroundings
from ..index.hit_table import Copies, cell, choose_columns
from ..index.hits import Answer, Hit
from ..index.plain_text import one_line

BESIDE = 30  # characters of context on either side of an entity's mention
MOST_IDS = 5  # of a pair's documents


def print_answer(
    answer: Answer,
    hits: Sequence[Hit],
    limit: int | None = None,
    why: bool = False,
    columns: Sequence[str] | None = None,
    copies: Copies = MappingProxyType({}),
) -> None:
    """Print to standard output what an answer promises, and its hits.

    Args:
        answer: the answer.
        hits: those of its hits that are to be shown.
        limit: how many hits to print; `None`: all.
        why: whether to say why each is there.
        columns: see `hit_table.choose_columns`.
        copies: ids of near-duplicates of a hit, by its id.

    Raises:
        ValueError: a column is unknown.
    """
    names = None if columns is None else choose_columns(hits, columns, ["why"] * why)
    if answer.note:
        print(one_line(answer.note))
    if answer or not answer.note:
        if names is None:
            print_hits(hits[:limit], why, copies)
        else:
            _print_columns(hits[:limit], names, copies)
    if limit is not None and len(hits) > limit:
        print(f"... and {len(hits) - limit:,} more; --all shows them")


def print_hits(hits: Sequence[Hit], why: bool = False, copies: Copies = MappingProxyType({})) -> None:
    """Print hits to standard output, best first, each with its title, date and link if it has them.

    Args:
        hits: the hits.
        why: whether to say why each is there.
        copies: ids of near-duplicates of a hit, by its id.
    """
    console = Console(highlight=False)
    plain = not console.is_terminal
    if not hits:
        console.print("no document found")
        return
    has_chances = all(hit.probability is not None for hit in hits)
    table = _table("right" if has_chances else "score", "document", "text")
    for hit in hits:
        figure = f"{hit.score:.3f}" if hit.probability is None else f"{100 * hit.probability:.0f} %"
        text = _source(hit).append_text(excerpt(hit, plain))
        if names := copies.get(hit.id):
            text.append(f"\nalmost equal: {_list(names)}", style="dim")
        if why:
            text.append("\n" + one_line(hit.why()), style="dim")
        table.add_row(figure, Text(one_line(hit.id)), text)
    console.print(table)


def _source(hit: Hit) -> Text:
    """A line with title, date and link; nothing if there are none."""
    citation = cite(hit.metadata)
    line = Text(one_line(citation.title), style="bold")
    for part in filter(None, (citation.date, citation.link)):
        line.append(f"{' · ' if line else ''}{one_line(part)}", style="not bold dim")
    return line.append("\n") if line else Text()


def _print_columns(hits: Sequence[Hit], columns: Sequence[str], copies: Copies) -> None:
    """Print a table with these columns."""
    console = Console(highlight=False)
    if not hits:
        console.print("no document found")
        return
    table = _table(*columns)
    for hit in hits:
        line = excerpt(hit, not console.is_terminal)
        table.add_row(*(_cell(hit, name, line, copies) for name in columns))
    console.print(table)


def _cell(hit: Hit, name: str, line: Text, copies: Copies) -> Text:
    if name == "text":
        return line
    if name == "right" and hit.probability is not None:
        return Text(f"{100 * hit.probability:.0f} %")
    return Text(one_line(str(cell(hit, name, "", copies))))


def _list(ids: Sequence[str]) -> str:
    """Some ids in words, the first of many."""
    return ", ".join(map(one_line, ids[:MOST_IDS])) + (", …" if len(ids) > MOST_IDS else "")


def print_entities(entities: Sequence[Entity]) -> None:
    """Print entities to standard output, with their other spellings and the first place of each."""
    console = Console(highlight=False)
    if not entities:
        console.print("no entity found")
        return
    table = _table("documents", "mentions", "entity", "document", "text")
    for entity in entities:
        name = Text(one_line(entity.name))
        spellings = [one_line(spelling) for spelling in entity.spellings if spelling != entity.name]
        if spellings:
            name.append(f" (also {', '.join(spellings)})", style="dim")
        numbers = str(entity.documents), str(entity.mentions)
        line = _concordance(entity.context, not console.is_terminal)
        table.add_row(*numbers, name, Text(one_line(entity.context.document)), line)
    console.print(table)


def _concordance(context: Context, plain: bool) -> Text:
    """A mention with the words beside it, in bold, or in [brackets] if `plain`."""
    text, start, end = context.left + context.text + context.right, len(context.left), len(context.left + context.text)
    left, right = surroundings(text, start, end, BESIDE)
    line = Text("… " if left or context.start > start else "").append(one_line(text[left:start]))
    mention = one_line(context.text)
    line.append(f"[{mention}]" if plain else mention, style="bold yellow").append(one_line(text[end:right]))
    return line.append(" …" if right < len(text) else "")


def print_pairs(pairs: Sequence[Pair], names: Sequence[str]) -> None:
    """Print pairs of entities of two types to standard output, with the ids of their first documents."""
    console = Console(highlight=False)
    if not pairs:
        console.print("no pair found")
        return
    table = _table("documents", *map(one_line, names), "in")
    for pair in pairs:
        ids = _list(pair.ids)
        cells = (one_line(pair.first.name), one_line(pair.second.name), ids)
        table.add_row(str(pair.documents), *map(Text, cells))
    console.print(table)


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(Text(name), overflow="fold")
    return table


def excerpt(hit: Hit, plain: bool) -> Text:
    """The surroundings of the hit's best mention, its matching mentions in bold, or in [brackets] if `plain`."""
    line = Text()
    for text, is_mention in excerpt_parts(hit):
        line.append(f"[{text}]" if plain and is_mention else text, style="bold yellow" if is_mention else None)
    return line
