"""Documents with annotated mentions, read from JSONL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from modeling_nerret.documents import Document
from modeling_nerret.spans import Span


@dataclass(frozen=True)
class LabelledDocument:
    """A document whose mentions are the gold ones, and the labels of each mention."""

    document: Document
    labels: dict[Span, tuple[str, ...]]


def read_annotations(path: Path, limit: int | None = None) -> Iterator[LabelledDocument]:
    """The documents of a JSONL file with one `{"id", "text", "mentions": [{"start", "end", "type"}]}` per line.

    Args:
        path: the file.
        limit: read only the first so many lines.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line has another form; the message names the line and what is missing.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(islice(file, limit), 1):
            try:
                yield _labelled_document(json.loads(line))
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None


def _labelled_document(entry: Any) -> LabelledDocument:
    document = Document.from_dict(entry, spans=True)
    labels: dict[Span, tuple[str, ...]] = {}
    for span, mention in zip(document.mentions, entry.get("mentions") or (), strict=True):
        if not isinstance(mention.get("type"), str):
            raise ValueError(f'mention [{span.start}, {span.end}) needs a "type", a string')
        labels[span] = (*labels.get(span, ()), mention["type"])
    return label_document(document.id, document.text, labels)


def label_document(id_: str, text: str, labels: dict[Span, tuple[str, ...]]) -> LabelledDocument:
    """A document without metadata, its mentions in order of their start."""
    spans = tuple(sorted(labels))
    return LabelledDocument(Document(id_, text, {}, spans), {span: labels[span] for span in spans})
