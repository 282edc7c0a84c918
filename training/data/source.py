"""A set of annotated texts that batches are drawn from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from .annotated import Annotated


@dataclass(frozen=True)
class Source:
    """A set of texts whose labels are complete among themselves, so that its types may contrast each other.

    Args:
        name: its name in logs.
        weight: how often it is drawn from, relative to other sources.
        texts: the texts; mentions have the plain names of all their types.
        wordings: each type's wordings as a query, its plain name first.
        related_types: for each type those that a mention of it may also have: parents, children, namesakes.
        broad: those of its types that nobody annotated, see `data.broad_types`.
        has_names: whether its mentions are names; otherwise they are noun phrases of all sorts.
    """

    name: str
    weight: float
    texts: list[Annotated]
    wordings: dict[str, list[str]]
    related_types: dict[str, set[str]] = field(default_factory=dict)
    broad: frozenset[str] = frozenset()
    has_names: bool = True

    def digest(self) -> str:
        """SHA-256 of its texts, mentions and wordings."""
        texts = [
            (
                text.text,
                list(text.mentions.items()),
                sorted((span, sorted(types)) for span, types in text.perhaps.items()),
            )
            for text in self.texts
        ]
        return hashlib.sha256(repr((texts, self.wordings)).encode()).hexdigest()


def thin_out(source: Source, count: int) -> Source:
    """A source with `count` of its texts, evenly spaced, and the types that these mention."""
    total = len(source.texts)
    if total <= count:
        return source
    texts = [source.texts[number * total // count] for number in range(count)]
    names = {name for text in texts for labels in text.mentions.values() for name in labels}
    return replace(
        source,
        texts=texts,
        wordings={name: wordings for name, wordings in source.wordings.items() if name in names},
        related_types={name: types & names for name, types in source.related_types.items() if name in names},
        broad=source.broad & names,
    )
