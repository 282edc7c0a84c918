"""Entities: which things of a type an answer mentions, under which names, and how often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..excerpts import surroundings
from ..hits import Hit, Mention
from .aliases import Aliases
from .groups import Group, Place, count_spellings, group_mentions
from .names import key_of, singulars

AROUND = 60  # characters of context on either side of a mention


@dataclass(frozen=True)
class Merge:
    """An alias that counts to an entity, and why."""

    alias: str
    reason: str


@dataclass(frozen=True)
class Context:
    """A mention in its surroundings: `text` is `[start, end)` of the document, `left` and `right` are beside it."""

    document: str
    start: int
    end: int
    left: str
    text: str
    right: str


@dataclass(frozen=True)
class Entity:
    """A thing that an answer mentions.

    Args:
        name: the commonest spelling, of the full name if aliases were merged.
        spellings: how often each occurs, the commonest first.
        places: where the mentions are, in order of the answer.
        context: the first of them in its text.
        merges: the aliases that count to it, each with the reason; none of equal text.
    """

    name: str
    spellings: dict[str, int]
    places: list[Place]
    context: Context
    merges: list[Merge]

    @property
    def mentions(self) -> int:
        """Number of mentions."""
        return len(self.places)

    @cached_property
    def ids(self) -> list[str]:
        """Ids of the documents that mention it, in order of the answer."""
        return list(dict.fromkeys(place.document for place in self.places))

    @property
    def documents(self) -> int:
        """Number of documents that mention it."""
        return len(self.ids)

    def as_dict(self) -> dict[str, Any]:
        """The entity with its numbers, but without all places, as plain dictionaries and lists, for JSON."""
        return {
            "name": self.name,
            "documents": self.documents,
            "mentions": self.mentions,
            "spellings": self.spellings,
            "context": asdict(self.context),
            "merges": [asdict(merge) for merge in self.merges],
        }


def list_entities(
    hits: Iterable[Hit], vectors: Mapping[Place, np.ndarray] | None = None, merge: bool = True
) -> list[Entity]:
    """The entities that some hits mention, by number of documents, then of mentions, then by name.

    Mentions of equal text (but for case, blanks, possessive and leading article) are one entity, unless their vectors
    say that they are homonyms. Of mentions inside each other only the best counts.

    Args:
        hits: the answer.
        vectors: of the mentions, by place; without them, all mentions of equal text are one entity.
        merge: whether to count aliases to their entity, see `aliases.Aliases`.

    Returns:
        The entities; every mention counts to exactly one.

    Example:
        >>> text = "Marie Curie won twice. Curie's notes still glow."
        >>> mentions = [Mention(0, 11, "Marie Curie", 0.9), Mention(23, 30, "Curie's", 0.8)]
        >>> entity, = list_entities([Hit("a", 0.9, text, mentions)])
        >>> entity.name, entity.documents, entity.mentions, entity.spellings
        ('Marie Curie', 1, 2, {'Marie Curie': 1, "Curie's": 1})
        >>> entity.merges
        [Merge(alias="Curie's", reason='part of "Marie Curie", which 1 of its 1 documents have')]
        >>> [entity.name for entity in list_entities([Hit("a", 0.9, text, mentions)], merge=False)]
        ["Curie's", 'Marie Curie']
    """
    hits = list(hits)
    texts = {hit.id: hit.text for hit in hits}
    ranks = {document: rank for rank, document in enumerate(texts)}
    groups = group_mentions(hits, vectors or {})
    families: dict[int, list[int]] = {number: [number] for number in range(len(groups))}
    reasons: dict[int, str] = {}
    if merge:
        aliases = Aliases(groups, texts)
        reasons = aliases.reasons
        for number in reasons:
            families[aliases.root(number)] += families.pop(number)
    entities = [
        _entity([groups[number] for number in family], [reasons[number] for number in family[1:]], texts, ranks)
        for family in families.values()
    ]
    return sorted(entities, key=lambda entity: (-entity.documents, -entity.mentions, entity.name.casefold()))


def _entity(groups: list[Group], reasons: list[str], texts: Mapping[str, str], ranks: Mapping[str, int]) -> Entity:
    """The entity of a group and of those that are its aliases, for some reasons."""
    mentions = [pair for group in groups for pair in zip(group.places, group.texts, strict=True)]
    mentions.sort(key=lambda pair: (ranks[pair[0].document], pair[0].start))
    merges = [Merge(group.name, reason) for group, reason in zip(groups[1:], reasons, strict=True)]
    places = [place for place, _ in mentions]
    context = context_of(texts[places[0].document], places[0])
    return Entity(groups[0].name, count_spellings(text for _, text in mentions), places, context, merges)


def context_of(text: str, place: Place) -> Context:
    """A mention in its text, with at most `AROUND` characters on either side."""
    document, start, end = place
    left, right = surroundings(text, start, end, AROUND)
    return Context(document, start, end, text[left:start], text[start:end], text[end:right])


def without_names(hits: Iterable[Hit], names: Iterable[str]) -> list[Hit]:
    """Hits without the mentions that only repeat a type's name, and so name none of its entities.

    Example:
        >>> mentions = [Mention(0, 13, "The companies", 0.9), Mention(15, 23, "Ericsson", 0.8)]
        >>> [hit] = without_names([Hit("a", 0.9, "The companies: Ericsson", mentions)], ["company"])
        >>> [mention.text for mention in hit.mentions]
        ['Ericsson']
    """
    forms = {form for name in names for form in (key_of(name), *singulars(key_of(name)))}

    def is_name(mention: Mention) -> bool:
        key = key_of(mention.text)
        return not forms.isdisjoint([key, *singulars(key)])

    return [replace(hit, mentions=[mention for mention in hit.mentions if not is_name(mention)]) for hit in hits]
