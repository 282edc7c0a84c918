"""Tables of answers, for pandas, polars and datasets. The other way, `EntityRetriever.add` takes their tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..extras import install_line
from ..index.hits import Hit, remove_overlaps


def rows_of(answer: Iterable[Hit]) -> list[dict[str, Any]]:
    """A row for each hit: id, probability, score, text, the texts of its mentions, the best first, and metadata.

    Metadata has the columns `metadata.NAME`, every row the same.

    Example:
        >>> from modeling_nerret import Mention
        >>> rows_of([Hit("a", 0.5, "Ada.", [Mention(0, 3, "Ada", 0.9)], {"year": 1843})])[0]["metadata.year"]
        1843
    """
    hits = list(answer)
    names = list(dict.fromkeys(name for hit in hits for name in hit.metadata))
    return [
        {"id": hit.id, "probability": hit.probability, "score": hit.score, "text": hit.text, "mentions": _names(hit)}
        | {f"metadata.{name}": hit.metadata.get(name) for name in names}
        for hit in hits
    ]


def mention_rows(answer: Iterable[Hit]) -> list[dict[str, Any]]:
    """A row for each mention: its document's id, start, end, text and score."""
    return [
        {"id": hit.id, "start": mention.start, "end": mention.end, "text": mention.text, "score": mention.score}
        for hit in answer
        for mention in hit.mentions
    ]


def to_pandas(rows: list[dict[str, Any]]) -> Any:
    """Rows as a `pandas.DataFrame`."""
    return _module("pandas").DataFrame(rows)


def to_polars(rows: list[dict[str, Any]]) -> Any:
    """Rows as a `polars.DataFrame`."""
    return _module("polars").DataFrame(rows, infer_schema_length=None)


def to_datasets(rows: list[dict[str, Any]]) -> Any:
    """Rows as a `datasets.Dataset`."""
    return _module("datasets").Dataset.from_list(rows)


def _names(hit: Hit) -> list[str]:
    best = sorted(remove_overlaps(hit.mentions), key=lambda mention: -mention.score)
    return list(dict.fromkeys(mention.text for mention in best))


def _module(name: str) -> Any:
    """A library.

    Raises:
        ImportError: it is not installed.
    """
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError(f"this table needs {name} ({error}): {install_line('tables')}") from None
