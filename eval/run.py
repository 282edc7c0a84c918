"""The work of `nerret eval`: measure each system, and print and write its results at once."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .arguments import split_spans
from .corpora import load_tasks
from .coverage import measure_coverage
from .detection_scores import score_detection
from .measure import Outcome, measure
from .progress import quiet_libraries
from .report import Page, make_page, write_report
from .systems.index_search import searched_checkpoints
from .systems.names import split_names
from .systems.registry import make_system
from .systems.trial import Settings, System, Trial
from .tables import Tables, mean_detection
from .tasks.task import Task


def run_command(options: argparse.Namespace) -> None:
    """Measure the systems of the command line on all corpora."""
    with quiet_libraries():
        settings = Settings(
            options.device,
            options.batch_size,
            options.dtype,
            options.seed,
            options.detector,
            options.trust_remote_code,
        )
        tasks = load_tasks(options)
        systems = [(name, make_system(name)) for name in split_names(options.systems)]
        outputs = Outputs(options.out, options.report, options.plot)
        comparison = Comparison(systems, settings, outputs, options.detection)
        for task in tasks:
            for spans in split_spans(options.spans):
                comparison.measure(task, spans)
        if len(tasks) > 1:
            comparison.print_means()


@dataclass(frozen=True)
class Outputs:
    """Where results go; `None`: nowhere.

    Args:
        results: JSON file.
        report: Markdown or HTML file of errors.
        plots: folder.
    """

    results: Path | None = None
    report: Path | None = None
    plots: Path | None = None


@dataclass
class Comparison:
    """Systems on one corpus after another, and their results so far.

    Args:
        systems: with their names.
        settings: how they run.
        outputs: where results go.
        with_detection: whether predicted mentions are scored too.
        results: the entries of the results file.
        detections: the detector's scores on each corpus.
        pages: of the report.
        tables: what is printed.
    """

    systems: Sequence[tuple[str, System]]
    settings: Settings
    outputs: Outputs
    with_detection: bool = False
    results: list[dict[str, Any]] = field(default_factory=list)
    detections: list[dict[str, Any]] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    tables: Tables = field(default_factory=Tables)

    def measure(self, task: Task, spans: str) -> None:
        """Measure all systems with one kind of mentions; print and write each result as soon as it is there."""
        outputs = self.outputs
        searches = Counter(searched_checkpoints(system for _, system in self.systems))
        trial = Trial(task, spans, self.settings, searches)
        detection: dict[str, Any] = {}
        if self.with_detection and spans == "predicted":
            self.detections.append(detection_of(trial))
            self.tables.print_detection(task.name, self.detections[-1])
            detection = {"detection": self.detections[-1]}
        outcomes: list[Outcome] = []
        for name, system in self.systems:
            outcome = measure(trial, name, system, with_mentions=outputs.report is not None)
            self.tables.print_result(outcome.result)
            warn_of_short_rankings(outcome)
            outcomes.append(outcome)
            self.results.append(outcome.result | detection)
            if outputs.results:
                text = json.dumps(self.results, indent=2, ensure_ascii=False) + "\n"
                outputs.results.write_text(text, encoding="utf-8")
        if outputs.report:
            self.pages += [make_page(task, outcome) for outcome in outcomes]
            write_report(outputs.report, self.pages)
        if outputs.plots:
            from .plots import plot_outcomes

            plot_outcomes(outputs.plots, task, outcomes)

    def print_means(self) -> None:
        """Print the means over all corpora, of the detector first."""
        if self.detections:
            self.tables.print_detection(f"mean of {len(self.detections)}", mean_detection(self.detections))
        self.tables.print_means(self.results)


def detection_of(trial: Trial) -> dict[str, Any]:
    """The detector's scores on a trial's task, and how much of the relevant documents it leaves to find."""
    documents = trial.task.documents
    predictions = [document.mentions for document in trial.documents]
    texts, gold = [document.text for document in documents], [document.mentions for document in documents]
    scores = asdict(score_detection(texts, gold, predictions))
    coverage = asdict(measure_coverage(trial.task, predictions))
    return {"detector": trial.settings.detector, **scores, "relevant": coverage}


def warn_of_short_rankings(outcome: Outcome) -> None:
    """Say on standard error which rankings have fewer than R documents."""
    result = outcome.result
    if outcome.short:
        counts = ", ".join(f"{type_} {length}/{r}" for type_, (length, r) in outcome.short.items())
        print(
            f"nerret: {result['system']} ({result['spans']}, {result['corpus']}) returned fewer than R documents for "
            f"{len(outcome.short)} of {result['n_types']} types; missing positions count as wrong: {counts}",
            file=sys.stderr,
        )
