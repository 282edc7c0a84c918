"""Documents: what a user hands over, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .spans import Span, check_span


@dataclass(frozen=True)
class Document:
    """A text with an id.

    Args:
        id: any non-empty string; it is data and never used as a path.
        text: the document's own text, to which all spans refer.
        metadata: further fields, for filters and display.
        mentions: spans that the user brings; only the detector `GivenSpans` reads them.
    """

    id: str
    text: str
    metadata: dict[str, Any] = field(default_factory=dict)
    mentions: tuple[Span, ...] = ()

    @classmethod
    def from_dict(cls, entry: Any) -> Document:
        """A document from `{"id", "text", "mentions" (optional), ...metadata}`.

        Raises:
            ValueError: a field is missing or of another kind; the message says which and what is accepted.

        Example:
            >>> Document.from_dict({"id": "a", "text": "Oslo in May", "year": 1905}).metadata
            {'year': 1905}
        """
        if not isinstance(entry, Mapping):
            raise ValueError(f'a document is {{"id": ..., "text": ...}}, not {type(entry).__name__}')
        fields = dict(entry)
        name, text, mentions = fields.pop("id", None), fields.pop("text", None), fields.pop("mentions", None) or ()
        if isinstance(name, int) and not isinstance(name, bool):
            name = str(name)
        if not isinstance(name, str) or not name:
            raise ValueError(f'a document needs an "id", a non-empty string; it has {name!r}')
        if not isinstance(text, str):
            raise ValueError(f'document {name!r} needs a "text", a string; it has {type(text).__name__}')
        if not text.strip():
            raise ValueError(f"document {name!r} has an empty text")
        for value in (name, text):
            try:
                value.encode("utf-8")
            except UnicodeEncodeError as error:
                raise ValueError(f"document {name!a} is not valid Unicode at character {error.start}") from None
        return cls(name, text, fields, tuple(_mention(name, text, mention) for mention in mentions))


def _mention(name: str, text: str, mention: Any) -> Span:
    try:
        start, end = mention["start"], mention["end"]
        check_span(text, start, end)
        return Span(start, end)
    except (KeyError, TypeError):
        raise ValueError(f'document {name!r}: a mention is {{"start": ..., "end": ...}}, not {mention!r:.60}') from None
    except ValueError as error:
        raise ValueError(f"document {name!r}: {error}") from None
