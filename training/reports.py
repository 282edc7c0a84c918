"""The reports of a run: `metrics.json`, `curves.png` and lines on the screen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .stages.fitting import GOAL

Log = Sequence[dict[str, Any]]
TITLES = {
    "head": ("head", "mean R-Precision"),
    "joint": ("adapter and heads", "mean R-Precision"),
    "detector": ("detector", "F1 of exact spans"),
}


def summarise(log: Log, facts: dict[str, Any]) -> dict[str, Any]:
    """A stage's part of `metrics.json`: its facts, and losses and measurements by step.

    Args:
        log: the Trainer's.
        facts: sets, held-out data, and numbers before and after.
    """
    losses = [{"step": entry["step"], "loss": entry["loss"]} for entry in log if "loss" in entry]
    evaluations = [
        {"step": entry["step"]}
        | {name.removeprefix("eval_"): value for name, value in entry.items() if name.startswith("eval_")}
        for entry in log
        if f"eval_{GOAL}" in entry
    ]
    best = max(evaluations, key=lambda numbers: numbers[GOAL])["step"] if evaluations else None
    return facts | {"best_step": best, "losses": losses, "evaluations": evaluations}


def write_metrics(path: Path, metrics: dict[str, Any]) -> None:
    """Write numbers as JSON, rounded to six digits."""
    path.write_text(json.dumps(_round(metrics), indent=2) + "\n", encoding="utf-8")


def summary_lines(metrics: dict[str, Any]) -> list[str]:
    """A line for each held-out number, before and after."""
    names = ("r_precision", "mrr", "precision", "recall", "recall_overlap")
    lines = []
    for stage in (name for name in TITLES if name in metrics):
        before, after = metrics[stage]["before"], metrics[stage]["after"]
        for name in (name for name in after if name.endswith(names)):
            lines.append(f"{stage + ': ' + name.replace('_', ' '):<44} {before[name]:.3f} -> {after[name]:.3f}")
    return lines


def _round(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _round(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_round(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def draw_curves(path: Path, metrics: dict[str, Any]) -> None:
    """Draw losses and held-out numbers by step, a column for each stage that was trained."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    stages = [name for name in TITLES if name in metrics]
    if not stages:
        return
    figure, axes = pyplot.subplots(2, len(stages), figsize=(5.6 * len(stages), 6), squeeze=False, sharex="col")
    for column, name in enumerate(stages):
        _draw_stage(axes[:, column], metrics[name], *TITLES[name])
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _draw_stage(axes: Any, numbers: dict[str, Any], title: str, goal: str) -> None:
    """A column of the curves: the losses above, the held-out numbers below."""
    losses, scores = axes
    evaluations, before = numbers["evaluations"], numbers.get("before", {})
    _line(losses, numbers["losses"], "loss", "training")
    key = _loss_key(evaluations)
    _line(losses, evaluations, key, f"held out, {key}".replace("_", " "))
    _line(scores, evaluations, GOAL, goal)
    if before:
        scores.axhline(before[GOAL], color="grey", linestyle=":", label="before")
    for name in (name for name in before if name.endswith("_r_precision")):
        _line(scores, evaluations, name, name.removesuffix("_r_precision").replace("_", " "), thin=True)
    losses.set(title=title, ylabel="loss")
    scores.set(xlabel="step", ylabel="held out, higher is better")
    if numbers["best_step"]:
        scores.axvline(numbers["best_step"], color="grey", linewidth=0.8)
    for axis in axes:
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=7, framealpha=0.5)


def _loss_key(evaluations: Sequence[dict[str, Any]]) -> str:
    """The name of the held-out loss to draw: that of the first set."""
    return next((name for name in (evaluations[0] if evaluations else {}) if name.endswith("loss")), "loss")


def _line(axis: Any, points: Sequence[dict[str, Any]], key: str, label: str, thin: bool = False) -> None:
    pairs = [(point["step"], point[key]) for point in points if key in point]
    if pairs:
        style = {"linewidth": 1, "linestyle": "--"} if thin else {"marker": "." if len(pairs) < 30 else None}
        axis.plot(*zip(*pairs, strict=True), label=label, **style)
