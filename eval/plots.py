"""Plots of results, as PNG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .measure import Outcome
from .tasks.frequency import entity_frequency, word_frequency
from .tasks.task import Task

COLOURS = ("#0b6e99", "#e08e1b", "#6a4c93", "#4b8b3b", "#b23a48", "#5f6b6d")
GREY = "#c9ced1"
EDGE = 3  # best and worst types whose curves have names
LEVELS = np.linspace(0, 1, 101)  # recall


def plot_outcomes(folder: Path, task: Task, outcomes: Sequence[Outcome]) -> list[Path]:
    """Draw all plots of some systems on one task with one kind of mentions.

    Args:
        folder: where the files go; it is made if it does not exist.
        task: the task.
        outcomes: of the systems in order; the plots show the first two.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{task.name}-{outcomes[0].result['spans']}"
    figures = {
        "bars": plot_bars(task, outcomes[:2]),
        "frequency": plot_frequency(task, outcomes[:2]),
        "precision-recall": plot_precision_recall(task, outcomes[:2]),
    }
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{stem}-{name}.png")
        save(figure, paths[-1])
    return paths


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=110, bbox_inches="tight")


def plot_bars(task: Task, outcomes: Sequence[Outcome]) -> Figure:
    """R-Precision of each type for one or two systems, the first system's best types on top."""
    values = _r_precisions(task, outcomes)  # (systems, types)
    order = np.argsort(values[0], kind="stable")
    figure, axes = _figure(7, 0.9 + 0.2 * len(order))
    height = 0.8 / len(outcomes)
    for row, outcome in enumerate(outcomes):
        places = np.arange(len(order)) + height * ((len(outcomes) - 1) / 2 - row)
        axes.barh(places, values[row, order], height, color=COLOURS[row], label=_legend(outcome))
    sizes = [len(relevant) for relevant in task.relevant]
    axes.set_yticks(np.arange(len(order)), [f"{task.types[number]} ({sizes[number]})" for number in order], fontsize=8)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(order) - 0.4), xlabel="R-Precision")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GREY, linewidth=0.6)
    axes.set_axisbelow(True)
    _title(axes, f"R-Precision per type (relevant documents), {_setting(task, outcomes[0])}")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def plot_frequency(task: Task, outcomes: Sequence[Outcome]) -> Figure:
    """R-Precision against how often a type's entities occur, and how often its documents contain the type's word."""
    values = _r_precisions(task, outcomes)  # (systems, types)
    figure = Figure((10, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    labels = ("documents that hold the same entity, mean", "relevant documents that hold the type's word, share")
    for panel, label, amounts in zip(panels, labels, (entity_frequency(task), word_frequency(task)), strict=True):
        for row, outcome in enumerate(outcomes):
            panel.scatter(amounts, values[row], s=22, color=COLOURS[row], alpha=0.75, label=_legend(outcome))
            _trend(panel, amounts, values[row], COLOURS[row])
        panel.set(xlabel=label, ylim=(-0.03, 1.03))
        panel.grid(color=GREY, linewidth=0.6)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="R-Precision", xscale="log")
    # The scale covers no whole number of decades, so matplotlib's own ticks would be too few or too many
    limit = max(entity_frequency(task).max() * 1.2, 2)
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200) if tick <= limit]
    panels[0].set_xticks(ticks, [str(tick) for tick in ticks])
    panels[0].minorticks_off()
    panels[1].set_xlim(-0.03, 1.03)
    _title(panels[0], f"{_setting(task, outcomes[0])}\ndots: types; diamonds: means of a third of the types each")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def plot_precision_recall(task: Task, outcomes: Sequence[Outcome]) -> Figure:
    """Precision at each recall for each type, the best and worst by name, and their mean."""
    figure = Figure((5.2 * len(outcomes), 5.2), layout="constrained")
    panels = figure.subplots(1, len(outcomes), sharey=True, squeeze=False)
    for row, (panel, outcome) in enumerate(zip(panels[0], outcomes, strict=True)):
        curves = np.stack([precision_at_recall(*pair) for pair in zip(outcome.rankings, task.relevant, strict=True)])
        order = np.argsort(-curves.mean(1), kind="stable")
        edges = dict.fromkeys([*order[:EDGE], *order[-EDGE:]])
        for number in order:
            if number not in edges:
                panel.plot(LEVELS, curves[number], color=GREY, linewidth=0.7, zorder=1)
        for position, number in enumerate(edges):
            colour = COLOURS[1 + position % (len(COLOURS) - 1)]
            style = "-" if position < EDGE else "--"
            panel.plot(LEVELS, curves[number], style, color=colour, linewidth=1.3, label=task.types[number], zorder=2)
        panel.plot(LEVELS, curves.mean(0), color="black", linewidth=2.4, label="mean of all types", zorder=3)
        panel.set(xlabel="recall", xlim=(0, 1), ylim=(0, 1.02))
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
        _title(panel, f"{_legend(outcome)}\n{_setting(task, outcome)}" if row == 0 else f"{_legend(outcome)}\n")
    panels[0, 0].set_ylabel("precision")
    return figure


def precision_at_recall(ranking: Sequence[str], relevant: Sequence[str]) -> np.ndarray:
    """Interpolated precision at each of `LEVELS` of recall: the best at that recall or any higher. (levels,).

    Example:
        >>> precision_at_recall(["a", "x", "b"], ["a", "b"])[[0, 50, 51, 100]].round(2).tolist()
        [1.0, 1.0, 0.67, 0.67]
    """
    ids = set(relevant)
    hits = np.array([id_ in ids for id_ in ranking], dtype=float)  # (documents,)
    if not hits.any():
        return np.zeros(len(LEVELS))
    counts = hits.cumsum()
    precision, recall = counts / np.arange(1, len(hits) + 1), counts / len(ids)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    positions = np.searchsorted(recall, LEVELS - 1e-9)
    return np.where(positions < len(best), best[np.minimum(positions, len(best) - 1)], 0.0)


def _trend(panel: Axes, amounts: np.ndarray, values: np.ndarray, colour: str) -> None:
    """Mean of thirds of the types, joined by a line."""
    thirds = [third for third in np.array_split(np.argsort(amounts, kind="stable"), 3) if len(third)]
    panel.plot(
        [amounts[third].mean() for third in thirds],
        [values[third].mean() for third in thirds],
        color=colour,
        linewidth=2,
        marker="D",
        markersize=5,
        markeredgecolor="white",
    )


def _r_precisions(task: Task, outcomes: Sequence[Outcome]) -> np.ndarray:
    """R-Precision of each system on each type. (systems, types)."""
    scores = [outcome.result["per_type"] for outcome in outcomes]
    return np.array([[per_type[type_]["r_precision"] for type_ in task.types] for per_type in scores])


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure((width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=10, loc="left")


def _legend(outcome: Outcome) -> str:
    name = re.sub(r"(?<=:)[^@]*/", "", outcome.result["system"])  # the owner of a repository tells a reader little
    return f"{name}, mean {outcome.result['macro_r_precision']:.2f}"


def _setting(task: Task, outcome: Outcome) -> str:
    return f"{task.name}, {len(task.documents):,} documents, {outcome.result['spans']} mentions"
