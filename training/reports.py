"""What a run leaves for its reader: `metrics.json` and `curves.png`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .fitting import GOAL

Log = Sequence[dict[str, Any]]
TITLES = {
    "head": ("head", "mean R-Precision"),
    "joint": ("adapter and heads", "mean R-Precision"),
    "detector": ("detector", "F1 of exact spans"),
}


def summarise(log: Log, facts: dict[str, Any]) -> dict[str, Any]:
    """A part of `metrics.json`: what was read, numbers before and after, losses and measurements by step."""
    losses = [{"step": one["step"], "loss": one["loss"]} for one in log if "loss" in one]
    measured = [
        {"step": one["step"]} | {name[len("eval_") :]: value for name, value in one.items() if name.startswith("eval_")}
        for one in log
        if f"eval_{GOAL}" in one
    ]
    best = max(measured, key=lambda one: one[GOAL])["step"] if measured else None
    return facts | {"best_step": best, "losses": losses, "evaluations": measured}


def write_metrics(path: Path, metrics: dict[str, Any]) -> None:
    """Write numbers as JSON, rounded to what they can tell."""
    path.write_text(json.dumps(_rounded(metrics), indent=2) + "\n", encoding="utf-8")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def draw_curves(path: Path, metrics: dict[str, Any]) -> None:
    """Draw the losses and the held-out numbers of head and detector by step, as far as they were trained."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    parts = [name for name in TITLES if name in metrics]
    if not parts:
        return
    figure, axes = pyplot.subplots(2, len(parts), figsize=(5.6 * len(parts), 6), squeeze=False, sharex="col")
    for column, name in enumerate(parts):
        part, (title, goal) = metrics[name], TITLES[name]
        _line(axes[0, column], part["losses"], "loss", "training")
        key = _loss_key(part["evaluations"])
        _line(axes[0, column], part["evaluations"], key, f"held out, {key}".replace("_", " "))
        _line(axes[1, column], part["evaluations"], GOAL, goal)
        before = part.get("before", {})
        if before:
            axes[1, column].axhline(before[GOAL], color="grey", linestyle=":", label="before")
        for one in (other for other in before if other.endswith("_r_precision")):
            _line(
                axes[1, column], part["evaluations"], one, one.replace("_r_precision", "").replace("_", " "), thin=True
            )
        axes[0, column].set(title=title, ylabel="loss")
        axes[1, column].set(xlabel="step", ylabel="held out, higher is better")
        if part["best_step"]:
            axes[1, column].axvline(part["best_step"], color="grey", linewidth=0.8)
        for axis in axes[:, column]:
            axis.grid(alpha=0.3)
            if axis.get_legend_handles_labels()[0]:
                axis.legend(fontsize=7, framealpha=0.5)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _loss_key(measured: Sequence[dict[str, Any]]) -> str:
    """The name of the held-out loss that is drawn: the only one, or that of the first set."""
    return next((name for name in (measured[0] if measured else {}) if name.endswith("loss")), "loss")


def _line(axis: Any, points: Sequence[dict[str, Any]], key: str, label: str, thin: bool = False) -> None:
    found = [(point["step"], point[key]) for point in points if key in point]
    if found:
        style = {"linewidth": 1, "linestyle": "--"} if thin else {"marker": "." if len(found) < 30 else None}
        axis.plot(*zip(*found, strict=True), label=label, **style)
