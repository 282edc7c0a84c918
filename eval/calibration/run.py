"""The work of `nerret calibrate`: index each corpus, fit, write the calibration into the checkpoint, say what it is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from modeling_nerret.encoding import Encoder
from modeling_nerret.manifest import write_manifest
from modeling_nerret.pretrained.calibration import CALIBRATION, Calibration
from modeling_nerret.pretrained.checkpoints import load_checkpoint, locate
from modeling_nerret.training.data.examples import find_file

from ..corpora import query_settings, say_rare_types
from ..progress import quiet_libraries
from ..systems.trial import Settings
from ..tasks.annotations import read_annotations
from ..tasks.task import Task, make_task
from .cases import FITTED_HALF, half_of
from .collection import collect
from .fit import fit_calibration


def run_command(options: argparse.Namespace) -> None:
    """Calibrate the checkpoint of the command line."""
    folder = locate(options.checkpoint)
    tasks = [load_task(corpus, options) for corpus in options.corpora]
    settings = Settings(options.device, dtype=options.dtype, detector=options.checkpoint)
    with quiet_libraries():
        collections = [collect(task, options.checkpoint, settings) for task in tasks]
        checkpoint = load_checkpoint(options.checkpoint, options.device, dtype=options.dtype)
        assert checkpoint.detector is not None  # `collect` needs it too
        encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector)
        calibration = fit_calibration(collections, encoder, checkpoint.model.config)
    calibration.save(folder)
    write_manifest(folder, "calibration")
    print_calibration(calibration, tasks, folder)


def print_calibration(calibration: Calibration, tasks: Sequence[Task], folder: Path) -> None:
    """Print what was fitted, on what, and where it is."""
    print("| set | documents | types | of which fitted on |\n|---|---|---|---|")
    for task in tasks:
        count = sum(half_of(task.name, query) == FITTED_HALF for query in task.queries)
        print(f"| {task.name} | {len(task.documents):,} | {len(task.queries)} | {count} |")
    print(
        f"\nlogit of a document = {calibration.slope:.2f} * score {calibration.bias:+.2f} + u, "
        f"u of a query has a standard deviation of {calibration.deviation:.2f}"
    )
    bias, best, likeness, unknown = calibration.absence
    print(
        f"logit of absence = {bias:+.2f} {best:+.2f} * best score {likeness:+.2f} * likeness to nonsense "
        f"{unknown:+.2f} if all words are unknown"
    )
    print(f"wrote {folder / CALIBRATION}")


def load_task(corpus: str, options: argparse.Namespace) -> Task:
    """A corpus of the command line as a task."""
    path = find_file(corpus) or Path(corpus)
    task = make_task(path.stem, read_annotations(path, options.limit), query_settings(options, path.stem))
    say_rare_types(task)
    return task
