"""Documents: checked input of users, and documents with their vectors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from operator import index
from typing import Any, TypeVar

import numpy as np

from .metadata import to_json
from .spans import Span, check_span
from .values import field_name, plain

T = TypeVar("T")
PATIENCE = 2.0  # seconds


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
    def from_dict(cls, entry: Any, spans: bool = False) -> Document:
        """A document from `{"id", "text", ...metadata}`, its metadata plain (see `values.plain`).

        Args:
            entry: a mapping; a whole number as id becomes a string, bytes UTF-8 text.
            spans: whether `"mentions"` are the document's mentions, each with `"start"` and `"end"`, and no metadata.

        Raises:
            ValueError: a field is missing or of another kind; the message says which and what is accepted.

        Example:
            >>> Document.from_dict({"id": "a", "text": "Oslo in May", "year": np.int64(1905)}).metadata
            {'year': 1905}
        """
        if not isinstance(entry, Mapping):
            raise ValueError(f'a document is {{"id": ..., "text": ...}}, not {type(entry).__name__}')
        fields = dict(entry)
        mentions = fields.pop("mentions", None) if spans else None
        return _check_document(fields.pop("id", None), fields.pop("text", None), fields, mentions)


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

    A list that was begun `PATIENCE` seconds ago ends, too, with the next item: a slow source should not be waited for.

    Example:
        >>> list(in_groups(["a", "bcd", "e", "f", "g"], len, characters=4, most=2))
        [['a', 'bcd'], ['e', 'f'], ['g']]
    """
    group: list[T] = []
    size, begin = 0, time.monotonic()
    for item in items:
        group.append(item)
        size += length(item)
        if size >= characters or len(group) == most or time.monotonic() - begin > PATIENCE:
            yield group
            group, size, begin = [], 0, time.monotonic()
    if group:
        yield group


def as_documents(source: Any, spans: bool = False) -> Iterator[Document]:
    """Checked documents of a source, one by one.

    Args:
        source: an iterable of mappings or `Document`s, a DataFrame of pandas or polars, an Arrow table, a
            `datasets.Dataset`, or an iterable of such tables.
        spans: see `Document.from_dict`.

    Raises:
        ValueError: the source is something else, or one of its documents is refused.

    Example:
        >>> [document.id for document in as_documents([{"id": 1, "text": "Oslo"}, Document("b", "Rome")])]
        ['1', 'b']
    """
    return (_as_document(entry, spans) for entry in _entries(source))


def as_ids(ids: Any) -> list[str]:
    """Ids as strings.

    Args:
        ids: a string or whole number, or an iterable of them.

    Raises:
        ValueError: there is something else, such as a float.

    Example:
        >>> as_ids("a"), as_ids(7), as_ids(np.array([1, 2]))
        (['a'], ['7'], ['1', '2'])
    """
    need = "an id is needed"
    if isinstance(ids, (Mapping, Document)) or hasattr(ids, "columns"):
        raise ValueError(f"{need}, or a list of ids; it has {type(ids).__name__}")
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable) or getattr(ids, "ndim", 1) == 0:
        return [_as_id(ids, need)]
    return [_as_id(part, need) for part in ids]


def _entries(source: Any) -> Iterable[Any]:
    """The rows of a table or of several, or the items of another iterable."""
    remedy = "accepted is an iterable of documents, a DataFrame, an Arrow table or a datasets.Dataset"
    columns = _columns(source)
    if columns is None:
        if isinstance(source, (Mapping, Document)):
            raise ValueError(f"{remedy}, not one {type(source).__name__}; put a document in a list, choose a split")
        if isinstance(source, (str, bytes)) or not isinstance(source, Iterable):
            raise ValueError(f"{remedy}, not {type(source).__name__}; `nerret index` reads files")
        return chain.from_iterable(_entries(item) if _columns(item) is not None else (item,) for item in source)
    if len(set(map(str, columns))) < len(columns) or not {"id", "text"} <= set(columns):
        raise ValueError(
            'a table has a column "id", a column "text" and no two of one name; '
            f"this one has {', '.join(map(repr, columns))}"
        )
    return _rows(source, columns)


def _columns(source: Any) -> list[Any] | None:
    """The names of a table's columns; `None` if the source is no table, or its items are rows already."""
    if hasattr(source, "iterrows") or hasattr(source, "iter_rows"):  # of pandas, polars
        return list(source.columns)
    return list(source.column_names) if hasattr(source, "to_pylist") and hasattr(source, "column_names") else None


def _rows(table: Any, columns: list[Any]) -> Iterator[dict[Any, Any]]:
    if hasattr(table, "to_pylist"):  # of Arrow
        for start in range(0, table.num_rows, 1_000):
            place = f"rows {start} to {min(start + 1_000, table.num_rows) - 1} of the table"
            yield from _checked(lambda part: part.to_pylist(), table.slice(start, 1_000), place)
        return
    for values in zip(*(table[column] for column in columns), strict=True):
        yield dict(zip(columns, values, strict=True))


def _as_document(entry: Any, spans: bool) -> Document:
    if isinstance(entry, Document):
        return _check_document(entry.id, entry.text, entry.metadata, entry.mentions)
    return Document.from_dict(entry, spans)


def _check_document(name: Any, text: Any, metadata: Any, mentions: Any) -> Document:
    """A document whose parts are plain and can be stored."""
    name = _as_id(name, 'a document needs an "id"')
    place = f"document {name!a:.60}"
    if hasattr(text, "as_py"):  # of Arrow
        text = _plain(text, place)
    if not isinstance(text, (str, bytes)):
        raise ValueError(f'{place} needs a "text", a string; it has {type(text).__name__}')
    text = _plain(text, place)
    if not text.strip():
        raise ValueError(f"{place} has an empty text")
    _check_unicode(text, place)
    return Document(name, text, _plain_metadata(metadata, place), _spans(text, mentions, place))


def _as_id(value: Any, need: str) -> str:
    name = value if type(value) is str else _plain(value, need)
    if isinstance(name, int) and not isinstance(name, bool):
        return str(name)
    if not isinstance(name, str) or not name:
        remedy = "; turn the float into a whole number or a string" if isinstance(name, float) else ""
        raise ValueError(f"{need}, a non-empty string or whole number; it has {value!r:.60}{remedy}")
    _check_unicode(name, f"document {name!a:.60}")
    return name


def _plain(value: Any, place: str) -> Any:
    return _checked(plain, value, place)


def _checked(function: Callable[[Any], T], value: Any, place: str) -> T:
    """What a function makes of a value; its error says where the value stands."""
    try:
        return function(value)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:  # of any library whose value it is
        raise ValueError(f"{place}: {error}") from None


def _plain_metadata(metadata: Any, place: str) -> dict[str, Any]:
    """Metadata with plain values, each checked with its name, so that an error can say which field it is."""
    if not isinstance(metadata, Mapping):
        raise ValueError(f"{place}: metadata is a mapping, not {type(metadata).__name__}")
    fields: dict[str, Any] = {}
    for key, value in metadata.items():
        where = f"{place}, field {key!a:.60}"
        name = _checked(field_name, key, place)
        if name in fields:
            raise ValueError(f"{place} has two fields {name!r:.60}; names must differ as strings")
        fields[name] = _plain(value, where)
        _check_unicode(to_json({name: fields[name]}), where)
    return fields


def _check_unicode(text: str, place: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{place} is not valid Unicode at character {error.start}") from None


def _spans(text: str, mentions: Any, place: str) -> tuple[Span, ...]:
    parts = mentions if isinstance(mentions, (list, tuple)) else _plain(mentions, place)
    if parts is None:
        return ()
    if not isinstance(parts, (list, tuple)):
        raise ValueError(f"{place}: mentions are a list, not {type(mentions).__name__}")
    return tuple(_span(text, part, place) for part in parts)


def _span(text: str, mention: Any, place: str) -> Span:
    fields = _plain(mention, place)  # of a Span too
    try:
        start, end = index(fields["start"]), index(fields["end"])
        check_span(text, start, end)
    except (KeyError, TypeError, IndexError):
        raise ValueError(f'{place}: a mention is {{"start": ..., "end": ...}}, not {mention!r:.60}') from None
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None
    score = mention.score if isinstance(mention, Span) else 1.0
    if not (isinstance(score, (int, float, np.number)) and 0 <= score <= 1):
        raise ValueError(f"{place}: the score of a mention is a number in [0, 1], not {score!r:.60}")
    return Span(start, end, float(score))
