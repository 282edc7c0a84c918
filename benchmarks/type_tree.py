"""Does nerret say rightly what mentions look like, and what a corpus holds? One table of the annotated dev sets.

  python -m benchmarks.type_tree --data DEV --sets fewnerd,crossner

A set is encoded with the model's own probe, and of its mentions at most 4,000 are looked at, evenly, as `nerret types`
does.
`type_labels.json` says which names of the bank are right for a label of the sets; all kinds of a right name are right
too. Of the mentions, those count that are marked in the set, exactly, with a label for which the bank has a name.

- at 1, in 2, in 5: a right name is the first, or among the first two or five names that are said of the mention;
  "cosine" is the same at 1 with the plain cosine.
- clusters: k-means of 40 clusters, each named by the mean over its mentions; is the name right for the label that most
  of its marked mentions have? Clusters with fewer than five marked mentions are left out.
- tree: of the marked mentions, how many count for a type, and for how many of these the most special one is right, or
  stands above a right one ("person" for a politician). Nameless: mentions, marked or not, that count nowhere.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modeling_nerret.detection import GivenSpans
from modeling_nerret.encoding import Encoder
from modeling_nerret.eval.tasks.annotations import read_annotations
from modeling_nerret.index.type_tree import MENTIONS, choose, lineages_of, type_chances
from modeling_nerret.pretrained.built_in import DEFAULT
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint
from modeling_nerret.pretrained.type_names import TypeNames
from modeling_nerret.pretrained.vectors import unit

LABELS = Path(__file__).with_name("type_labels.json")
CLUSTERS, ROUNDS, LEAST_MARKED = 40, 15, 5


@dataclass(frozen=True)
class LabelledSample:
    """A sample of a set's mentions: their vectors, and the labels that the set gives to each. (mentions, size)"""

    vectors: np.ndarray
    labels: list[frozenset[str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row for each set, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets, with types.json")
    parser.add_argument("--sets", required=True, help="names, with commas between them")
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--documents", type=int, default=10_000, help="at most so many of each set, evenly")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    checkpoint, rows = load_checkpoint(options.model), []
    for name in options.sets.split(","):
        queries = json.loads((options.data / "types.json").read_text(encoding="utf-8")).get(name, {})
        rows.append({"set": name} | measure(checkpoint, options.data / f"{name}.jsonl", queries, options.documents))
        print_row(list(rows[-1])) if len(rows) == 1 else None
        print_row(rows[-1].values())
    means = {field: mean([row[field] for row in rows]) for field in rows[0] if field != "set"}
    print_row(["mean", *means.values()])
    return 0


def mean(values: Sequence[float]) -> float:
    """The mean of those that are numbers; NaN if none is."""
    numbers = [float(value) for value in values if value == value]
    return sum(numbers) / len(numbers) if numbers else float("nan")


def print_row(cells: Any) -> None:
    """Print a row of a Markdown table."""
    texts = [f"{cell:.3f}" if isinstance(cell, float) and cell < 2 else str(cell).partition(".")[0] for cell in cells]
    print(f"| {' | '.join(texts)} |", flush=True)


def measure(checkpoint: Checkpoint, path: Path, queries: dict[str, str], limit: int) -> dict[str, Any]:
    """One set's row."""
    bank = checkpoint.type_names
    if bank is None:
        raise ValueError(f"the model {checkpoint.name!r} has no names of types")
    sample = read_sample(checkpoint, path, queries, limit)
    judge = Judge(bank)
    rows = [row for row, labels in enumerate(sample.labels) if judge.right(labels).any()]
    if not rows:
        raise ValueError(f"none of the mentions in {path} has a label for which the bank has a name")
    right = np.stack([judge.right(sample.labels[row]) for row in rows])  # (rows, types)
    above = np.stack([judge.above(sample.labels[row]) for row in rows])
    scores = bank.scores(sample.vectors)  # (mentions, types)
    plain = bank.cosines(sample.vectors[rows]).argmax(axis=1)
    firsts = np.argsort(-scores[rows], axis=1)[:, :5]
    hits = np.take_along_axis(right, firsts, axis=1)  # (rows, 5)
    lineages = lineages_of(bank)
    choice = choose(type_chances(bank, sample.vectors, lineages), lineages)
    places, order = choice[rows], np.arange(len(rows))
    clusters = list(judge_clusters(judge, sample, scores))
    return {
        "mentions": len(rows),
        "cosine at 1": float(right[order, plain].mean()),
        "at 1": float(hits[:, 0].mean()),
        "in 2": float(hits[:, :2].any(axis=1).mean()),
        "in 5": float(hits.any(axis=1).mean()),
        "clusters": len(clusters),
        "clusters right": float(np.mean(clusters)) if clusters else float("nan"),
        "in the tree": float((places >= 0).mean()),
        "of these right": float((right | above)[order, places][places >= 0].mean()),
        "nameless": float((choice < 0).mean()),
    }


class Judge:
    """Which names of a bank are right for the labels of the sets."""

    def __init__(self, bank: TypeNames):
        names = json.loads(LABELS.read_text(encoding="utf-8"))
        self.places = {label: [bank.names.index(name) for name in group] for label, group in names.items()}
        self.lineage = np.zeros((len(bank), len(bank)), bool)  # [ancestor or the type itself, type]
        for place, lineage in enumerate(lineages_of(bank)):
            self.lineage[lineage, place] = True

    def right(self, labels: frozenset[str]) -> np.ndarray:
        """Names that are right for one of some labels, and all their kinds. (types,)"""
        return self.lineage[self._of(labels)].any(axis=0)

    def above(self, labels: frozenset[str]) -> np.ndarray:
        """Names above those that are right. (types,)"""
        return self.lineage[:, self._of(labels)].any(axis=1)

    def _of(self, labels: frozenset[str]) -> list[int]:
        return [place for label in sorted(labels) for place in self.places.get(label, [])]


def read_sample(checkpoint: Checkpoint, path: Path, queries: dict[str, str], limit: int) -> LabelledSample:
    """An even sample of the mentions that the probe finds in a set, with the labels of those that the set marks."""
    items = list(read_annotations(path))
    items = [items[place] for place in np.linspace(0, len(items) - 1, min(limit, len(items)), dtype=int)]
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector or GivenSpans())
    vectors, labels = [], []
    for item, document in zip(items, encoder.encode(item.document for item in items), strict=True):
        vectors.append(document.vectors)
        gold = {(span.start, span.end): marks for span, marks in item.labels.items()}
        for span in document.mentions:
            marks = gold.get((span.start, span.end), ())
            labels.append(frozenset(queries.get(mark, mark) for mark in marks))
    rows = np.linspace(0, len(labels) - 1, min(MENTIONS, len(labels)), dtype=int)
    return LabelledSample(np.concatenate(vectors)[rows], [labels[row] for row in rows])


def judge_clusters(judge: Judge, sample: LabelledSample, scores: np.ndarray) -> Iterator[bool]:
    """For each cluster with enough marked mentions whether its name is right."""
    clusters = k_means(unit(sample.vectors), min(CLUSTERS, len(sample.vectors)))
    for cluster in range(CLUSTERS):
        rows = np.flatnonzero(clusters == cluster)
        counts = Counter(label for row in rows for label in sample.labels[row] if judge.right(frozenset([label])).any())
        if counts.total() >= LEAST_MARKED:
            label = max(sorted(counts), key=lambda label: counts[label])
            yield bool(judge.right(frozenset([label]))[scores[rows].mean(axis=0).argmax()])


def k_means(vectors: np.ndarray, number: int) -> np.ndarray:
    """Cluster of each vector of length 1, by cosine; the same every time. (vectors,)"""
    centres = vectors[np.random.default_rng(0).choice(len(vectors), number, replace=False)]
    for _ in range(ROUNDS):
        clusters = (vectors @ centres.T).argmax(axis=1)
        sums = np.stack([vectors[clusters == cluster].sum(axis=0) for cluster in range(number)])
        centres = np.where(np.abs(sums).sum(axis=1, keepdims=True) > 0, unit(sums), centres)
    nearest: np.ndarray = (vectors @ centres.T).argmax(axis=1)
    return nearest


if __name__ == "__main__":
    sys.exit(main())
