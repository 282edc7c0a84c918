"""Measure a system on a task."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from tqdm import tqdm

import modeling_nerret
from .ranking import average_precision, r_precisions, rank
from .trial import System, Trial
from modeling_nerret.spans import Span

PACKAGES = ("torch", "transformers", "sentence-transformers", "lancedb", "bm25s", "evaluate")
BOOTSTRAPS = 10_000
MORE = 5  # places below R whose mentions are kept for a report


@dataclass(frozen=True)
class Outcome:
    """What a system did on a task.

    Args:
        result: its entry in `results.json`.
        rankings: for each type the ids in order.
        earned: for each type the mentions that earned the first documents their places, by id; empty unless asked for.
        short: types whose ranking is shorter than their number R of relevant documents: documents returned, and R.
    """

    result: dict[str, Any]
    rankings: list[list[str]]
    earned: list[dict[str, Span]]
    short: dict[str, tuple[int, int]]


def measure(trial: Trial, name: str, system: System, with_mentions: bool = False) -> Outcome:
    """Run a system on a task and score it.

    Args:
        trial: the task, with the mentions that systems are given.
        name: what the system is called in results.
        system: the system.
        with_mentions: also keep the mentions that earned documents their places.
    """
    task, ids = trial.task, [document.id for document in trial.task.documents]
    detected = trial.detection_seconds
    began = time.perf_counter()
    answers = system(trial)
    rankings: list[list[str]] = []
    earned: list[dict[str, Span]] = []
    reported = 0.0  # seconds that only a report needs
    for relevant in tqdm(task.relevant, desc=f"{name} queries", disable=None):
        answer = next(answers.each)
        rankings.append(rank(answer.scores, ids))
        if with_mentions:
            at = time.perf_counter()
            earned.append({ids[number]: span for number, span in answer.earned(len(relevant) + MORE).items()})
            reported += time.perf_counter() - at
    next(answers.each, None)  # lets the system tidy up
    seconds = time.perf_counter() - began - reported
    # detection is done once for all systems, and counted for each that uses it
    seconds += (trial.detection_seconds if answers.given else 0.0) - (trial.detection_seconds - detected)
    values = r_precisions(rankings, task.relevant)
    per_type = {
        type_: {"r": len(relevant), "r_precision": value, "average_precision": average_precision(ranking, relevant)}
        for type_, relevant, value, ranking in zip(task.types, task.relevant, values, rankings, strict=True)
    }
    result = {
        "system": name,
        "spans": trial.spans,
        "corpus": task.name,
        "n_documents": len(ids),
        "n_mentions": answers.mentions,
        "n_types": len(task.types),
        "macro_r_precision": float(np.mean(values)),
        "ci95": bootstrap(values, trial.options.seed),
        "per_type": per_type,
        "seconds": round(seconds, 2),
        "bytes_per_document": round(answers.bytes_per_document, 1),
        "versions": versions(),
    }
    return Outcome(result, rankings, earned, _short(task.types, rankings, task.relevant))


def _short(
    types: Sequence[str], rankings: Sequence[Sequence[str]], relevant: Sequence[Sequence[str]]
) -> dict[str, tuple[int, int]]:
    counts = zip(types, map(len, rankings), map(len, relevant), strict=True)
    return {type_: (returned, r) for type_, returned, r in counts if returned < r}


def bootstrap(values: Sequence[float], seed: int) -> list[float]:
    """95 % interval of the mean over types, by drawing types anew.

    Example:
        >>> bootstrap([0.5, 0.5, 0.5], seed=0)
        [0.5, 0.5]
    """
    drawn = np.random.default_rng(seed).choice(np.asarray(values), (BOOTSTRAPS, len(values)))
    return [float(edge) for edge in np.quantile(drawn.mean(1), (0.025, 0.975))]


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on; packages that are not installed are left out."""
    found = {"nerret": modeling_nerret.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
