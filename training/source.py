"""A set of annotated texts that batches are drawn from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from .reading import Annotated


@dataclass(frozen=True)
class Source:
    """A set of texts whose labels are complete among themselves, so that its types may contrast each other.

    Args:
        name: what it is called in logs.
        weight: how often it is drawn from, relative to others.
        texts: the texts, mentions with the plain names of all their types.
        wordings: each type's ways to be asked for, its plain name first.
        related: for each type those that a mention of it may have as well: parents, children, namesakes.
        broad: those of its types that nobody annotated, see `training.broad_types`.
    """

    name: str
    weight: float
    texts: list[Annotated]
    wordings: dict[str, list[str]]
    related: dict[str, set[str]] = field(default_factory=dict)
    broad: frozenset[str] = frozenset()

    def digest(self) -> str:
        """SHA-256 of what it holds."""
        texts = [(text.text, list(text.mentions.items())) for text in self.texts]
        return hashlib.sha256(repr((texts, self.wordings)).encode()).hexdigest()
