"""The corpora and benchmarks of a command line as tasks."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

from modeling_nerret.training.data.examples import find_file

from .arguments import HALVES
from .tasks import BENCHMARKS
from .tasks.annotations import read_annotations
from .tasks.benchmarks import load_benchmark
from .tasks.seen_names import read_seen_names
from .tasks.set_files import Subtypes, read_exclusion, read_subtypes
from .tasks.task import Task, make_task
from .tasks.type_names import EXCLUDED, QuerySettings, TypeNames, plain_name, read_types_file


def load_tasks(options: argparse.Namespace) -> list[Task]:
    """The corpora of `nerret eval` in their order, all of them read before anything is measured."""
    seen_names = read_seen_names(options.seen)
    return [_load_task(name, options, seen_names) for name in options.corpora]


def query_settings(options: argparse.Namespace, name: str) -> QuerySettings:
    """Which types of the corpus with this name are queries.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file has another form.
    """
    exclude = read_exclusion(options.exclude_file, name)
    if exclude is None:
        exclude = EXCLUDED if options.exclude is None else options.exclude
    names = read_types_file(options.types, options.types_key, name)
    return QuerySettings(names, exclude, least_documents=options.min_documents)


def say_rare_types(task: Task) -> None:
    """Say on standard error how many types were too rare to be queries."""
    if task.rare_types:
        print(
            f"nerret: {task.name}: {len(task.rare_types)} types with fewer than {task.least_documents} documents left "
            "out",
            file=sys.stderr,
        )


def _load_task(corpus: str, options: argparse.Namespace, seen_names: frozenset[str]) -> Task:
    is_benchmark = corpus in BENCHMARKS
    path = Path(corpus) if is_benchmark else find_file(corpus) or Path(corpus)
    name = corpus if is_benchmark else path.stem
    subtypes = read_subtypes(options.subtypes, name)
    settings = replace(query_settings(options, name), wording=options.queries, subtypes=subtypes, seen_names=seen_names)
    if is_benchmark:
        task = load_benchmark(name, options.data, settings, options.limit)
    else:
        texts = read_annotations(path, options.limit)
        if options.half:
            texts, name = islice(texts, HALVES.index(options.half), None, 2), f"{name}-{options.half}"
        task = make_task(name, texts, settings)
    say_rare_types(task)
    if options.subtypes:
        _say_unknown(task, settings.names or {}, subtypes)
    return task


def _say_unknown(task: Task, names: TypeNames, subtypes: Subtypes) -> None:
    """Say which names of the user's subtypes are no types of the corpus, for they may be misspelt."""
    known_names = {*task.types, *task.rare_types, *map(plain_name, names.values())}
    known_names |= {type_ for labels in task.labels for types in labels.values() for type_ in types}
    unknown = sorted({name for parent, children in subtypes.items() for name in (parent, *children)} - known_names)
    if unknown:
        print(f"nerret: {task.name} has no such types as --subtypes names: {', '.join(unknown)}", file=sys.stderr)
