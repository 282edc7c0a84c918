"""Results as rows of Markdown tables on standard output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Result = Mapping[str, Any]
COLUMNS = (
    *("system", "spans", "corpus", "R-Precision", "95 % interval"),
    *("seen / unseen", "with subtypes", "bytes/document", "seconds"),
)


class Tables:
    """Prints rows at once, with a header wherever rows of another kind begin."""

    def __init__(self) -> None:
        self._columns: tuple[str, ...] = ()

    def print_row(self, columns: Sequence[str], cells: Sequence[str]) -> None:
        """Print a row of the table with these columns."""
        if tuple(columns) != self._columns:
            gap = "\n" if self._columns else ""
            print(f"{gap}| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
            self._columns = tuple(columns)
        print(f"| {' | '.join(cells)} |", flush=True)

    def print_result(self, result: Result) -> None:
        """Print a system's result on a corpus."""
        low, high = result["ci95"]
        self._print_scores(result, result["corpus"], f"{low:.3f}-{high:.3f}", f"{result['bytes_per_document']:.0f}")

    def print_means(self, results: Sequence[Result]) -> None:
        """Print for each system and kind of mentions the means over corpora of its results; types are summed."""
        groups: dict[tuple[str, str], list[Result]] = {}
        for result in results:
            groups.setdefault((result["system"], result["spans"]), []).append(result)
        for group in groups.values():
            self._print_scores(mean_result(group), f"mean of {len(group)}", "", "")

    def print_detection(self, corpus: str, scores: Mapping[str, Any]) -> None:
        """Print a detector's scores on a corpus."""
        numbers = {name: value for name, value in scores.items() if isinstance(value, float)}
        shares = {f"relevant: {name}": value for name, value in scores["relevant"].items() if name != "pairs"}
        columns = ["detector", "corpus", *(name.replace("_", " ") for name in [*numbers, *shares])]
        cells = [f"{value:.3f}" for value in (*numbers.values(), *shares.values())]
        self.print_row(columns, [scores["detector"], corpus, *cells])

    def _print_scores(self, result: Result, corpus: str, interval: str, size: str) -> None:
        parts = [result[part] for part in ("seen", "unseen") if part in result]
        lenient = f"{result['with_subtypes']['macro_r_precision']:.3f}" if "with_subtypes" in result else ""
        cells = [result["system"], result["spans"], corpus, f"{result['macro_r_precision']:.3f}", interval]
        cells += [" / ".join(map(_part, parts)), lenient, size, f"{result['seconds']:.0f}"]
        self.print_row(COLUMNS, cells)


def mean_detection(detections: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The means over corpora of a detector's scores."""
    means = {
        name: float(np.mean([scores[name] for scores in detections])) if isinstance(value, float) else value
        for name, value in detections[0].items()
    }
    shares = [scores["relevant"] for scores in detections]
    return means | {"relevant": {name: float(np.mean([share[name] for share in shares])) for name in shares[0]}}


def mean_result(results: Sequence[Result]) -> dict[str, Any]:
    """The means over corpora of a system's results.

    A corpus without types of a part is left out of the part's mean. Where a corpus has no subtypes, its strict figure
    counts as the lenient one; if none has any, there is no lenient mean.

    Example:
        >>> seen, unseen = ({"n_types": n, "macro_r_precision": value} for n, value in ((1, 0.5), (0, None)))
        >>> result = {"system": "s", "spans": "gold", "macro_r_precision": 0.5, "seconds": 2.0}
        >>> result |= {"seen": seen, "unseen": unseen}
        >>> means = mean_result([result, result | {"macro_r_precision": 0.7}])
        >>> means["macro_r_precision"], means["seen"], means["unseen"]["n_types"]
        (0.6, {'n_types': 2, 'macro_r_precision': 0.5}, 0)
    """
    means: dict[str, Any] = {name: results[0][name] for name in ("system", "spans")}
    for name in ("macro_r_precision", "seconds"):
        means[name] = float(np.mean([result[name] for result in results]))
    for part in ("seen", "unseen"):
        groups = [result[part] for result in results if part in result]
        values = [group["macro_r_precision"] for group in groups if group["n_types"]]
        mean = float(np.mean(values)) if values else None
        means[part] = {"n_types": sum(group["n_types"] for group in groups), "macro_r_precision": mean}
    if any("with_subtypes" in result for result in results):
        values = [result.get("with_subtypes", result)["macro_r_precision"] for result in results]
        means["with_subtypes"] = {"macro_r_precision": float(np.mean(values))}
    return means


def _part(part: Mapping[str, Any]) -> str:
    """The mean of a part of the types, and how many they are."""
    value = part["macro_r_precision"]
    return f"{'-' if value is None else f'{value:.3f}'} ({part['n_types']})"
