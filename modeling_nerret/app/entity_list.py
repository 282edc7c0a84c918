"""Who and what is in an answer: its entities with their counts, each of which unfolds to its places in the texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from ..documents import Document
from ..index.entities.listing import Entity
from ..index.excerpts import surroundings
from ..index.hits import Mention
from ..index.retriever import EntityRetriever
from . import texts
from .html import render_message, render_text

MAX_ENTITIES, MAX_PLACES = 100, 10  # of a list, and documents of an entity; the file has all entities
AROUND = 80  # characters on either side of a mention


def render_entities(retriever: EntityRetriever, entities: list[Entity]) -> str:
    """Entities as a list, those in most documents first."""
    if not entities:
        return render_message(*texts.NO_ENTITIES)
    names = [name for entity in entities[:MAX_ENTITIES] for name in entity.ids[:MAX_PLACES]]
    documents = retriever.lookup(list(dict.fromkeys(names)))
    rows = "".join(_render(entity, documents) for entity in entities[:MAX_ENTITIES])
    count = len(entities)
    title = texts.ENTITIES.format(count=count, noun="name" if count == 1 else "names")
    rest = f"<p>{texts.MORE_ENTITIES.format(count=MAX_ENTITIES)}</p>" if count > MAX_ENTITIES else ""
    return f'<section class="entities"><h2>{title}</h2><ul>{rows}</ul>{rest}</section>'


def _render(entity: Entity, documents: Mapping[str, Document]) -> str:
    count = texts.DOCUMENTS.format(count=entity.documents, noun="document" if entity.documents == 1 else "documents")
    spellings = list(dict.fromkeys([*entity.spellings, *(merge.alias for merge in entity.merges)]))
    aliases = ", ".join(spelling for spelling in spellings if spelling != entity.name)
    note = f'<p class="aliases">{escape(texts.ALIASES.format(names=aliases))}</p>' if aliases else ""
    places = "".join(_render_places(entity, documents))
    more = entity.documents - MAX_PLACES
    rest = f"<li>{texts.MORE_DOCUMENTS.format(count=more)}</li>" if more > 0 else ""
    return (
        f"<li><details><summary><bdi>{escape(entity.name)}</bdi> <small>{count}</small></summary>{note}"
        f"<ul>{places}{rest}</ul></details></li>"
    )


def _render_places(entity: Entity, documents: Mapping[str, Document]) -> Iterable[str]:
    """The first place of an entity in each of its first documents."""
    first = {place.document: place for place in reversed(entity.places)}
    for name in entity.ids[:MAX_PLACES]:
        if name not in documents:  # deleted meanwhile
            continue
        text, place = documents[name].text, first[name]
        start, end = surroundings(text, place.start, place.end, AROUND)
        mention = Mention(place.start, place.end, text[place.start : place.end], 1.0)
        passage = render_text(text, start, end, [mention])
        lead, ending = "… " if start else "", " …" if end < len(text) else ""
        yield f'<li><span class="id">{escape(name)}</span> <span dir="auto">{lead}{passage}{ending}</span></li>'
