"""Measure systems on an annotated corpus: `python -m eval.run CORPUS.jsonl --types TYPES.json --systems nerret-minilm,bm25`.

CORPUS is JSONL, `{"id", "text", "mentions": [{"start", "end", "type"}]}` a line. A document is relevant to a type if it
mentions an entity of it. Every system ranks all documents for every type, ties in order of the ids, and is scored by
R-Precision; the macro average's 95 % interval is a bootstrap over types.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from eval.corpora import EXCLUDED, Task, load_task, read_names
from eval.detection import score_detection
from eval.ranking import metric, rank
from eval.systems import FORMS, Options, build, detect

VERSIONS = ("torch", "transformers", "sentence-transformers", "lancedb", "bm25s", "nerret")
BOOTSTRAPS = 10_000


def main(arguments: list[str] | None = None) -> int:
    """Run the systems, print a table, write results and pictures."""
    options = _options(arguments)
    try:
        names = read_names(options.types, options.types_key)
        task = load_task(options.corpus, names, options.exclude, options.limit, options.queries)
        systems = [(name, build(name)) for name in options.systems.split(",")]
    except (ValueError, OSError) as error:
        print(f"eval.run: {error}", file=sys.stderr)
        return 2
    how = Options(options.device, options.batch_size, options.dtype, options.seed, options.detector)
    results = []
    for spans in options.spans.split(","):
        if spans == "predicted" and options.detection:
            found = detect(task, None, how)
            print_detection(task, found)
        for name, system in systems:
            results.append(measure(task, name, system, spans, how))
    print_table(results)
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if options.plot:
        from eval.plots import plot_results

        plot_results(results, task, options.plot)
    return 0


def measure(task: Task, name: str, system: Any, spans: str, options: Options) -> dict[str, Any]:
    """One system's result on a task, as it stands in `results.json`."""
    began = time.perf_counter()
    scores = system(task, spans, options)
    ids = [document.id for document in task.documents]
    rankings = [
        rank(row, ids) for row in tqdm(scores.rows, total=len(task.queries), desc=f"{name} queries", disable=None)
    ]
    seconds = time.perf_counter() - began
    per_type = {
        query: {"r": len(relevant), **_scores(ranking, relevant), "returned": len(ranking)}
        for query, ranking, relevant in zip(task.types, rankings, task.relevant, strict=True)
    }
    values = [found["r_precision"] for found in per_type.values()]
    return {
        "system": name,
        "spans": spans,
        "corpus": task.name,
        "n_documents": len(ids),
        "n_mentions": scores.mentions,
        "n_types": len(task.types),
        "macro_r_precision": float(np.mean(values)),
        "ci95": bootstrap(values, options.seed),
        "per_type": per_type,
        "seconds": round(seconds, 2),
        "bytes_per_document": round(scores.bytes_per_document, 1),
        "versions": {package: version(package) for package in VERSIONS},
    }


def _scores(ranking: Sequence[str], relevant: Sequence[str]) -> dict[str, float]:
    found = metric().compute(predictions=[ranking], references=[relevant], average_precision=True)
    return {"r_precision": found["r_precision"], "average_precision": found["mean_average_precision"]}


def bootstrap(values: Sequence[float], seed: int) -> list[float]:
    """95 % interval of the mean over types, by drawing types anew.

    Example:
        >>> bootstrap([0.5, 0.5, 0.5], seed=0)
        [0.5, 0.5]
    """
    drawn = np.random.default_rng(seed).choice(np.asarray(values), (BOOTSTRAPS, len(values)))
    return [float(edge) for edge in np.quantile(drawn.mean(1), (0.025, 0.975))]


def print_table(results: Sequence[dict[str, Any]]) -> None:
    """Results as a Markdown table on standard output."""
    print(
        "| system | spans | corpus | R-Precision | 95 % interval | bytes/document | seconds |\n|---|---|---|---|---|---|---|"
    )
    for one in results:
        low, high = one["ci95"]
        print(
            f"| {one['system']} | {one['spans']} | {one['corpus']} | {one['macro_r_precision']:.3f} | "
            f"{low:.3f}-{high:.3f} | {one['bytes_per_document']:.0f} | {one['seconds']:.0f} |"
        )
    for one in results:
        if short := [name for name, found in one["per_type"].items() if found["returned"] < found["r"]]:
            print(
                f"{one['system']} ({one['spans']}) returned fewer than R documents for {len(short)} types: {', '.join(short)}"
            )


def print_detection(task: Task, found: Sequence[Sequence[Any]]) -> None:
    """Detection scores on standard output."""
    scores = score_detection([document.text for document in task.documents], task.gold, found)
    print(f"detection on {task.name}: " + ", ".join(f"{name} {value:.3f}" for name, value in asdict(scores).items()))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="JSONL with gold mentions")
    parser.add_argument("--types", type=Path, help="plain names of the labels: types.json (default: the labels)")
    parser.add_argument("--types-key", metavar="SET", help="the set in a types.json that holds several")
    parser.add_argument("--systems", default="nerret-minilm,bm25", help=f"separated by commas: {FORMS}")
    parser.add_argument("--spans", default="gold", help="gold, predicted, or gold,predicted (default: gold)")
    parser.add_argument(
        "--exclude", default=EXCLUDED, metavar="REGEX", help=f"types that are no queries (default: {EXCLUDED})"
    )
    parser.add_argument("--queries", choices=("name", "definition", "examples"), default="name")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N documents")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write results as JSON")
    parser.add_argument("--plot", type=Path, metavar="DIR", help="draw pictures")
    parser.add_argument("--detection", action="store_true", help="also score the detector (with --spans predicted)")
    parser.add_argument("--detector", default="nerret-minilm", help="checkpoint that finds mentions for other systems")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--batch-size", type=int, default=32)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
