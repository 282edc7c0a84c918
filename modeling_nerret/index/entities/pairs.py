"""Pairs: which entities of two types stand together in how many documents."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..answers.scopes import DOCUMENT, SENTENCE, check_scope
from ..answers.sentences import sentence_starts
from .groups import Place
from .listing import Entity


@dataclass(frozen=True)
class Pair:
    """Two entities and the documents in which they stand together, in order of the first type's answer."""

    first: Entity
    second: Entity
    ids: list[str]

    @property
    def documents(self) -> int:
        """Number of these documents."""
        return len(self.ids)

    def as_dict(self) -> dict[str, Any]:
        """The pair as plain values, for JSON: the entities by their names."""
        return {
            "first": self.first.name,
            "second": self.second.name,
            "documents": self.documents,
            "ids": self.ids,
        }


def pair_entities(
    first: Sequence[Entity], second: Sequence[Entity], texts: Mapping[str, str], within: str | int = DOCUMENT
) -> list[Pair]:
    """The pairs of entities of two types, by number of documents, then by names.

    An entity makes no pair with itself: two entities that share a mention are the same, found by both types. Each pair
    stands in the table once, also if both types are the same.

    Args:
        first: entities of one type.
        second: entities of the other.
        texts: the documents' texts, by id; needed for sentences only.
        within: how near both must stand, see `scopes`.

    Raises:
        ValueError: `within` is no scope.

    Example:
        >>> from modeling_nerret.index.entities.listing import list_entities
        >>> from modeling_nerret.index.hits import Hit, Mention
        >>> text = "Marie Curie left Warsaw. Paris was far."
        >>> people = list_entities([Hit("a", 0.9, text, [Mention(0, 11, "Marie Curie", 0.9)])])
        >>> places = [Mention(17, 23, "Warsaw", 0.9), Mention(25, 30, "Paris", 0.9)]
        >>> cities = list_entities([Hit("a", 0.9, text, places)])
        >>> [(pair.first.name, pair.second.name, pair.ids) for pair in pair_entities(people, cities, {"a": text})]
        [('Marie Curie', 'Paris', ['a']), ('Marie Curie', 'Warsaw', ['a'])]
        >>> [pair.second.name for pair in pair_entities(people, cities, {"a": text}, "sentence")]
        ['Warsaw']
    """
    check_scope(within)
    rivals = _by_document(second)
    ids: dict[tuple[int, int], list[str]] = defaultdict(list)
    for document, places in _by_document(first).items():
        for numbers in _neighbours(places, rivals.get(document, []), texts.get(document, ""), within):
            ids[numbers].append(document)
    owners = {place: number for number, entity in enumerate(second) for place in entity.places}
    twins = {
        (number, owners[place]) for number, entity in enumerate(first) for place in entity.places if place in owners
    }
    pairs: dict[frozenset[Place], Pair] = {}
    for (number, partner), documents in ids.items():
        if (number, partner) not in twins:
            pair = Pair(first[number], second[partner], documents)
            pairs.setdefault(frozenset((pair.first.places[0], pair.second.places[0])), pair)
    return sorted(
        pairs.values(), key=lambda pair: (-pair.documents, pair.first.name.casefold(), pair.second.name.casefold())
    )


def _by_document(entities: Sequence[Entity]) -> dict[str, list[tuple[Place, int]]]:
    """By document, the mentions in order of their start, each with its entity's number."""
    places: dict[str, list[tuple[Place, int]]] = defaultdict(list)
    for number, entity in enumerate(entities):
        for place in entity.places:
            places[place.document].append((place, number))
    return {document: sorted(pairs) for document, pairs in places.items()}


def _neighbours(
    places: list[tuple[Place, int]], rivals: list[tuple[Place, int]], text: str, within: str | int
) -> dict[tuple[int, int], None]:
    """Numbers of the entities of a document that stand near each other, outside each other, in order."""
    if not rivals:
        return {}
    if within == DOCUMENT:
        places, rivals = _ends(places), _ends(rivals)
    starts = [place.start for place, _ in rivals]
    longest = max(place.end - place.start for place, _ in rivals)
    edges = [*sentence_starts(text), len(text)] if within == SENTENCE else []
    numbers: dict[tuple[int, int], None] = {}
    for place, number in places:
        if within == DOCUMENT:
            low, high = 0, starts[-1] + 1
        elif isinstance(within, str):
            sentence = bisect_right(edges, place.start)
            low, high = edges[sentence - 1], edges[sentence]
        else:
            low, high = place.start - within - longest, place.end + within + 1
        for neighbour, partner in rivals[bisect_left(starts, low) : bisect_left(starts, high)]:
            gap = max(place.start, neighbour.start) - min(place.end, neighbour.end)
            if gap >= 0 and (not isinstance(within, int) or gap <= within):
                numbers[number, partner] = None
    return numbers


def _ends(places: list[tuple[Place, int]]) -> list[tuple[Place, int]]:
    """The first and the last mention of each entity: if two mentions of two entities are apart, two of these are."""
    first = {number: (place, number) for place, number in reversed(places)}
    last = {number: (place, number) for place, number in places}
    return sorted({*first.values(), *last.values()})
