"""How often the entities and the words of each type occur in a task."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from .task import Task


def entity_frequency(task: Task) -> np.ndarray:
    """For each type how many documents mention the same name, averaged over its mentions. (types,)."""
    names = [
        {span: document.text[span.start : span.end].lower() for span in labels}
        for document, labels in zip(task.documents, task.labels, strict=True)
    ]
    counts = Counter(name for document_names in names for name in set(document_names.values()))
    frequencies: dict[str, list[int]] = {type_: [] for type_ in task.types}
    for document_names, labels in zip(names, task.labels, strict=True):
        for span, types in labels.items():
            for type_ in set(types) & frequencies.keys():
                frequencies[type_].append(counts[document_names[span]])
    return np.array([np.mean(frequencies[type_]) for type_ in task.types])


def word_frequency(task: Task) -> np.ndarray:
    """For each type the share of its relevant documents that contain a word of its name. (types,)."""
    texts = {document.id: document.text.lower() for document in task.documents}
    shares = []
    for type_, relevant in zip(task.types, task.relevant, strict=True):
        words = [word for word in re.findall(r"\w+", type_.lower()) if word not in ("of", "or", "and", "the", "a")]
        pattern = re.compile("|".join(rf"\b{re.escape(word)}(?:e?s)?\b" for word in words))
        shares.append(sum(bool(pattern.search(texts[id_])) for id_ in relevant) / len(relevant))
    return np.array(shares)
