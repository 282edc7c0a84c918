"""What a search returns: documents, each with the mentions that match the type, and what all of them promise."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

WEAK, STRONG = 0.15, 0.35  # contributions to a score, in words
FEW_HITS = 20  # of fewer, numbers say more than percentages


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
    """A document, its score, and the mentions that earned it, in order of their start.

    Args:
        id: the document's.
        score: by which hits are ordered; for several types that are asked together, the probability.
        text: the document's.
        mentions: those that match the type.
        metadata: the document's.
        probability: that the document is right, in [0, 1]; `None` if the model has no calibration, or the mode is not
            hybrid.
        shares: what its mention, its text as a whole and its words contribute to the score; empty if not hybrid.
        looks_like: the nearest type names of its best mention; empty if the model knows no names.
    """

    id: str
    score: float
    text: str
    mentions: list[Mention]
    metadata: dict[str, Any] = field(default_factory=dict)
    probability: float | None = None
    shares: dict[str, float] = field(default_factory=dict)
    looks_like: list[str] = field(default_factory=list)

    @property
    def best(self) -> Mention | None:
        """The mention with the highest score, the first of equals."""
        return max(self.mentions, key=lambda mention: mention.score, default=None)

    def as_dict(self) -> dict[str, Any]:
        """The hit as plain dictionaries and lists, for JSON."""
        return asdict(self)

    def why(self) -> str:
        """Why the document is here, in a sentence.

        Example:
            >>> mention = Mention(0, 11, "Triceratops", 0.6)
            >>> Hit("a", 0.8, "Triceratops!", [mention], {}, 0.9, {"mention": 0.6, "text": 0.2, "words": 0.0},
            ...     ["dinosaur", "reptile"]).why()
            '“Triceratops” looks like: dinosaur, reptile; the text as a whole fits a little'
        """
        reasons = []
        if self.best is not None:
            name = f"“{self.best.text}”"
            reasons.append(f"{name} looks like: {', '.join(self.looks_like)}" if self.looks_like else f"it says {name}")
        if self.shares.get("text", 0.0) >= WEAK:
            reasons.append(f"the text as a whole fits {'well' if self.shares['text'] >= STRONG else 'a little'}")
        if self.shares.get("words", 0.0) > 0:
            reasons.append("it has the words of the type")
        return "; ".join(reasons)


class Answer(list[Hit]):
    """The hits of a query, best first, and what they promise.

    Without a calibration only the hits are there: the other attributes are `None` or empty.

    Args:
        hits: the hits.
        query: what was asked.
        precision: the expected share of right documents among the hits; `None` if there are none.
        interval: the share is between these with a probability of 80 %.
        relevant: the expected number of right documents in the index; `None` if the number of hits was given.
        absent: probability that the index has no right document.
        candidates: id and probability of all documents that were considered and are not marked, best first.
    """

    def __init__(
        self,
        hits: Iterable[Hit] = (),
        query: str = "",
        precision: float | None = None,
        interval: tuple[float, float] | None = None,
        relevant: float | None = None,
        absent: float | None = None,
        candidates: Iterable[tuple[str, float]] = (),
    ):
        super().__init__(hits)
        self.query, self.precision, self.interval = query, precision, interval
        self.relevant, self.absent, self.candidates = relevant, absent, list(candidates)

    @property
    def missed(self) -> float | None:
        """The expected number of right documents that are not among the hits; `None` if it is not known."""
        if self.relevant is None:
            return None
        return max(self.relevant - (self.precision or 0.0) * len(self), 0.0)

    def to_mark(self, count: int = 5) -> list[str]:
        """Ids of the documents whose marks would teach most, right or wrong: pass them to `search` as `marks`.

        They are spread over the answer and what comes after it: marks of the best documents would not tell where the
        right ones end.
        """
        from .answers.promises import spread_places

        return [self.candidates[place][0] for place in spread_places([chance for _, chance in self.candidates], count)]

    @property
    def note(self) -> str:
        """What the answer promises, in a sentence; empty without a calibration."""
        if self.absent is None:
            return ""
        if not self:
            reason = "probably no document mentions" if self.absent >= 0.5 else "no document is sure enough to mention"
            return f"{reason} what you ask for: {self.query}"
        count = f"{len(self):,} documents"
        if self.precision is None or self.interval is None:
            return count
        if len(self) == 1:
            promise = f"1 document, which is right with a probability of {100 * self.precision:.0f} %"
        elif len(self) < FEW_HITS:
            right, low, high = (round(share * len(self)) for share in (self.precision, *self.interval))
            promise = f"{count}, of which about {right} {'is' if right == 1 else 'are'} right ({low} to {high})"
        else:
            right, low, high = (round(100 * share) for share in (self.precision, *self.interval))
            promise = f"{count}, of which some {right} % are right ({low} to {high} %)"
        if self.missed is None:
            return promise
        rest = round(self.missed)
        if not rest:
            return f"{promise}; hardly any is missed"
        return f"{promise}; about {rest:,} more {'is' if rest == 1 else 'are'} missed"

    def promises(self) -> dict[str, Any]:
        """All but the hits, for JSON."""
        return {
            "query": self.query,
            "documents": len(self),
            "precision": self.precision,
            "interval": self.interval,
            "relevant": self.relevant,
            "missed": self.missed,
            "absent": self.absent,
            "to_mark": self.to_mark(),
            "note": self.note,
        }
