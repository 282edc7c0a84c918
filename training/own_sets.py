"""The sets that this project wrote: its corpus, and types of its own for names in licensed texts (corpus/README.md)."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from modeling_nerret.spans import Span
from .broad_types import broad_types
from .corpus.build import HERE, ancestors
from .corpus.check import read_types, shards
from .reading import Annotated, read
from .source import Source

OPEN_TYPES = HERE / "open_types"
FEWEST = 3  # mentions of an open type; what stands once or twice is rather one reader's word than a type

Entry = dict[str, Any]  # a line of types.jsonl


def read_corpus(weight: float) -> Source:
    """The corpus, with its wordings and definitions, and broad types."""
    entries = read_types()
    texts = [text for path in shards() for text in read(str(path))]
    source = _broadened(Source("corpus", weight, texts, {name: entry["wordings"] for name, entry in entries.items()}))
    return replace(source, wordings=source.wordings | _asked_for(entries), related=_related(entries))


def open_sets() -> list[str]:
    """Names of the sets whose texts `read_open` reads.

    Example:
        >>> "wikigold" in open_sets()
        True
    """
    return sorted(path.stem for path in OPEN_TYPES.glob("*.jsonl"))


def read_open(weight: float, folder: Path) -> Source:
    """Texts of `open_sets` in `folder`, their names under open types.

    A type that is a wording of one of the corpus's means that one with its parents, and is asked for as there. A name
    all of whose types are rare keeps its place, and is no example of anything.

    Raises:
        FileNotFoundError: a set is not in the folder.
        ValueError: its texts are not those that were read when the types were given.
    """
    entries = read_types()
    meant = {
        wording.casefold(): ancestors(entries, name) for name, own in entries.items() for wording in own["wordings"]
    }
    found = [text for name in open_sets() for text in _with_open_types(folder / f"{name}.jsonl")]
    texts = [_relabelled(text, lambda types: (own for one in types for own in meant.get(one, [one]))) for text in found]
    counts = Counter(name for text in texts for types in text.mentions.values() for name in types)
    kept = {name: [name] for name, count in sorted(counts.items()) if count >= FEWEST}
    texts = [_relabelled(text, lambda types: (one for one in types if one in kept)) for text in texts]
    return Source("open", weight, texts, kept | _asked_for({name: entries[name] for name in kept if name in entries}))


def _with_open_types(path: Path) -> Iterator[Annotated]:
    """Those texts of a set that have names with open types, and these as they were given."""
    if not path.exists():
        raise FileNotFoundError(
            f"the set 'open' needs {path.name}, which is not in {path.parent}; say where with --data DIR"
        )
    texts = {text.id: text for text in read(str(path))}
    for line in (OPEN_TYPES / path.name).read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        text, mentions = texts.get(found["id"]), found["mentions"]
        if text is None or any(text.text[one["start"] : one["end"]] != one["name"] for one in mentions):
            raise ValueError(f"{path}: the text {found['id']!r} is not the one to whose names open types were given")
        yield replace(text, mentions={Span(one["start"], one["end"]): tuple(one["types"]) for one in mentions})


def _relabelled(text: Annotated, change: Callable[[Sequence[str]], Iterable[str]]) -> Annotated:
    """A text whose mentions have other types, each once."""
    return replace(text, mentions={span: tuple(dict.fromkeys(change(types))) for span, types in text.mentions.items()})


def _asked_for(entries: Mapping[str, Entry]) -> dict[str, list[str]]:
    """The ways to ask for types: their wordings and definitions."""
    return {name: [*entry["wordings"], entry["definition"]] for name, entry in entries.items()}


def _broadened(source: Source) -> Source:
    """A source with the broad types of its types."""
    broad = broad_types(source.wordings)
    names: dict[str, list[str]] = defaultdict(list)
    for name, types in broad.items():
        for one in types:
            names[one].append(name)
    texts = [
        _relabelled(text, lambda types: [*types, *(name for one in types for name in names.get(one, ()))])
        for text in source.texts
    ]
    wordings = source.wordings | {name: [name] for name in broad}
    return replace(source, texts=texts, wordings=wordings, broad=frozenset(broad))


def _related(entries: Mapping[str, Entry]) -> dict[str, set[str]]:
    """Types that are no negatives of each other: parent and child, and types that share a wording."""
    related: dict[str, set[str]] = defaultdict(set)
    owners: dict[str, set[str]] = defaultdict(set)
    for name, entry in entries.items():
        for wording in entry["wordings"]:
            owners[wording.casefold()].add(name)
        for parent in entry["parents"]:
            owners[f"{name} < {parent}"] = {name, parent}
    for same in owners.values():
        for one in same:
            related[one] |= same - {one}
    return {name: found for name, found in related.items() if found}
