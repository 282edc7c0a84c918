"""A corpus as a retrieval task: documents, type queries, and which documents are relevant to each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from modeling_nerret.documents import Document
from modeling_nerret.spans import Span

from .annotations import LabelledDocument
from .seen_names import comparable
from .set_files import Subtypes, descendants
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
        rare_types: plain names of the types that are no queries because fewer than `least_documents` mention them.
        least_documents: see there.
        lenient: for each type that has subtypes here, `relevant` and the documents that mention a subtype.
        is_seen: for each type whether the words to ask with were trained on; `None`: unknown.
    """

    name: str
    documents: list[Document]
    labels: list[dict[Span, tuple[str, ...]]]
    types: list[str]
    queries: list[str]
    relevant: list[list[str]]
    rare_types: tuple[str, ...] = ()
    least_documents: int = 1
    lenient: dict[str, list[str]] = field(default_factory=dict)
    is_seen: list[bool] | None = None


def make_task(name: str, texts: Iterable[LabelledDocument], settings: QuerySettings | None = None) -> Task:
    """A task from labelled documents. A type that no document mentions is not a query, nor is a rare one.

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
    mentioned_in = _documents_of_types(texts, renamed_labels)
    present_types = [type_ for type_ in queries if type_ in mentioned_in]
    if not present_types:
        raise ValueError(
            f"{name} has no mention of the requested types ({', '.join(list(names)[:5])}, ...); its labels are "
            f"{', '.join(present[:5]) or 'none at all'}; use --types with a file for this corpus"
        )
    types = [type_ for type_ in present_types if len(mentioned_in[type_]) >= settings.least_documents]
    if not types:
        most = max(len(mentioned_in[type_]) for type_ in present_types)
        raise ValueError(
            f"{name} has no type with {settings.least_documents} documents, the most is {most}; lower --min-documents"
        )
    return Task(
        name,
        [text.document for text in texts],
        renamed_labels,
        types,
        [queries[type_] for type_ in types],
        [mentioned_in[type_] for type_ in types],
        tuple(type_ for type_ in present_types if type_ not in types),
        settings.least_documents,
        _lenient(types, settings.subtypes, mentioned_in),
        _seen([queries[type_] for type_ in types], settings.seen_names),
    )


def _documents_of_types(
    texts: Iterable[LabelledDocument], labels: Iterable[Mapping[Span, tuple[str, ...]]]
) -> dict[str, list[str]]:
    """For each type that is mentioned, the ids of the documents that mention it, in their order."""
    ids: dict[str, list[str]] = {}
    for text, document_labels in zip(texts, labels, strict=True):
        for type_ in {type_ for types in document_labels.values() for type_ in types}:
            ids.setdefault(type_, []).append(text.document.id)
    return ids


def _lenient(types: Iterable[str], subtypes: Subtypes, mentioned_in: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """For each type with subtypes that are mentioned, the ids of the documents that mention it or one of them."""
    lenient: dict[str, list[str]] = {}
    for type_ in types:
        names = sorted(descendants(subtypes, type_) & mentioned_in.keys())
        if names:
            lenient[type_] = list(dict.fromkeys(id_ for name in (type_, *names) for id_ in mentioned_in[name]))
    return lenient


def _seen(queries: Iterable[str], seen_names: frozenset[str] | None) -> list[bool] | None:
    return None if seen_names is None else [comparable(query) in seen_names for query in queries]


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
