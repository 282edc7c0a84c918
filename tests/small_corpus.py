"""A small annotated corpus, and a system with fixed scores for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modeling_nerret.eval.systems.trial import QueryScores, System, TaskScores

TEXTS = [
    "[ada|person] was born in [london|city]",
    "[paris|city] wrote notes in the river [seine|river]",
    "the river [thames|river] in the city [london|city]",
    "[ada|person] wrote notes in [paris|city]",
    "[bob|person] was in the river",
    "[turing|person|writer] wrote notes",
    "the [danube|river] was in [vienna|city]",
    "notes in the city",
    "[carol|person] was born in [rome|city]",
    "a [tiber|river] in [rome|city]",
    "[dora|person|writer] wrote the notes in [oslo|city]",
    "[the rhine|river] was in [basel|city]",
]


def entry(id_: str, markup: str) -> dict[str, Any]:
    """`"[ada|person] wrote"` as a line of a corpus."""
    text, mentions = "", []
    for plain, name, labels in re.findall(r"([^\[]+)|\[([^|]+)\|([^\]]+)\]", markup):
        for label in labels.split("|") if name else []:
            mentions.append({"start": len(text), "end": len(text) + len(name), "type": label})
        text += plain or name
    return {"id": id_, "text": text, "mentions": mentions}


def write_corpus(folder: Path) -> Path:
    """`small.jsonl`, the texts above with the ids d00, d01, ..."""
    path = folder / "small.jsonl"
    lines = [json.dumps(entry(f"d{number:02}", markup)) + "\n" for number, markup in enumerate(TEXTS)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def fixed_scores(scores: Iterable[Any]) -> System:
    """A system with fixed scores: (queries, documents)."""
    return lambda trial: TaskScores((QueryScores(np.asarray(row, dtype=np.float32)) for row in scores), 0, 0.0)


def index_texts(folder: Path, model: str, texts: Sequence[str]) -> Path:
    """An index of texts, with the ids d0, d1, ... and the years 1900, 1901, ..."""
    from modeling_nerret import EntityRetriever

    EntityRetriever(folder / "my-index", model).add(
        {"id": f"d{number}", "text": text, "year": 1900 + number} for number, text in enumerate(texts)
    )
    return folder / "my-index"
