"""What a search returns: documents, each with the mentions that match the type."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mention:
    """A mention that matches a type query; `text` is `document.text[start:end]`.

    `score`, in [-1, 1], is the cosine of its vector and the query's, or less if the detector is not certain of it.
    """

    start: int
    end: int
    text: str
    score: float


def remove_overlaps(mentions: Iterable[Mention]) -> list[Mention]:
    """Mentions in order of their start. Where some overlap, only the best stays.

    Example:
        >>> mentions = [Mention(0, 4, "Lake", 0.3), Mention(0, 9, "Lake Como", 0.6)]
        >>> [mention.text for mention in remove_overlaps(mentions)]
        ['Lake Como']
    """
    best: list[Mention] = []  # in order of their start
    for mention in sorted(mentions, key=lambda mention: -mention.score):
        place = bisect_left(best, mention.start, key=lambda better: better.start)
        is_free = place == 0 or best[place - 1].end <= mention.start
        if is_free and (place == len(best) or mention.end <= best[place].start):
            best.insert(place, mention)
    return best


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
