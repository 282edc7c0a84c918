"""This project's labels for the texts of other sets: open types for their names, or for all that they mention.

The labels are in `corpus/`, see its README; the texts are in the user's folder.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

from modeling_nerret.spans import Span

from .annotated import Annotated
from .corpus import CORPUS, ancestors, read_corpus_types
from .own_sets import queries, relabel
from .readers import read
from .source import Source

OPEN_TYPES, MENTIONS = CORPUS / "open_types", CORPUS / "mentions"
FEWEST = 3  # mentions of an open type; with fewer it is one reader's word rather than a type
MOST_PLACES = 3  # of the same words in a text
ALWAYS, OFTEN = 0.85, 0.15  # shares of a type's mentions, see `Companions`
FEW = 5  # mentions of a type that prove nothing


def open_sets() -> list[str]:
    """Names of the sets whose texts `open_source` reads.

    Example:
        >>> "wikigold" in open_sets()
        True
    """
    return sorted(path.stem for path in OPEN_TYPES.glob("*.jsonl"))


def mention_sets() -> list[str]:
    """Names of the sets whose texts `mentions_source` reads.

    Example:
        >>> "litbank" in mention_sets()
        True
    """
    return sorted(path.stem for path in MENTIONS.glob("*.jsonl"))


def parsed_sets() -> list[str]:
    """Names of the sets in the user's folder whose texts are in `kinds` and `phrases`."""
    return sorted({*open_sets(), "dynamicner"})


def open_source(weight: float, folder: Path) -> Source:
    """Texts of `open_sets` in `folder`, with open types for their names.

    An open type that is a wording of a corpus type becomes that type with its parents and its wordings. A mention whose
    types are all rare stays as a mention without a type.

    Raises:
        FileNotFoundError: a set is not in the folder.
        ValueError: a text differs from the one that got the types.
    """
    texts = (text for name in open_sets() for text in _with_open_types(folder / f"{name}.jsonl"))
    return _source("open", weight, _with_corpus_types(texts))


def mentions_source(weight: float, folder: Path) -> Source:
    """Texts of `mention_sets` in `folder`, with open types for all that they mention: names, kinds, terms, amounts.

    The types are as those of `open_source`, and completed by `Companions`.

    Raises:
        FileNotFoundError: a set is not in the folder.
        ValueError: a text differs from the one that got the types.
    """
    texts = _with_corpus_types(text for name in mention_sets() for text in _with_mentions(folder / f"{name}.jsonl"))
    companions = Companions(texts)
    source = _source("mentions", weight, [companions.complete(text) for text in texts])
    return replace(source, has_names=False)


def frequent_labels() -> list[str]:
    """The labels of all texts that stand often enough to be learned from."""
    counts: Counter[str] = Counter()
    for path in (*OPEN_TYPES.glob("*.jsonl"), *MENTIONS.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            mentions = json.loads(line)["mentions"]
            if path.parent == MENTIONS:
                counts.update(label for labels in mentions.values() for label in labels.split("; "))
            else:
                counts.update(label for mention in mentions for label in mention["types"])
    return sorted(label for label, count in counts.items() if count >= FEWEST)


class Companions:
    """Which types a type brings along: readers give a mention its finest types, and some but not all broader ones.

    A type brings those that nearly all of its mentions have. Whether a mention has the broader ones that some have, or
    the one that is the type's last word, is unknown; it is then neither right nor wrong for them.

    Args:
        texts: what the readers labelled.
    """

    def __init__(self, texts: Iterable[Annotated]):
        groups = [labels for text in texts for labels in text.mentions.values()]
        counts = Counter(name for labels in groups for name in labels)
        pairs = Counter(pair for labels in groups for pair in permutations(labels, 2))
        self.certain: dict[str, set[str]] = defaultdict(set)
        self.possible: dict[str, set[str]] = defaultdict(set)
        for (name, companion), count in pairs.items():
            share = count / counts[name]
            if share >= ALWAYS and counts[name] >= FEW:
                self.certain[name].add(companion)
            elif counts[companion] > counts[name] and (share >= OFTEN or counts[name] < FEW - 1):
                self.possible[name].add(companion)
        for name in counts:
            last = name.split()[-1]
            if last != name and last in counts:
                self.possible[name].add(last)

    def complete(self, text: Annotated) -> Annotated:
        """A text whose mentions have all that their types bring."""
        mentions, perhaps = {}, {}
        for span, labels in text.mentions.items():
            certain = sorted({name for label in labels for name in self.certain[label]})
            possible = frozenset(name for label in labels for name in self.possible[label])
            mentions[span] = tuple(dict.fromkeys([*labels, *certain]))
            perhaps[span] = possible.difference(mentions[span])
        return replace(text, mentions=mentions, perhaps={span: names for span, names in perhaps.items() if names})


def places_of(words: str, text: str) -> list[Span]:
    """The first places of some words in a text, not inside of longer words.

    Example:
        >>> places_of("art", "Art, article, art and party art")
        [Span(start=14, end=17, score=1.0), Span(start=28, end=31, score=1.0)]
    """
    places: list[Span] = []
    start = text.find(words)
    while start >= 0 and len(places) < MOST_PLACES:
        end = start + len(words)
        is_apart = not (_joins(text[start - 1 : start], words[0]) or _joins(words[-1], text[end : end + 1]))
        if is_apart:
            places.append(Span(start, end))
        start = text.find(words, end if is_apart else start + 1)
    return places


def _joins(left: str, right: str) -> bool:
    """Whether two neighbouring characters belong to one word; there is none at the edge of a text."""
    return left.isalnum() and right.isalnum()


def _with_corpus_types(texts: Iterable[Annotated]) -> list[Annotated]:
    """Texts in which a label that is a wording of a corpus type is that type with its parents."""
    types = read_corpus_types()
    chains = {wording.casefold(): ancestors(types, name) for name, entry in types.items() for wording in entry.wordings}
    return [
        relabel(text, lambda labels: (name for label in labels for name in chains.get(label.casefold(), [label])))
        for text in texts
    ]


def _source(name: str, weight: float, texts: Sequence[Annotated]) -> Source:
    """A source with those types of its texts that are not rare."""
    types = read_corpus_types()
    counts = Counter(name for text in texts for labels in text.mentions.values() for name in labels)
    wordings = {name: [name] for name, count in sorted(counts.items()) if count >= FEWEST}
    names = frozenset(wordings)
    texts = [_only(text, names) for text in texts]
    corpus_types = {name: types[name] for name in wordings if name in types}
    return Source(name, weight, texts, wordings | queries(corpus_types))


def _only(text: Annotated, names: frozenset[str]) -> Annotated:
    perhaps = {span: doubts & names for span, doubts in text.perhaps.items()}
    return replace(relabel(text, lambda labels: (name for name in labels if name in names)), perhaps=perhaps)


def _with_open_types(path: Path) -> Iterator[Annotated]:
    """The texts of a set that have names with open types, with these types."""
    for text, mentions in _labelled(OPEN_TYPES, path, "open"):
        if any(text.text[name["start"] : name["end"]] != name["name"] for name in mentions):
            raise _differs(path, text.id)
        yield replace(text, mentions={Span(name["start"], name["end"]): tuple(name["types"]) for name in mentions})


def _with_mentions(path: Path) -> Iterator[Annotated]:
    """The texts of a set of which all mentions have open types, with these types."""
    for text, labels in _labelled(MENTIONS, path, "mentions"):
        mentions: dict[Span, tuple[str, ...]] = {}
        for words, names in labels.items():
            places = places_of(words, text.text)
            if not places:
                raise _differs(path, text.id)
            for place in places:
                mentions.setdefault(place, tuple(names.split("; ")))
        yield replace(text, mentions=dict(sorted(mentions.items())))


def _labelled(folder: Path, path: Path, name: str) -> Iterator[tuple[Annotated, Any]]:
    """The texts of a set that have labels, and the labels."""
    if not path.exists():
        raise FileNotFoundError(
            f"the set {name!r} needs {path.name}, which is not in {path.parent}; say where with --data DIR"
        )
    texts = {text.id: text for text in read(str(path))}
    for line in (folder / path.name).read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["id"] not in texts:
            raise _differs(path, entry["id"])
        yield texts[entry["id"]], entry["mentions"]


def _differs(path: Path, id_: str) -> ValueError:
    return ValueError(f"{path}: the text {id_!r} differs from the one that got open types; use the original set")
