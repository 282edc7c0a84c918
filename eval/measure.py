"""Run a system on a task and score its rankings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

import modeling_nerret
from modeling_nerret.cli.progress import Progress
from modeling_nerret.spans import Span

from .ranking import average_precision, r_precisions, rank
from .systems.trial import System, TaskScores, Trial
from .tasks.task import Task

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

    The seconds of its result are those that it would take alone: work that systems of a trial share, which is detection
    and the index of a checkpoint, is done once and counts for each system that uses it.

    Args:
        trial: the task, and the kind of mentions that systems receive.
        name: what the system is called in results.
        system: the system.
        with_mentions: also keep the mentions behind the documents' scores.
    """
    task, ids = trial.task, [document.id for document in trial.task.documents]
    earlier_seconds, start = trial.shared_seconds, time.perf_counter()
    scores = system(trial)
    rankings: list[list[str]] = []
    best_mentions: list[dict[str, Span]] = []
    report_seconds = 0.0  # what only a report needs
    for relevant in Progress(task.relevant, f"{task.name}: {name} answers", "queries"):
        query_scores = next(scores.queries)
        rankings.append(rank(query_scores.scores, ids))
        if with_mentions:
            pause = time.perf_counter()
            mentions = query_scores.best_mentions(len(relevant) + EXTRA)
            best_mentions.append({ids[number]: span for number, span in mentions.items()})
            report_seconds += time.perf_counter() - pause
    next(scores.queries, None)  # lets the system clean up
    seconds = time.perf_counter() - start - report_seconds
    # Who happens to come first does the work for all; it counts for each system that would need it if it were alone
    seconds += scores.shared_seconds - (trial.shared_seconds - earlier_seconds)
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
    per_type: dict[str, dict[str, Any]] = {
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
        "min_documents": task.least_documents,
        "n_rare_types": len(task.rare_types),
        "macro_r_precision": float(np.mean(values)),
        "ci95": bootstrap(values, trial.settings.seed),
        **_by_training(task, values, per_type),
        **_with_subtypes(task, rankings, per_type),
        "per_type": per_type,
        "seconds": round(seconds, 2),
        "bytes_per_document": round(scores.bytes_per_document, 1),
        "versions": versions(),
    }


def _by_training(task: Task, values: Sequence[float], per_type: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The macro averages over types with names that were trained on, and over the others; marks each type."""
    if task.is_seen is None:
        return {}
    for scores, is_seen in zip(per_type.values(), task.is_seen, strict=True):
        scores["seen"] = is_seen
    parts = {}
    for part, flag in (("seen", True), ("unseen", False)):
        group = [value for value, is_seen in zip(values, task.is_seen, strict=True) if is_seen == flag]
        parts[part] = {"n_types": len(group), "macro_r_precision": float(np.mean(group)) if group else None}
    return parts


def _with_subtypes(
    task: Task, rankings: Sequence[Sequence[str]], per_type: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """The macro average where a document that mentions a subtype counts as right; adds the figure to such types.

    R stays the number of documents that mention the type itself, and a type without subtypes keeps its figure.
    """
    if not task.lenient:
        return {}
    for type_, ranking in zip(task.types, rankings, strict=True):
        scores = per_type[type_]
        if type_ in task.lenient:
            hits = set(task.lenient[type_]).intersection(ranking[: scores["r"]])
            scores["r_precision_with_subtypes"] = len(hits) / scores["r"]
    values = [scores.get("r_precision_with_subtypes", scores["r_precision"]) for scores in per_type.values()]
    mean = float(np.mean(values))
    return {"with_subtypes": {"n_types": len(task.lenient), "macro_r_precision": mean}}


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
