"""Check the built corpus: `python -m training.corpus.check [--against DIR]`; prints every fault, exit code 1 for any.

Spans slice and never cross; no text stands twice; every type exists, is closed under its parents and has its minimum of
different entities; no sentence frame (names removed) stands more than three times; and no eight words in a row stand in
any JSONL text of DIR.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..corpus.build import HERE, ancestors

MIN_ENTITIES = 10
MAX_FRAME = 3
GRAM = 8


def read_built(folder: Path = HERE) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Types by id, and all documents in the order of their shards."""
    return read_types(folder), [document for shard in shards(folder) for document in _lines(shard)]


def read_types(folder: Path = HERE) -> dict[str, dict[str, Any]]:
    """Types of the built corpus by id."""
    return {entry["id"]: entry for entry in _lines(folder / "types.jsonl")}


def shards(folder: Path = HERE) -> list[Path]:
    """The files of its documents, one a domain."""
    return sorted(path for path in folder.glob("*.jsonl") if path.name != "types.jsonl")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def faults(types: dict[str, dict[str, Any]], documents: list[dict[str, Any]]) -> Iterator[str]:
    """Everything that is wrong with the corpus itself."""
    for kind, counted in (("id", Counter(d["id"] for d in documents)), ("text", Counter(d["text"] for d in documents))):
        yield from (f"the {kind} {value[:80]!r} stands {times} times" for value, times in counted.items() if times > 1)
    for document in documents:
        yield from (f"{document['id']}: {fault}" for fault in _mention_faults(document, types))
    yield from (
        f"the type {name!r} has {len(found)} different entities, fewer than {MIN_ENTITIES}"
        for name, found in entities(types, documents).items()
        if len(found) < MIN_ENTITIES
    )
    wordings = Counter(wording for entry in types.values() for wording in entry["wordings"])
    yield from (f"the wording {wording!r} names {times} types" for wording, times in wordings.items() if times > 1)
    for frame, times in Counter(frame_of(document) for document in documents).items():
        if times > MAX_FRAME:
            yield f"the frame {frame[:80]!r} stands {times} times"


def _mention_faults(document: dict[str, Any], types: dict[str, dict[str, Any]]) -> Iterator[str]:
    labels: dict[tuple[int, int], set[str]] = defaultdict(set)
    for mention in document["mentions"]:
        labels[mention["start"], mention["end"]].add(mention["type"])
    reached = 0
    for (start, end), names in sorted(labels.items()):
        name = document["text"][start:end]
        if not 0 <= start < end <= len(document["text"]) or name != name.strip():
            yield f"[{start}, {end}) is no mention of the text"
        if start < reached:
            yield f"{name!r} crosses the mention before it"
        reached = max(reached, end)
        if unknown := names - types.keys():
            yield f"{name!r} has the unknown types {sorted(unknown)}"
        elif missing := {above for one in names for above in ancestors(types, one)} - names:
            yield f"{name!r} lacks the types {sorted(missing)} above its own"


def entities(types: dict[str, dict[str, Any]], documents: list[dict[str, Any]]) -> dict[str, set[str]]:
    """The different names of each type, lower-cased."""
    found: dict[str, set[str]] = {name: set() for name in types}
    for document in documents:
        for mention in document["mentions"]:
            found.get(mention["type"], set()).add(document["text"][mention["start"] : mention["end"]].lower())
    return found


def frame_of(document: dict[str, Any]) -> str:
    """The text with its names replaced by one sign, lower-cased.

    Example:
        >>> frame_of({"text": "Ada met Bo.", "mentions": [{"start": 0, "end": 3}, {"start": 8, "end": 10}]})
        '_ met _.'
    """
    text, spans = document["text"], {(mention["start"], mention["end"]) for mention in document["mentions"]}
    for start, end in sorted(spans, reverse=True):
        text = f"{text[:start]}_{text[end:]}"
    return text.lower()


def grams(text: str) -> Iterator[tuple[str, ...]]:
    """All runs of eight words, lower-cased, punctuation left out."""
    words = re.findall(r"\w+", text.lower())
    return (tuple(words[at : at + GRAM]) for at in range(len(words) - GRAM + 1))


def shared(documents: list[dict[str, Any]], folder: Path) -> Iterator[str]:
    """Runs of eight words that also stand in a JSONL text of `folder`."""
    own = {gram: document["id"] for document in documents for gram in grams(document["text"])}
    for path in sorted(folder.rglob("*.jsonl")):
        for other in _lines(path):
            for gram in grams(other["text"]):
                if gram in own:
                    yield f"{own[gram]} shares {' '.join(gram)!r} with {path.name} {other['id']}"


def main(arguments: list[str] | None = None) -> int:
    """Print all faults; 0 if there are none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, metavar="DIR", help="texts with which no eight words may be shared")
    against = parser.parse_args(arguments).against
    types, documents = read_built()
    found = [*faults(types, documents), *(shared(documents, against) if against else ())]
    print("\n".join(found), end="\n" if found else "")
    print(f"{len(documents)} texts, {len(types)} types, {len(found)} faults", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
