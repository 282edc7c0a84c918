"""Annotated text in one form: the project's JSONL, read as texts with typed mentions."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modeling_nerret.spans import Span


@dataclass(frozen=True)
class Annotated:
    """A text and its mentions, each with the plain names of all its types."""

    id: str
    text: str
    mentions: dict[Span, tuple[str, ...]]


def read_type_names(path: Path, key: str | None = None) -> dict[str, str]:
    """Raw labels to plain names, from a `types.json` (of the set `key`) or a corpus's own `types.jsonl`."""
    if path.suffix == ".jsonl":
        return {entry["id"]: entry["id"] for entry in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
    names = json.loads(path.read_text(encoding="utf-8"))
    return names[key] if key is not None else names


def read_annotated(path: Path, names: dict[str, str] | None = None) -> Iterator[Annotated]:
    """Texts of a JSONL file (`id`, `text`, `mentions: [{"start", "end", "type"}]`) in order.

    Args:
        path: the file.
        names: plain names of raw labels; a label that is not among them stands for itself.
    """
    names = names or {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            types: dict[Span, list[str]] = defaultdict(list)
            for mention in entry["mentions"]:
                name = names.get(mention["type"], mention["type"])
                span = Span(mention["start"], mention["end"])
                if name not in types[span]:
                    types[span].append(name)
            yield Annotated(entry["id"], entry["text"], {span: tuple(found) for span, found in sorted(types.items())})


def split(items: Sequence[Annotated], share: float, seed: int) -> tuple[list[Annotated], list[Annotated]]:
    """A random split into the rest and a `share` in (0, 1) held out; the same for the same seed."""
    order = list(range(len(items)))
    random.Random(seed).shuffle(order)
    held = set(order[: int(len(items) * share)])
    return [item for at, item in enumerate(items) if at not in held], [items[at] for at in sorted(held)]
