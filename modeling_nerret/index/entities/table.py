"""A table of entities: the columns of `nerret entities --csv` and of the file that the app gives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .listing import Entity

COLUMNS = ("entity", "documents", "mentions", "spellings", "merges", "document", "start", "end", "context")


def entity_table(entities: Iterable[Entity]) -> list[list[Any]]:
    """The names of the columns, and a row for each entity."""
    return [list(COLUMNS), *map(_row, entities)]


def _row(entity: Entity) -> list[Any]:
    spellings = "; ".join(f"{spelling} ({count})" for spelling, count in entity.spellings.items())
    merges = "; ".join(f"{merge.alias}: {merge.reason}" for merge in entity.merges)
    context = entity.context
    text = context.left + context.text + context.right
    numbers = [entity.documents, entity.mentions]
    return [entity.name, *numbers, spellings, merges, context.document, context.start, context.end, text]
