"""Annotated corpora as retrieval tasks: documents, type queries, and which documents are relevant."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from modeling_nerret.documents import Document
from modeling_nerret.spans import Span
from training.data import read_annotated

EXCLUDED = "other|misc"


@dataclass(frozen=True)
class Task:
    """A corpus with its type queries.

    Args:
        name: what it is called in results.
        documents: in order, each with its gold mentions.
        types: the types' plain names, in order.
        queries: what is asked for each type.
        relevant: for each type the ids of the documents that mention an entity of it.
        gold: for each document the gold spans, whatever their type.
    """

    name: str
    documents: list[Document]
    types: list[str]
    queries: list[str]
    relevant: list[list[str]]
    gold: list[list[Span]]


def load_task(
    path: Path, names: dict[str, str], exclude: str = EXCLUDED, limit: int | None = None, queries: str = "name"
) -> Task:
    """A task from a JSONL corpus.

    Args:
        names: plain names of the raw labels, in the order in which types are reported; entries may also be
            `{"name", "definition", "examples"}`.
        exclude: types whose raw label or plain name holds this pattern (any case) are no queries.
        limit: only the first so many documents.
        queries: ask with the `"name"`, the `"definition"` or the `"examples"` of a type.

    Raises:
        ValueError: definitions or examples are asked for and a type has none.
    """
    texts = list(read_annotated(path))[:limit]
    dropped = re.compile(exclude, re.IGNORECASE)
    labels = names or {label: label for text in texts for found in text.mentions.values() for label in found}
    plain = {label: entry if isinstance(entry, str) else entry["name"] for label, entry in labels.items()}
    kept = [label for label in labels if not (dropped.search(label) or dropped.search(plain[label]))]
    asked: dict[str, str] = {}
    for label in kept:
        asked.setdefault(plain[label], _query(labels[label], queries, label))
    relevant: dict[str, list[str]] = {name: [] for name in asked}
    for text in texts:
        mentioned = {plain.get(label, label) for found in text.mentions.values() for label in found}
        for name in mentioned & set(asked):
            relevant[name].append(text.id)
    asked = {name: query for name, query in asked.items() if relevant[name]}
    documents = [Document(text.id, text.text, {}, tuple(text.mentions)) for text in texts if text.text.strip()]
    return Task(
        path.stem,
        documents,
        list(asked),
        list(asked.values()),
        [relevant[name] for name in asked],
        [list(document.mentions) for document in documents],
    )


def _query(entry: str | dict, kind: str, label: str) -> str:
    if kind == "name":
        return entry if isinstance(entry, str) else entry["name"]
    if isinstance(entry, str) or not entry.get(kind):
        raise ValueError(
            f"the type {label!r} has no {kind}; give it in the types file as {{'name', 'definition', 'examples'}}"
        )
    return entry[kind] if isinstance(entry[kind], str) else ", ".join(entry[kind])


def read_names(path: Path | None, key: str | None) -> dict[str, str]:
    """The types of a set from a `types.json`; `key` names the set in a file that holds several."""
    if path is None:
        return {}
    names = json.loads(path.read_text(encoding="utf-8"))
    nested = all(isinstance(entry, dict) and "name" not in entry for entry in names.values())
    if key is None and nested:
        raise ValueError(f"{path} holds several sets ({', '.join(names)}); choose one with --types-key")
    if key is not None and key not in names:
        raise ValueError(f"{path} has no set {key!r}; it holds {', '.join(names)}")
    return names[key] if key is not None else names
