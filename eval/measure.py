"""Run a system on a task and score its rankings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from tqdm import tqdm

import modeling_nerret
from modeling_nerret.spans import Span

from .ranking import average_precision, r_precisions, rank
from .systems.trial import System, TaskScores, Trial

PACKAGES = ("torch", "transformers", "sentence-transformers", "lancedb", "bm25s", "evaluate")
BOOTSTRAPS = 10_000
EXTRA = 5  # positions below R whose mentions are kept for a report


@dataclass(frozen=True)
class Outcome:
    """What a system did on a task.

    Args:
        result: its entry in the results file.
        rankings: for each type the document ids, best first.
        best_mentions: for each type the mentions behind the first documents' scores, by id; empty unless asked for.
        short: types whose ranking is shorter than their number R of relevant documents: documents returned, and R.
    """

    result: dict[str, Any]
    rankings: list[list[str]]
    best_mentions: list[dict[str, Span]]
    short: dict[str, tuple[int, int]]


def measure(trial: Trial, name: str, system: System, with_mentions: bool = False) -> Outcome:
    """Run a system on a task and score it.

    Args:
        trial: the task, and the kind of mentions that systems receive.
        name: what the system is called in results.
        system: the system.
        with_mentions: also keep the mentions behind the documents' scores.
    """
    task, ids = trial.task, [document.id for document in trial.task.documents]
    earlier_detection, start = trial.detection_seconds, time.perf_counter()
    scores = system(trial)
    rankings: list[list[str]] = []
    best_mentions: list[dict[str, Span]] = []
    report_seconds = 0.0  # what only a report needs
    for relevant in tqdm(task.relevant, desc=f"{name} queries", disable=None):
        query_scores = next(scores.queries)
        rankings.append(rank(query_scores.scores, ids))
        if with_mentions:
            pause = time.perf_counter()
            mentions = query_scores.best_mentions(len(relevant) + EXTRA)
            best_mentions.append({ids[number]: span for number, span in mentions.items()})
            report_seconds += time.perf_counter() - pause
    next(scores.queries, None)  # lets the system clean up
    seconds = time.perf_counter() - start - report_seconds
    # Detection runs once for all systems; its time counts for each system that uses its mentions
    seconds -= trial.detection_seconds - earlier_detection
    if scores.uses_trial_mentions:
        seconds += trial.detection_seconds
    short = {
        type_: (len(ranking), len(relevant))
        for type_, ranking, relevant in zip(task.types, rankings, task.relevant, strict=True)
        if len(ranking) < len(relevant)
    }
    return Outcome(_result(trial, name, scores, rankings, seconds), rankings, best_mentions, short)


def _result(
    trial: Trial, name: str, scores: TaskScores, rankings: Sequence[Sequence[str]], seconds: float
) -> dict[str, Any]:
    """A system's entry in the results file."""
    task = trial.task
    values = r_precisions(rankings, task.relevant)
    per_type = {
        type_: {"r": len(relevant), "r_precision": value, "average_precision": average_precision(ranking, relevant)}
        for type_, relevant, value, ranking in zip(task.types, task.relevant, values, rankings, strict=True)
    }
    return {
        "system": name,
        "spans": trial.spans,
        "corpus": task.name,
        "n_documents": len(task.documents),
        "n_mentions": scores.mentions,
        "n_types": len(task.types),
        "macro_r_precision": float(np.mean(values)),
        "ci95": bootstrap(values, trial.settings.seed),
        "per_type": per_type,
        "seconds": round(seconds, 2),
        "bytes_per_document": round(scores.bytes_per_document, 1),
        "versions": versions(),
    }


def bootstrap(values: Sequence[float], seed: int) -> list[float]:
    """95 % interval of the mean over types, from samples of the types.

    Example:
        >>> bootstrap([0.5, 0.5, 0.5], seed=0)
        [0.5, 0.5]
    """
    samples = np.random.default_rng(seed).choice(np.asarray(values), (BOOTSTRAPS, len(values)))
    return [float(edge) for edge in np.quantile(samples.mean(1), (0.025, 0.975))]


def versions() -> dict[str, str]:
    """Versions of the packages on which the numbers depend; packages that are not installed are left out."""
    numbers = {"nerret": modeling_nerret.__version__}
    for package in PACKAGES:
        try:
            numbers[package] = version(package)
        except PackageNotFoundError:
            continue
    return numbers
