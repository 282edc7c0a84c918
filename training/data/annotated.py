"""A text and its typed mentions: what every reader gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from modeling_nerret.spans import Span, check_span

from .tags import tag_spans, token_starts

SPANS = ("mentions", "entities", "spans")  # names of the field with spans; the first that exists counts


@dataclass(frozen=True)
class Annotated:
    """A text and its mentions, each with the plain names of all its types.

    Args:
        id: its id.
        text: the text.
        mentions: the types of each mention.
        perhaps: types that a mention may have or not, by mention: a word has several meanings.
    """

    id: str
    text: str
    mentions: dict[Span, tuple[str, ...]]
    perhaps: Mapping[Span, frozenset[str]] = field(default_factory=dict)


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


def raw_text(entry: Any, number: int, place: str) -> RawText:
    """A text with spans, as a line of a JSONL file or a row of a dataset has it.

    Raises:
        ValueError: a field is missing or of another kind.
    """
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
        raise ValueError(f'{place}: expected {{"text": "...", "mentions": [{{"start", "end", "type"}}]}}')
    spans = next((entry[field] for field in SPANS if field in entry), None)
    if not isinstance(spans, list):
        raise ValueError(f'{place}: there is no list "mentions" of {{"start", "end", "type"}}')
    mentions = []
    for span in spans:
        label = span.get("type", span.get("label")) if isinstance(span, dict) else None
        if not isinstance(label, str) or "start" not in span or "end" not in span:
            raise ValueError(f'{place}: the mention {span!r:.80} is not {{"start", "end", "type"}}')
        mentions.append((span["start"], span["end"], label))
    return RawText(place, str(entry.get("id", number)), entry["text"], mentions)


def raw_sentence(place: str, id_: str, tokens: list[str], tags: list[str], bare: bool) -> RawText:
    """A text of tokens joined by spaces, with the mentions of its tags; see `tags.tag_spans`."""
    starts = token_starts(tokens)
    mentions = [(starts[first], starts[last] - 1, label) for first, last, label in tag_spans(tags, bare)]
    return RawText(place, id_, " ".join(tokens), mentions)


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
