"""Results of registered benchmarks: the files in `.eval_results/`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .results import Result


class Benchmark(NamedTuple):
    """A dataset that the Hub has registered as a benchmark, and a task of its eval.yaml."""

    corpus: str
    dataset: str
    task: str


def read_benchmark(text: str) -> Benchmark:
    """The benchmark in `CORPUS=OWNER/DATASET:TASK`.

    Raises:
        ValueError: the text has another form.

    Example:
        >>> read_benchmark("fewnerd=someone/typed-retrieval:fewnerd").task
        'fewnerd'
    """
    corpus, _, address = text.partition("=")
    dataset, _, task = address.partition(":")
    if not (corpus and task and dataset.count("/") == 1):
        raise ValueError(f"{text!r} is no benchmark; write CORPUS=OWNER/DATASET:TASK")
    return Benchmark(corpus, dataset, task)


def write_eval_results(
    results: Sequence[Result], system: str, benchmarks: Sequence[Benchmark], folder: Path
) -> list[Path]:
    """Write `.eval_results/`. The Hub reads it for registered benchmarks only.

    Raises:
        ValueError: there is no result with detected mentions on a benchmark's corpus.
    """
    from huggingface_hub.utils import yaml_dump  # here, because the command line reads benchmarks with this file

    values = {(result["system"], result["corpus"], result["spans"]): result for result in results}
    paths = []
    for benchmark in benchmarks:
        result = values.get((system, benchmark.corpus, "predicted"))
        if result is None:
            raise ValueError(f"no result of {system} on {benchmark.corpus!r} with predicted mentions was given")
        scope = f"{result['n_types']} types, {result['n_documents']} documents"
        entry = {
            "dataset": {"id": benchmark.dataset, "task_id": benchmark.task},
            "value": round(result["macro_r_precision"], 4),
            "notes": f"macro R-Precision over {scope}, mentions found",
        }
        paths.append(folder / ".eval_results" / f"{benchmark.corpus}.yaml")
        paths[-1].parent.mkdir(exist_ok=True)
        paths[-1].write_text(yaml_dump([entry], sort_keys=False), encoding="utf-8")
    return paths
