"""Groups: the mentions of an answer with equal text, apart where their vectors say that they name different things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from ...pretrained.vectors import unit
from ..hits import Hit, remove_overlaps
from .names import is_plain, key_of

LEAST_COSINE = 0.5  # of mentions of the same thing


class Place(NamedTuple):
    """Where a mention is: its document's id, its first character and the one after its last."""

    document: str
    start: int
    end: int


@dataclass(frozen=True)
class Group:
    """Mentions that name the same thing.

    Args:
        key: the text that they share, see `names.key_of`.
        places: where they are, in order of the answer.
        texts: what stands there.
        vectors: their vectors, as far as they are known.
    """

    key: str
    places: list[Place]
    texts: list[str]
    vectors: Sequence[np.ndarray] = ()

    @cached_property
    def name(self) -> str:
        """The commonest spelling; one with an article or a possessive only if there is no other."""
        counts = count_spellings(self.texts)
        return next(filter(is_plain, counts), next(iter(counts)))

    @cached_property
    def direction(self) -> np.ndarray | None:
        """The mean direction, of length 1; `None` if no vector is known. (hidden_size,)"""
        return unit(unit(np.array(self.vectors)).sum(0, keepdims=True))[0] if len(self.vectors) else None


def count_spellings(texts: Iterable[str]) -> dict[str, int]:
    """How often each spelling occurs, the commonest first.

    Example:
        >>> count_spellings(["Lake  Como", "Como", "Lake\\nComo"])
        {'Lake Como': 2, 'Como': 1}
    """
    counts = Counter([" ".join(text.split()) for text in texts])
    return dict(counts.most_common()) if len(counts) > 1 else dict(counts)


def group_mentions(hits: Iterable[Hit], vectors: Mapping[Place, np.ndarray]) -> list[Group]:
    """The mentions of some hits in groups of equal text, split where the vectors say homonym.

    Args:
        hits: the answer. Of mentions inside each other only the best counts.
        vectors: of the mentions, by place, of any length above 0; one that is missing counts to the largest group of
            its text.

    Returns:
        The groups in order of their first mention.

    Example:
        >>> from modeling_nerret.index.hits import Mention
        >>> hits = [Hit("a", 1.0, "Washington", [Mention(0, 10, "Washington", 0.9)]),
        ...         Hit("b", 0.9, "washington", [Mention(0, 10, "washington", 0.9)])]
        >>> state, man = np.eye(2)
        >>> vectors = {Place("a", 0, 10): state, Place("b", 0, 10): man}
        >>> [group.texts for group in group_mentions(hits, vectors)]
        [['Washington'], ['washington']]
        >>> [group.texts for group in group_mentions(hits, {})]
        [['Washington', 'washington']]
    """
    places: dict[str, dict[Place, str]] = {}
    for hit in hits:
        for mention in remove_overlaps(hit.mentions):
            place = Place(hit.id, mention.start, mention.end)
            places.setdefault(key_of(mention.text), {})[place] = mention.text
    return [group for key, texts in places.items() for group in _senses(key, texts, vectors)]


def _senses(key: str, texts: Mapping[Place, str], vectors: Mapping[Place, np.ndarray]) -> list[Group]:
    """The groups of one text, in order of their first mention."""
    places = list(texts)
    rows = [number for number, place in enumerate(places) if place in vectors]
    sightings = [vectors[places[number]] for number in rows]
    if len(places) == 1 or not sightings:  # as most are
        return [Group(key, places, list(texts.values()), sightings)]
    senses = divide(unit(np.array(sightings)))
    labels = np.full(len(places), np.bincount(senses).argmax())
    labels[rows] = senses
    groups = []
    for label in dict.fromkeys(labels.tolist()):
        members = [places[number] for number in np.flatnonzero(labels == label)]
        part = [vectors[place] for place in members if place in vectors]
        groups.append(Group(key, members, [texts[place] for place in members], part))
    return groups


def divide(directions: np.ndarray) -> np.ndarray:
    """Number the senses of one text: mentions are near their sense's first one, or senses agree in their means.

    A mention whose own context is odd begins a sense of its own at first; the means then bring it back.

    Args:
        directions: (mentions, size), each of length 1.

    Returns:
        The number of each mention's sense. (mentions,)

    Example:
        >>> divide(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, -1.0]])).tolist()
        [0, 0, 1]
    """
    labels, rest = np.zeros(len(directions), dtype=int), np.arange(len(directions))
    count = 0
    while rest.size:
        is_near = directions[rest] @ directions[rest[0]] >= LEAST_COSINE
        is_near[0] = True
        labels[rest[is_near]] = count
        rest, count = rest[~is_near], count + 1
    return labels if count == 1 else _join(labels, directions, count)[labels]


def _join(labels: np.ndarray, directions: np.ndarray, count: int) -> np.ndarray:
    """For each sense the larger one whose mean is near its own, or else itself. (senses,)"""
    sums = np.zeros((count, directions.shape[1]), dtype=directions.dtype)
    np.add.at(sums, labels, directions)
    centres = unit(sums)
    targets, leaders = np.arange(count), list[int]()
    for sense in np.argsort(-np.bincount(labels), kind="stable").tolist():
        cosines = centres[leaders] @ centres[sense]
        if leaders and cosines.max() >= LEAST_COSINE:
            targets[sense] = leaders[int(cosines.argmax())]
        else:
            leaders.append(sense)
    return targets


def agree(group: Group, rival: Group) -> bool:
    """Whether two groups' vectors allow that they name the same thing; unknown ones do."""
    if group.direction is None or rival.direction is None:
        return True
    return float(group.direction @ rival.direction) >= LEAST_COSINE
