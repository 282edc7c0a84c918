"""What an index holds: its types as a tree, with rough counts and examples.

Every mention of an even sample gets a chance for each name of the bank, by how much nearer it is to the name than
mentions usually are. A type's chance is the sum of its own and its kinds' chances. A mention counts for the most
special type that is more likely than not, and for all types above it. So a mention of which nobody can say whether it
is a writer or a politician is a person, and one that is near to nothing counts nowhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..pretrained.type_names import TypeNames
from ..pretrained.vectors import unit
from .snapshot import Snapshot

MENTIONS = 4_000  # of a sample
SPREAD = 0.05  # difference of two cosines that makes a name e times as likely
LIKELY = 0.5  # chance from which a mention counts
NEIGHBOURS, NEIGHBOUR_WEIGHT = 10, 0.5  # mentions that are heard about a mention, and how much they count
NEIGHBOUR_SHARE = 0.01  # of the sample that may be neighbours: in a small sample the nearest are not near
LEAST_SHARE = 0.003  # of the sample that a type must have to be shown
EXAMPLES = 3  # of each type
BLOCK = 1_000  # mentions whose neighbours are looked for at a time


@dataclass(frozen=True)
class TypeGroup:
    """A type that an index holds.

    Args:
        name: the type, in words that can be asked for.
        documents: about how many documents mention an entity of it.
        mentions: about how many mentions are of it, its kinds among them.
        examples: texts of a few clear mentions.
        kinds: the more special types of it, the largest first.
    """

    name: str
    documents: int
    mentions: int
    examples: list[str]
    kinds: list[TypeGroup] = field(default_factory=list)


@dataclass(frozen=True)
class TypeTree:
    """The types that an index holds.

    Args:
        types: the most general types, the largest first.
        documents: number of documents in the index.
        mentions: number of mentions in the index.
        nameless: about how many mentions are near to no type.
        sample: how many mentions were looked at; if these are all, the numbers are counts, and estimates otherwise.
    """

    types: list[TypeGroup]
    documents: int
    mentions: int
    nameless: int
    sample: int

    def walk(self) -> Iterator[tuple[tuple[str, ...], TypeGroup]]:
        """All types from the top down, each with its path: the names of the types above it and its own.

        Example:
            >>> river = TypeGroup("river", 2, 3, ["Po"])
            >>> tree = TypeTree([TypeGroup("place", 4, 5, ["Rome"], [river])], 9, 9, 4, 9)
            >>> [path for path, _ in tree.walk()]
            [('place',), ('place', 'river')]
        """
        yield from _walk((), self.types)

    def as_dict(self) -> dict[str, Any]:
        """The tree as plain dictionaries and lists, for JSON."""
        return asdict(self)


def _walk(path: tuple[str, ...], groups: Sequence[TypeGroup]) -> Iterator[tuple[tuple[str, ...], TypeGroup]]:
    for group in groups:
        yield (*path, group.name), group
        yield from _walk((*path, group.name), group.kinds)


@dataclass(frozen=True)
class Sample:
    """Mentions of an index: the key of each one's document, its text and its vector. (mentions, hidden_size)"""

    keys: list[int]
    texts: list[str]
    vectors: np.ndarray


def read_types(snapshot: Snapshot, bank: TypeNames, limit: int = MENTIONS) -> TypeTree:
    """The types of a snapshot, from at most `limit` of its mentions."""
    places, vectors = snapshot.sample(limit)
    documents = snapshot.documents(sorted({key for key, _, _ in places}))
    texts = [documents[key].text[start:end] for key, start, end in places]
    sample = Sample([key for key, _, _ in places], texts, vectors)
    return make_tree(bank, sample, snapshot.size, snapshot.mention_count)


def make_tree(bank: TypeNames, sample: Sample, documents: int, mentions: int) -> TypeTree:
    """The tree of a sample.

    Args:
        bank: the names.
        sample: mentions, evenly from the whole index.
        documents: number of documents in the index.
        mentions: number of mentions in the index.
    """
    count = len(sample.texts)
    if not count:
        return TypeTree([], documents, mentions, 0, 0)
    lineages = lineages_of(bank)
    chances = type_chances(bank, sample.vectors, lineages)  # (types, mentions)
    choice = choose(chances, lineages)  # (mentions,)
    members: dict[int, list[int]] = {}  # rows of the sample by type
    for row, place in enumerate(choice.tolist()):
        for ancestor in lineages[place] if place >= 0 else ():
            members.setdefault(ancestor, []).append(row)
    least = max(1, round(LEAST_SHARE * count))
    members = {place: rows for place, rows in members.items() if len(rows) >= least}
    scale = mentions / count

    def group(place: int) -> TypeGroup:
        rows, number = members[place], round(scale * len(members[place]))
        owners = len({sample.keys[row] for row in rows}) if scale == 1 else _documents_with(number, documents)
        examples = _examples(bank.names[place], sample, rows, chances[place])
        return TypeGroup(bank.names[place], owners, number, examples, groups(place))

    def groups(parent: int | None) -> list[TypeGroup]:
        places = [place for place in members if _main_parent(bank, members, place) == parent]
        return [group(place) for place in sorted(places, key=lambda place: (-len(members[place]), place))]

    nameless = round(scale * int((choice < 0).sum()))
    return TypeTree(groups(None), documents, mentions, nameless, count)


def choose(chances: np.ndarray, lineages: Sequence[Sequence[int]]) -> np.ndarray:
    """The most special type that is likely, for each mention; -1 if none is. (mentions,)

    Args:
        chances: of each type, its kinds included. (types, mentions)
        lineages: see `lineages_of`.
    """
    depths = np.array([len(lineage) for lineage in lineages])[:, None]  # (types, 1)
    ranks = np.where(chances >= LIKELY, depths + chances / 2, -1)  # (types, mentions); chances are about 1 at most
    return np.where(ranks.max(axis=0) >= 0, ranks.argmax(axis=0), -1)


def lineages_of(bank: TypeNames) -> list[list[int]]:
    """For each name the places of itself and of all names above it."""
    places = {name: place for place, name in enumerate(bank.names)}
    lineages: dict[str, set[int]] = {}

    def lineage(name: str) -> set[int]:
        if name not in lineages:
            lineages[name] = {places[name]}.union(*map(lineage, bank.parents[places[name]]))
        return lineages[name]

    return [sorted(lineage(name)) for name in bank.names]


def type_chances(bank: TypeNames, vectors: np.ndarray, lineages: Sequence[Sequence[int]]) -> np.ndarray:
    """The chance that each mention is of each type, which is its own and its kinds' together. (types, mentions)

    Args:
        bank: the names.
        vectors: of any length. (mentions, hidden_size)
        lineages: see `lineages_of`.
    """
    chances = _chances(bank, vectors)
    sums = np.zeros_like(chances)
    for chance, lineage in zip(chances, lineages, strict=True):
        sums[lineage] += chance
    return sums


def _chances(bank: TypeNames, vectors: np.ndarray) -> np.ndarray:
    """The chance of each name by itself for each mention, its neighbours heard. (types, mentions)"""
    scores = bank.scores(vectors).T / SPREAD
    chances = np.exp(scores - scores.max(axis=0))
    chances /= chances.sum(axis=0)
    number = min(NEIGHBOURS, int(NEIGHBOUR_SHARE * len(vectors)))
    if not number:
        return chances
    means = np.zeros_like(chances)
    for nearest in _neighbours(unit(vectors), number).T:  # (mentions,)
        means += chances[:, nearest] / number
    mixture: np.ndarray = (1 - NEIGHBOUR_WEIGHT) * chances + NEIGHBOUR_WEIGHT * means
    return mixture


def _neighbours(vectors: np.ndarray, number: int) -> np.ndarray:
    """Places of the mentions that are nearest to each mention. (mentions, number)"""
    parts = []
    for begin in range(0, len(vectors), BLOCK):
        distances = -vectors[begin : begin + BLOCK] @ vectors.T  # (block, mentions)
        rows = np.arange(len(distances))
        distances[rows, begin + rows] = np.inf  # a mention is not its own neighbour
        parts.append(np.argpartition(distances, number, axis=1)[:, :number])
    return np.concatenate(parts)


def _main_parent(bank: TypeNames, members: dict[int, list[int]], place: int) -> int | None:
    """The parent under which a type stands, the one with the most mentions; `None` for the most general types."""
    parents = [bank.names.index(name) for name in bank.parents[place]]
    return max(parents, key=lambda parent: len(members[parent]), default=None)


def _documents_with(mentions: int, documents: int) -> int:
    """About how many of some documents have one of some mentions, if these are spread by chance."""
    return round(documents * (1 - (1 - 1 / documents) ** mentions))


def _examples(name: str, sample: Sample, rows: Sequence[int], chances: np.ndarray) -> list[str]:
    """Texts of clear mentions of a type, no two alike: rather "Peru" than "this country", which says nothing."""
    lengths = np.linalg.norm(sample.vectors[rows], axis=1)  # how certain the detector was
    clearness = chances[rows] * lengths**2
    texts: dict[str, str] = {}
    for row in np.argsort(-clearness, kind="stable").tolist():
        text = " ".join(sample.texts[rows[row]].split())
        texts.setdefault(text.casefold(), text)
    word = name.split()[-1].casefold()
    order = sorted(texts, key=lambda text: word in text)  # stable: the clearest first
    return [texts[text] for text in order[:EXAMPLES]]
