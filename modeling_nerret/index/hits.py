"""What a search returns: documents, each with the mentions that match the type."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mention:
    """A mention that matches a type query; `text` is `document.text[start:end]`, `score` its cosine in [-1, 1]."""

    start: int
    end: int
    text: str
    score: float


@dataclass(frozen=True)
class Hit:
    """A document, its score, and the mentions that earned it, in order of their start."""

    id: str
    score: float
    text: str
    mentions: list[Mention]
    metadata: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The hit as plain dictionaries and lists, for JSON."""
        return asdict(self)
