"""A text and its typed mentions: what every reader gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from modeling_nerret.spans import Span, check_span


@dataclass(frozen=True)
class Annotated:
    """A text and its mentions, each with the plain names of all its types."""

    id: str
    text: str
    mentions: dict[Span, tuple[str, ...]]


class RawText(NamedTuple):
    """A text as its file has it; a mention of several types is listed once for each.

    Args:
        place: where it was read, for error messages: file and line.
        id: its id.
        text: the text.
        mentions: start, end and raw label of each mention.
    """

    place: str
    id: str
    text: str
    mentions: Iterable[tuple[int, int, str]]


def annotate(raw: RawText, names: Mapping[str, str] | None = None) -> Annotated:
    """Check a text's mentions and give their types plain names.

    Args:
        raw: the text.
        names: plain names of raw labels; without one a label stands for itself, with spaces instead of `_`.

    Raises:
        ValueError: a mention lies outside the text, or its type is empty; the message begins with the place.

    Example:
        >>> annotate(RawText("a.jsonl, line 1", "1", "Ada", [(0, 3, "PER")]), {"PER": "person"}).mentions
        {Span(start=0, end=3, score=1.0): ('person',)}
    """
    types: dict[Span, list[str]] = defaultdict(list)
    for start, end, label in raw.mentions:
        try:
            check_span(raw.text, start, end)
        except ValueError as error:
            raise ValueError(f"{raw.place}: {error}") from None
        name = (names or {}).get(label) or label.replace("_", " ").strip()
        if not name:
            raise ValueError(f"{raw.place}: the mention [{start}, {end}) has an empty type; name its type")
        span = Span(start, end)
        if name not in types[span]:
            types[span].append(name)
    return Annotated(raw.id, raw.text, {span: tuple(labels) for span, labels in sorted(types.items())})
