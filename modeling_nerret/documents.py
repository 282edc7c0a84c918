"""Documents: checked input of users, and documents with their vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from numbers import Integral
from operator import index
from typing import Any, TypeVar

import numpy as np

from .metadata import flatten, to_json
from .spans import Span, check_span

T = TypeVar("T")


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
    def from_dict(cls, entry: Any, spans: bool = True) -> Document:
        """A document from `{"id", "text", "mentions" (optional), ...metadata}`; a whole number as id becomes a string.

        Raises:
            ValueError: a field is missing or of another kind; the message says which and what is accepted.

        Example:
            >>> Document.from_dict({"id": "a", "text": "Oslo in May", "year": 1905}).metadata
            {'year': 1905}
        """
        if not isinstance(entry, Mapping):
            raise ValueError(f'a document is {{"id": ..., "text": ...}}, not {type(entry).__name__}')
        fields = dict(entry)
        name, text, mentions = (
            fields.pop("id", None),
            fields.pop("text", None),
            (spans and fields.pop("mentions", None)) or (),
        )
        if isinstance(name, Integral) and not isinstance(name, bool):
            name = str(name)
        if not isinstance(name, str) or not name:
            raise ValueError(f'a document needs an "id", a non-empty string or whole number; it has {name!r:.60}')
        if not isinstance(text, str):
            raise ValueError(f'document {name!a:.60} needs a "text", a string; it has {type(text).__name__}')
        if not text.strip():
            raise ValueError(f"document {name!a:.60} has an empty text")
        for value in (name, text):
            try:
                value.encode("utf-8")
            except UnicodeEncodeError as error:
                raise ValueError(f"document {name!a:.60} is not valid Unicode at character {error.start}") from None
        _check_metadata(name, fields)
        if not isinstance(mentions, (list, tuple)):
            raise ValueError(f"document {name!r:.60}: mentions are a list, not {type(mentions).__name__}")
        return cls(name, text, fields, tuple(_mention(name, text, mention) for mention in mentions))


@dataclass
class EncodedDocument:
    """A document with its mentions and its windows in order, and their vectors, (mentions or windows, hidden_size).

    A model without a document head gives no vectors of windows.
    """

    document: Document
    mentions: list[Span] = field(default_factory=list)
    vectors: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    windows: list[Span] = field(default_factory=list)
    window_vectors: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))


def in_groups(items: Iterable[T], length: Callable[[T], int], characters: int, most: int) -> Iterator[list[T]]:
    """Items in lists that end with the one that reaches `characters` characters or `most` items.

    Example:
        >>> list(in_groups(["a", "bcd", "e", "f", "g"], len, characters=4, most=2))
        [['a', 'bcd'], ['e', 'f'], ['g']]
    """
    group: list[T] = []
    size = 0
    for item in items:
        group.append(item)
        size += length(item)
        if size >= characters or len(group) == most:
            yield group
            group, size = [], 0
    if group:
        yield group


def _check_metadata(name: str, metadata: Mapping[str, Any]) -> None:
    """Refuse what the index could not store."""
    try:
        to_json(metadata).encode("utf-8")
        for field_name, _, _ in flatten(metadata):
            field_name.encode("utf-8")
    except RecursionError:
        raise ValueError(f"document {name!r:.60}: its metadata is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError(f"document {name!r:.60}: its metadata is not valid Unicode") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"document {name!r:.60}: its metadata cannot be stored ({error})") from None


def _mention(name: str, text: str, mention: Any) -> Span:
    try:
        start, end = index(mention["start"]), index(mention["end"])
        check_span(text, start, end)
        return Span(start, end)
    except (KeyError, TypeError):
        raise ValueError(
            f'document {name!r:.60}: a mention is {{"start": ..., "end": ...}}, not {mention!r:.60}'
        ) from None
    except ValueError as error:
        raise ValueError(f"document {name!r:.60}: {error}") from None
