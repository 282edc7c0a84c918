"""Annotated corpora as retrieval tasks: documents, type queries, and which documents are relevant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from modeling_nerret.documents import Document
from modeling_nerret.spans import Span

# Rest classes, by label or plain name; Few-NERD's coarse class "other-" (award, disease, ...) is none
EXCLUDED = "-other$|^other(?!-)|^misc"
ASKED = ("name", "definition", "examples")
Names = Mapping[str, Any]  # raw label -> plain name, or {"name", "definition", "examples"}


@dataclass(frozen=True)
class Labelled:
    """A document, whose mentions are the gold ones, and the labels of each mention."""

    document: Document
    labels: dict[Span, tuple[str, ...]]


@dataclass(frozen=True)
class Task:
    """A corpus with its type queries.

    Args:
        name: what it is called in results.
        documents: in order, each with its gold mentions.
        labels: for each document the plain types of its mentions, those that are no queries included.
        types: the types' plain names, in order.
        queries: what is asked for each type.
        relevant: for each type the ids of the documents that mention an entity of it.
    """

    name: str
    documents: list[Document]
    labels: list[dict[Span, tuple[str, ...]]]
    types: list[str]
    queries: list[str]
    relevant: list[list[str]]


def read_corpus(path: Path, limit: int | None = None) -> Iterator[Labelled]:
    """The documents of a JSONL file, `{"id", "text", "mentions": [{"start", "end", "type"}]}` a line.

    Args:
        path: the file.
        limit: only the first so many lines.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line is of another form; the message names the line and what is missing.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(islice(file, limit), 1):
            try:
                entry = json.loads(line)
                document = Document.from_dict(entry)
                labels: dict[Span, tuple[str, ...]] = {}
                for span, mention in zip(document.mentions, entry.get("mentions", ()), strict=True):
                    if not isinstance(mention.get("type"), str):
                        raise ValueError(f'mention [{span.start}, {span.end}) needs a "type", a string')
                    labels[span] = (*labels.get(span, ()), mention["type"])
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
            spans = tuple(sorted(labels))
            yield Labelled(Document(document.id, document.text, {}, spans), {span: labels[span] for span in spans})


def make_task(
    name: str, texts: Iterable[Labelled], names: Names | None = None, exclude: str = EXCLUDED, asked: str = "name"
) -> Task:
    """A task from labelled documents; a type that no document mentions is no query.

    Args:
        name: what the task is called.
        texts: the documents.
        names: plain names of labels, in the order in which types are reported; labels with the same name are one type,
            and labels that are not among them are no queries. `None`: every label is its own name.
        exclude: types whose label or plain name holds this pattern (any case) are no queries.
        asked: ask with the `"name"`, the `"definition"` or the `"examples"` of a type.

    Raises:
        ValueError: an id stands twice, no query is left, or a type has no definition or examples to ask with.
    """
    texts = list(texts)
    _refuse_twice(name, texts)
    if names is None:
        names = {
            label: label for label in sorted({one for text in texts for own in text.labels.values() for one in own})
        }
    queries = _queries(names, exclude, asked)
    plain = {label: _name(entry) for label, entry in names.items()}
    labels = [_renamed(text, plain) for text in texts]
    relevant: dict[str, list[str]] = {type_: [] for type_ in queries}
    for text, own in zip(texts, labels, strict=True):
        for type_ in {one for found in own.values() for one in found} & set(queries):
            relevant[type_].append(text.document.id)
    types = [type_ for type_ in queries if relevant[type_]]
    if not types:
        held = sorted({one for text in texts for own in text.labels.values() for one in own})[:5]
        raise ValueError(
            f"{name} mentions none of the types that are asked for ({', '.join(list(names)[:5])}, ...), "
            f"but {', '.join(held) or 'nothing'}; give --types a file for this corpus"
        )
    documents = [text.document for text in texts]
    return Task(name, documents, labels, types, [queries[one] for one in types], [relevant[one] for one in types])


def _refuse_twice(name: str, texts: Iterable[Labelled]) -> None:
    seen: set[str] = set()
    for text in texts:
        if text.document.id in seen:
            raise ValueError(f"the id {text.document.id!r} stands twice in {name}; ids must differ")
        seen.add(text.document.id)


def _renamed(text: Labelled, plain: dict[str, str]) -> dict[Span, tuple[str, ...]]:
    return {span: tuple(dict.fromkeys(plain.get(one, one) for one in own)) for span, own in text.labels.items()}


def _name(entry: Any) -> str:
    return entry if isinstance(entry, str) else entry["name"]


def _queries(names: Names, exclude: str, asked: str) -> dict[str, str]:
    """What is asked for each type, by plain name."""
    try:
        dropped = re.compile(exclude, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"--exclude {exclude!r} is no regular expression: {error}") from None
    queries: dict[str, str] = {}
    for label, entry in names.items():
        if exclude and (dropped.search(label) or dropped.search(_name(entry))):
            continue
        queries.setdefault(_name(entry), _query(entry, asked, label))
    return queries


def _query(entry: Any, asked: str, label: str) -> str:
    if asked == "name":
        return _name(entry)
    found = entry.get(asked) if isinstance(entry, Mapping) else None
    if not found:
        raise ValueError(
            f"the type {label!r} has no {asked}; write in the types file: "
            f'{{"{label}": {{"name": ..., "definition": "...", "examples": ["...", "..."]}}}}'
        )
    return found if isinstance(found, str) else ", ".join(found)


def read_names(path: Path | None, key: str | None, corpus: str = "") -> Names | None:
    """Plain names of labels from a JSON file.

    Args:
        path: the file; `None`: there are no plain names.
        key: the set to take from a file that holds several; `None`: the one called as the corpus.
        corpus: name of the corpus.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no JSON of that form, or has no such set.
    """
    if path is None:
        return None
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON ({error})") from None
    if not isinstance(names, dict) or not names:
        raise ValueError(f'{path} must be {{"label": "plain name", ...}} or {{"set": {{"label": "plain name"}}}}')
    nested = all(isinstance(entry, dict) and "name" not in entry for entry in names.values())
    if key is None and not nested:
        return names
    key = key or corpus
    if key not in names or not nested:
        held = f"holds the sets {', '.join(names)}; choose one with --types-key" if nested else "holds one set only"
        raise ValueError(f"{path} has no set {key!r}; it {held}")
    return names[key]
