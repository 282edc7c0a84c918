"""Measured results for a card: what `python -m eval.run --out` wrote, as tables, metadata and files of the Hub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import EvalResult
from huggingface_hub.utils import yaml_dump

NEEDED = ("system", "spans", "corpus", "n_documents", "n_types", "macro_r_precision", "per_type", "seconds")
SPANS = {"gold": "mentions given", "predicted": "mentions found"}
LOSSES = 3  # types of each corpus where a baseline is better

Result = dict[str, Any]


class Corpus(NamedTuple):
    """A published benchmark: its name, dataset on the Hub, and configuration."""

    name: str
    dataset: str
    config: str | None = None


CORPORA = {
    "fewnerd": Corpus("Few-NERD", "DFKI-SLT/few-nerd", "supervised"),
    "multiconer2": Corpus("MultiCoNER 2, English", "MultiCoNER/multiconer_v2", "English (EN)"),
    "crossner": Corpus("CrossNER", "DFKI-SLT/cross_ner"),
}


class Benchmark(NamedTuple):
    """A dataset of the Hub that is registered as a benchmark, and a task of its eval.yaml."""

    corpus: str
    dataset: str
    task: str


def read_benchmark(text: str) -> Benchmark:
    """`CORPUS=DATASET:TASK`.

    Raises:
        ValueError: another form.

    Example:
        >>> read_benchmark("fewnerd=someone/typed-retrieval:fewnerd").task
        'fewnerd'
    """
    corpus, _, rest = text.partition("=")
    dataset, _, task = rest.partition(":")
    if not (corpus and task and dataset.count("/") == 1):
        raise ValueError(f"{text!r} is no benchmark; write CORPUS=OWNER/DATASET:TASK")
    return Benchmark(corpus, dataset, task)


def read_results(paths: Sequence[Path], system: str) -> list[Result]:
    """Results of several files, in order.

    Args:
        paths: JSON files.
        system: name that this checkpoint was measured under.

    Raises:
        ValueError: a file is no list of results, or the checkpoint is not among the systems.
    """
    results: list[Result] = []
    for path in paths:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, list) or not all(isinstance(one, dict) and one.keys() >= set(NEEDED) for one in found):
            raise ValueError(f"{path} holds no results; give what `python -m eval.run --out {path}` writes")
        results += found
    names = list(dict.fromkeys(one["system"] for one in results))
    if results and system not in names:
        raise ValueError(f"{system!r} is not among the measured systems; give --system, one of {', '.join(names)}")
    return results


def columns(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Corpus and kind of mentions of each column of the table."""
    return list(dict.fromkeys((one["corpus"], one["spans"]) for one in results))


def table(results: Sequence[Result], system: str) -> str:
    """R-Precision of all systems as a Markdown table, the best of each column in bold."""
    heads = columns(results)
    rows: dict[str, dict[tuple[str, str], float]] = {}
    for one in sorted(results, key=lambda one: not is_own(one, system)):
        rows.setdefault(one["system"], {})[one["corpus"], one["spans"]] = one["macro_r_precision"]
    best = {head: max(row[head] for row in rows.values() if head in row) for head in heads}
    titles = [f"{corpus_name(corpus)}, {SPANS.get(spans, spans)}" for corpus, spans in heads]
    lines = [f"| system | {' | '.join(titles)} |", "|---" * (len(heads) + 1) + "|"]
    for name, row in rows.items():
        cells = [_cell(row.get(head), best[head]) for head in heads]
        lines.append(f"| {plain_name(name, system)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def losses(results: Sequence[Result], system: str) -> list[str]:
    """For each corpus and kind of mentions the types where some baseline is furthest ahead, one line each."""
    lines = []
    for corpus, spans in columns(results):
        here = [one for one in results if (one["corpus"], one["spans"]) == (corpus, spans)]
        own = next((one for one in here if one["system"] == system), None)
        others = [one for one in here if not is_own(one, system)]
        if own is None or not others:
            continue
        behind = []
        for type_, scores in own["per_type"].items():
            other = max(others, key=lambda one: one["per_type"][type_]["r_precision"])
            theirs = other["per_type"][type_]["r_precision"]
            behind.append((theirs - scores["r_precision"], type_, scores["r_precision"], theirs, other["system"]))
        behind = [one for one in sorted(behind, reverse=True) if one[0] > 0]
        worst = ", ".join(
            f"{type_} {mine:.2f} (against {theirs:.2f} of {plain_name(name, system)})"
            for _, type_, mine, theirs, name in behind[:LOSSES]
        )
        where = f"{corpus_name(corpus)}, {SPANS.get(spans, spans)}"
        counted = f"{where}: behind the best of the other systems on {len(behind)} of {own['n_types']} types"
        lines.append(f"{counted}{f', most on {worst}' if worst else ''}.")
    return lines


def model_index(results: Sequence[Result], system: str) -> list[EvalResult]:
    """This checkpoint's own results, as the metadata of a card."""
    found = []
    for one in results:
        if one["system"] == system:
            corpus = CORPORA.get(one["corpus"], Corpus(one["corpus"], one["corpus"]))
            found.append(
                EvalResult(
                    task_type="text-retrieval",
                    task_name="Retrieval of documents by entity type",
                    dataset_type=corpus.dataset,
                    dataset_name=corpus.name,
                    dataset_config=corpus.config,
                    dataset_args={"documents": one["n_documents"], "types": one["n_types"]},
                    metric_type="r_precision",
                    metric_name=f"Macro R-Precision, {SPANS.get(one['spans'], one['spans'])}",
                    metric_value=round(one["macro_r_precision"], 4),
                )
            )
    return found


def write_benchmarks(
    results: Sequence[Result], system: str, benchmarks: Sequence[Benchmark], folder: Path
) -> list[Path]:
    """Write `.eval_results/`, which the Hub reads for datasets that are registered as benchmarks, and for no others.

    Raises:
        ValueError: a benchmark's corpus was not measured with found mentions.
    """
    paths = []
    for benchmark in benchmarks:
        wanted = (system, benchmark.corpus, "predicted")
        one = next((one for one in results if (one["system"], one["corpus"], one["spans"]) == wanted), None)
        if one is None:
            raise ValueError(f"no result of {system} on {benchmark.corpus!r} with predicted mentions was given")
        entry = {
            "dataset": {"id": benchmark.dataset, "task_id": benchmark.task},
            "value": round(one["macro_r_precision"], 4),
            "notes": f"macro R-Precision over {one['n_types']} types, {one['n_documents']} documents, mentions found",
        }
        paths.append(folder / ".eval_results" / f"{benchmark.corpus}.yaml")
        paths[-1].parent.mkdir(exist_ok=True)
        paths[-1].write_text(yaml_dump([entry], sort_keys=False), encoding="utf-8")
    return paths


def corpus_name(corpus: str) -> str:
    """How a corpus is called in print."""
    return CORPORA[corpus].name if corpus in CORPORA else corpus


def is_own(one: Result, system: str) -> bool:
    """Whether a result is this checkpoint's, in any mode of search."""
    return one["system"].partition("@")[0] == system.partition("@")[0]


def plain_name(name: str, system: str) -> str:
    """A system of `eval.run` in plain words.

    Example:
        >>> plain_name("st:sentence-transformers/all-MiniLM-L6-v2@instruct", "mine")
        'whole-document all-MiniLM-L6-v2, instructed'
        >>> plain_name("mine@vector", "mine")
        'this model, vectors only'
    """
    if name.partition("@")[0] == system.partition("@")[0]:
        mode = {"vector": ", vectors only", "lexical": ", BM25 only"}.get(name.partition("@")[2], ", hybrid search")
        return "this model" + mode
    kind, _, rest = name.partition(":")
    model, _, option = rest.rpartition("/")[2].partition("@")
    if kind == "st":
        return f"whole-document {model}" + (", instructed" if option == "instruct" else "")
    if kind == "bare":
        return f"value vectors of {model} without a head, block {option.partition('@')[0]}"
    return {"bm25": "BM25", "random": "random order"}.get(name, name)


def _cell(value: float | None, best: float) -> str:
    if value is None:
        return ""
    return f"**{value:.3f}**" if f"{value:.3f}" == f"{best:.3f}" else f"{value:.3f}"
