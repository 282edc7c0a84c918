"""The work of `nerret eval`: measure each system, and print and write its results at once."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path

from modeling_nerret.training.data.examples import find_file

from .arguments import HALVES, split_spans
from .detection_scores import score_detection
from .measure import Outcome, measure
from .progress import quiet_libraries
from .report import write_report
from .systems.names import split_names
from .systems.registry import make_system
from .systems.trial import Settings, System, Trial
from .tasks import BENCHMARKS
from .tasks.annotations import read_annotations
from .tasks.benchmarks import load_benchmark
from .tasks.task import Task, make_task
from .tasks.type_names import QuerySettings, read_types_file


def run_command(options: argparse.Namespace) -> None:
    """Measure the systems of the command line."""
    with quiet_libraries():
        outputs = Outputs(options.out, options.report, options.plot)
        settings = Settings(
            options.device,
            options.batch_size,
            options.dtype,
            options.seed,
            options.detector,
            options.trust_remote_code,
        )
        comparison = Comparison(load_task(options), settings, outputs)
        systems = [(name, make_system(name)) for name in split_names(options.systems)]
        for spans in split_spans(options.spans):
            trial = Trial(comparison.task, spans, settings)
            if options.detection and spans == "predicted":
                print_detection(trial)
            comparison.measure(trial, systems)


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
    """Systems on one task, and their outcomes so far."""

    task: Task
    settings: Settings
    outputs: Outputs
    outcomes: list[Outcome] = field(default_factory=list)

    def measure(self, trial: Trial, systems: Sequence[tuple[str, System]]) -> None:
        """Measure all systems with one kind of mentions; print and write each result as soon as it is there."""
        outputs, first = self.outputs, len(self.outcomes)
        for name, system in systems:
            outcome = measure(trial, name, system, with_mentions=outputs.report is not None)
            print_result(outcome, header=not self.outcomes)
            self.outcomes.append(outcome)
            if outputs.results:
                results = [outcome.result for outcome in self.outcomes]
                outputs.results.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        if outputs.report:
            write_report(outputs.report, self.task, self.outcomes)
        if outputs.plots:
            from .plots import plot_outcomes

            plot_outcomes(outputs.plots, self.task, self.outcomes[first:])


def load_task(options: argparse.Namespace) -> Task:
    """The corpus or benchmark of the command line as a task."""
    is_benchmark = options.corpus in BENCHMARKS
    path = Path(options.corpus) if is_benchmark else find_file(options.corpus) or Path(options.corpus)
    name = options.corpus if is_benchmark else path.stem
    names = read_types_file(options.types, options.types_key, name)
    queries = QuerySettings(names, options.exclude, options.queries)
    if is_benchmark:
        return load_benchmark(name, options.data, queries, options.limit)
    texts = read_annotations(path, options.limit)
    if options.half:
        texts, name = islice(texts, HALVES.index(options.half), None, 2), f"{name}-{options.half}"
    return make_task(name, texts, queries)


def print_result(outcome: Outcome, header: bool) -> None:
    """Print a row of a Markdown table on standard output; warn about rankings with fewer than R documents."""
    result = outcome.result
    low, high = result["ci95"]
    if header:
        print("| system | spans | corpus | R-Precision | 95 % interval | bytes/document | seconds |")
        print("|---|---|---|---|---|---|---|")
    print(
        f"| {result['system']} | {result['spans']} | {result['corpus']} | {result['macro_r_precision']:.3f} | "
        f"{low:.3f}-{high:.3f} | {result['bytes_per_document']:.0f} | {result['seconds']:.0f} |",
        flush=True,
    )
    if outcome.short:
        counts = ", ".join(f"{type_} {length}/{r}" for type_, (length, r) in outcome.short.items())
        print(
            f"nerret: {result['system']} ({result['spans']}) returned fewer than R documents for "
            f"{len(outcome.short)} of {result['n_types']} types; missing positions count as wrong: {counts}",
            file=sys.stderr,
        )


def print_detection(trial: Trial) -> None:
    """Print the detector's scores on standard output, as a Markdown table."""
    documents = trial.task.documents
    predictions = [document.mentions for document in trial.documents]
    texts, gold = [document.text for document in documents], [document.mentions for document in documents]
    scores = asdict(score_detection(texts, gold, predictions))
    print(f"| detector | corpus | {' | '.join(name.replace('_', ' ') for name in scores)} |")
    print("|---" * (2 + len(scores)) + "|")
    values = " | ".join(f"{score:.3f}" for score in scores.values())
    print(f"| {trial.settings.detector} | {trial.task.name} | {values} |\n")
