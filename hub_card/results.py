"""Measured results for a card: what `nerret eval --out` writes, as a table and a list of losses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from modeling_nerret.files import read_json_value

FIELDS: dict[str, Any] = {
    **dict.fromkeys(("system", "spans", "corpus"), str),
    **dict.fromkeys(("n_documents", "n_types"), int),
    **dict.fromkeys(("macro_r_precision", "seconds"), int | float),
    "per_type": dict,
}
SPANS = {"gold": "mentions given", "predicted": "mentions found"}
LOSSES = 3  # types to name in each column where another system is better

Result = dict[str, Any]


class Dataset(NamedTuple):
    """A published benchmark: its name, dataset on the Hub, and configuration."""

    name: str
    dataset: str
    config: str | None = None


DATASETS = {
    "fewnerd": Dataset("Few-NERD", "DFKI-SLT/few-nerd", "supervised"),
    "multiconer2": Dataset("MultiCoNER 2, English", "MultiCoNER/multiconer_v2", "English (EN)"),
    "crossner": Dataset("CrossNER", "DFKI-SLT/cross_ner"),
}


class Column(NamedTuple):
    """A column of the table: a corpus, and whose mentions were indexed, `"gold"` or `"predicted"`."""

    corpus: str
    spans: str

    @property
    def title(self) -> str:
        """The column in print.

        Example:
            >>> Column("fewnerd", "gold").title
            'Few-NERD, mentions given'
        """
        return f"{corpus_name(self.corpus)}, {self.mentions}"

    @property
    def mentions(self) -> str:
        """Whose mentions they are, in print."""
        return SPANS.get(self.spans, self.spans)


def read_results(paths: Sequence[Path], system: str) -> list[Result]:
    """Results of several files, in order.

    Args:
        paths: JSON files.
        system: name under which this checkpoint was measured.

    Raises:
        ValueError: a file is no list of results, or the checkpoint is not among the systems.
        OSError: a file is missing, no regular file, or no JSON.
    """
    results: list[Result] = []
    for path in paths:
        entries = read_json_value(path)
        if not isinstance(entries, list) or not all(map(_is_result, entries)):
            raise ValueError(f"{path} holds no results; give a file that `nerret eval --out` wrote")
        results += entries
    systems = list(dict.fromkeys(result["system"] for result in results))
    if results and system not in systems:
        raise ValueError(f"{system!r} is not among the measured systems; give --system, one of {', '.join(systems)}")
    return results


def _is_result(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(name), kind) for name, kind in FIELDS.items())
        and all(isinstance(scores, dict) and "r_precision" in scores for scores in entry["per_type"].values())
    )


def columns(results: Sequence[Result]) -> list[Column]:
    """The columns of the table, in the order of the results."""
    return list(dict.fromkeys(_column(result) for result in results))


def _column(result: Result) -> Column:
    return Column(result["corpus"], result["spans"])


def split_column(results: Sequence[Result], column: Column, system: str) -> tuple[Result | None, list[Result]]:
    """This checkpoint's result in a column, and the results of the other systems."""
    entries = [result for result in results if _column(result) == column]
    checkpoint = next((result for result in entries if result["system"] == system), None)
    return checkpoint, [result for result in entries if not is_checkpoint(result, system)]


def table(results: Sequence[Result], system: str) -> str:
    """R-Precision of all systems as a Markdown table, the best value of each column in bold."""
    heads = columns(results)
    rows: dict[str, dict[Column, float]] = {}
    for result in sorted(results, key=lambda result: not is_checkpoint(result, system)):
        rows.setdefault(result["system"], {})[_column(result)] = result["macro_r_precision"]
    best = {head: max(row[head] for row in rows.values() if head in row) for head in heads}
    lines = [f"| system | {' | '.join(head.title for head in heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, row in rows.items():
        cells = [_cell(row.get(head), best[head]) for head in heads]
        lines.append(f"| {plain_name(name, system)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def losses(results: Sequence[Result], system: str) -> list[str]:
    """One line for each column: the types on which another system is furthest ahead."""
    lines = []
    for column in columns(results):
        result, rivals = split_column(results, column, system)
        if result is None or not rivals:
            continue
        deficits = []
        for type_, scores in result["per_type"].items():
            rival = max(rivals, key=lambda rival: rival["per_type"][type_]["r_precision"])
            score, best = scores["r_precision"], rival["per_type"][type_]["r_precision"]
            deficits.append((best - score, type_, score, best, rival["system"]))
        deficits = sorted((deficit for deficit in deficits if deficit[0] > 0), reverse=True)
        worst = ", ".join(
            f"{type_} {score:.2f} (against {best:.2f} of {plain_name(name, system)})"
            for _, type_, score, best, name in deficits[:LOSSES]
        )
        share = f"behind the best of the other systems on {len(deficits)} of {result['n_types']} types"
        lines.append(f"{column.title}: {share}{f', most on {worst}' if worst else ''}.")
    return lines


def corpus_name(corpus: str) -> str:
    """The name of a corpus in print."""
    return DATASETS[corpus].name if corpus in DATASETS else corpus


def is_checkpoint(result: Result, system: str) -> bool:
    """Whether a result is this checkpoint's, in any mode of search."""
    return result["system"].partition("@")[0] == system.partition("@")[0]


def plain_name(name: str, system: str) -> str:
    """A system of `nerret eval` in plain words.

    Example:
        >>> plain_name("st:sentence-transformers/all-MiniLM-L6-v2@instruct", "mine")
        'whole-document all-MiniLM-L6-v2, instructed'
        >>> plain_name("mine@vector", "mine")
        'this model, vectors only'
    """
    if name.partition("@")[0] == system.partition("@")[0]:
        mode = {"vector": ", vectors only", "lexical": ", BM25 only"}.get(name.partition("@")[2], ", hybrid search")
        return "this model" + mode
    kind, _, address = name.partition(":")
    model, _, option = address.rpartition("/")[2].partition("@")
    if kind == "st":
        return f"whole-document {model}" + (", instructed" if option == "instruct" else "")
    if kind == "bare":
        return f"value vectors of {model} without a head, block {option.partition('@')[0]}"
    return {"bm25": "BM25", "random": "random order"}.get(name, name)


def _cell(value: float | None, best: float) -> str:
    if value is None:
        return ""
    return f"**{value:.3f}**" if f"{value:.3f}" == f"{best:.3f}" else f"{value:.3f}"
