"""A corpus as a retrieval task: documents, type queries, and which documents are relevant to each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from modeling_nerret.documents import Document
from modeling_nerret.spans import Span

from .annotations import LabelledDocument
from .type_names import QuerySettings, plain_name, type_queries


@dataclass(frozen=True)
class Task:
    """A corpus with its type queries.

    Args:
        name: what it is called in results.
        documents: in order, each with its gold mentions.
        labels: for each document the plain types of its mentions, including types that are not queries.
        types: plain names of the types that are queries, in order.
        queries: the words to ask with, for each type.
        relevant: for each type the ids of the documents that mention an entity of it.
    """

    name: str
    documents: list[Document]
    labels: list[dict[Span, tuple[str, ...]]]
    types: list[str]
    queries: list[str]
    relevant: list[list[str]]


def make_task(name: str, texts: Iterable[LabelledDocument], settings: QuerySettings | None = None) -> Task:
    """A task from labelled documents. A type that no document mentions is not a query.

    Raises:
        ValueError: two documents have the same id, no query is left, or a type lacks the wording to ask with.
    """
    texts, settings = list(texts), settings or QuerySettings()
    _refuse_repeated_ids(name, texts)
    present = sorted({label for text in texts for labels in text.labels.values() for label in labels})
    names = settings.names if settings.names is not None else {label: label for label in present}
    queries = type_queries(names, settings)
    plain_names = {label: plain_name(entry) for label, entry in names.items()}
    renamed_labels = [_rename_labels(text, plain_names) for text in texts]
    relevant: dict[str, list[str]] = {type_: [] for type_ in queries}
    for text, labels in zip(texts, renamed_labels, strict=True):
        for type_ in {type_ for types in labels.values() for type_ in types} & queries.keys():
            relevant[type_].append(text.document.id)
    types = [type_ for type_ in queries if relevant[type_]]
    if not types:
        raise ValueError(
            f"{name} has no mention of the requested types ({', '.join(list(names)[:5])}, ...); its labels are "
            f"{', '.join(present[:5]) or 'none at all'}; use --types with a file for this corpus"
        )
    documents = [text.document for text in texts]
    return Task(
        name,
        documents,
        renamed_labels,
        types,
        [queries[type_] for type_ in types],
        [relevant[type_] for type_ in types],
    )


def _refuse_repeated_ids(name: str, texts: Iterable[LabelledDocument]) -> None:
    ids: set[str] = set()
    for text in texts:
        if text.document.id in ids:
            raise ValueError(f"{name} has two documents with the id {text.document.id!r}; each needs its own")
        ids.add(text.document.id)


def _rename_labels(text: LabelledDocument, plain_names: dict[str, str]) -> dict[Span, tuple[str, ...]]:
    """Plain types of each mention, without repetitions."""
    return {
        span: tuple(dict.fromkeys(plain_names.get(label, label) for label in labels))
        for span, labels in text.labels.items()
    }
