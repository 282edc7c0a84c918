"""Pictures of results, as PNG."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .corpora import Task
from .measure import Outcome

COLOURS = ("#0b6e99", "#e08e1b", "#6a4c93", "#4b8b3b", "#b23a48", "#5f6b6d")
GREY = "#c9ced1"
NAMED = 3  # best and worst types that are named in a picture of curves
LEVELS = np.linspace(0, 1, 101)  # recall


def plot_outcomes(folder: Path, task: Task, outcomes: Sequence[Outcome]) -> list[Path]:
    """Draw all pictures of some systems on one task with one kind of mentions.

    Args:
        folder: where to; made if it is not there.
        task: the task.
        outcomes: of the systems in order; bars compare the first two.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{task.name}-{outcomes[0].result['spans']}"
    pictures = {
        "bars": plot_bars(task, outcomes[:2]),
        "frequency": plot_frequency(task, outcomes[:2]),
        "precision-recall": plot_precision_recall(task, outcomes[:2]),
    }
    paths = []
    for name, figure in pictures.items():
        paths.append(folder / f"{stem}-{name}.png")
        save(figure, paths[-1])
    return paths


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    figure.savefig(path, dpi=110, bbox_inches="tight")


def plot_bars(task: Task, outcomes: Sequence[Outcome]) -> Figure:
    """R-Precision of each type for one or two systems, best types of the first one on top."""
    values = _r_precisions(task, outcomes)  # (systems, types)
    order = np.argsort(values[0], kind="stable")
    figure, axes = _figure(7, 0.9 + 0.2 * len(order))
    height = 0.8 / len(outcomes)
    for row, outcome in enumerate(outcomes):
        places = np.arange(len(order)) + height * ((len(outcomes) - 1) / 2 - row)
        axes.barh(places, values[row, order], height, color=COLOURS[row], label=_legend(outcome))
    sizes = [len(relevant) for relevant in task.relevant]
    axes.set_yticks(np.arange(len(order)), [f"{task.types[at]} ({sizes[at]})" for at in order], fontsize=8)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(order) - 0.4), xlabel="R-Precision")
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GREY, linewidth=0.6)
    axes.set_axisbelow(True)
    _title(axes, f"R-Precision per type (relevant documents), {_where(task, outcomes[0])}")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def plot_frequency(task: Task, outcomes: Sequence[Outcome]) -> Figure:
    """R-Precision against how often a type's entities occur, and how often the type's word stands in its documents."""
    values = _r_precisions(task, outcomes)  # (systems, types)
    figure = Figure((10, 4.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    axes = ("documents that hold the same entity, mean", "relevant documents that hold the type's word, share")
    for panel, label, amounts in zip(panels, axes, (entity_frequency(task), word_frequency(task)), strict=True):
        for row, outcome in enumerate(outcomes):
            panel.scatter(amounts, values[row], s=22, color=COLOURS[row], alpha=0.75, label=_legend(outcome))
            _trend(panel, amounts, values[row], COLOURS[row])
        panel.set(xlabel=label, ylim=(-0.03, 1.03))
        panel.grid(color=GREY, linewidth=0.6)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="R-Precision", xscale="log")
    # the logarithmic scale has no whole number of decades here, so that its own labels would be too few or too many
    ticks = [one for one in (1, 2, 5, 10, 20, 50, 100, 200) if one <= max(entity_frequency(task).max() * 1.2, 2)]
    panels[0].set_xticks(ticks, [str(one) for one in ticks])
    panels[0].minorticks_off()
    panels[1].set_xlim(-0.03, 1.03)
    _title(panels[0], f"{_where(task, outcomes[0])}\ndots: types; diamonds: means of a third of the types each")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure


def plot_precision_recall(task: Task, outcomes: Sequence[Outcome]) -> Figure:
    """Precision at each recall for each type, the best and worst named, and their mean."""
    figure = Figure((5.2 * len(outcomes), 5.2), layout="constrained")
    panels = figure.subplots(1, len(outcomes), sharey=True, squeeze=False)
    for row, (panel, outcome) in enumerate(zip(panels[0], outcomes, strict=True)):
        curves = np.stack([precision_at_recall(*pair) for pair in zip(outcome.rankings, task.relevant, strict=True)])
        order = np.argsort(-curves.mean(1), kind="stable")
        named = dict.fromkeys([*order[:NAMED], *order[-NAMED:]])
        for at in order:
            if at not in named:
                panel.plot(LEVELS, curves[at], color=GREY, linewidth=0.7, zorder=1)
        for number, at in enumerate(named):
            colour = COLOURS[1 + number % (len(COLOURS) - 1)]
            style = "-" if number < NAMED else "--"
            panel.plot(LEVELS, curves[at], style, color=colour, linewidth=1.3, label=task.types[at], zorder=2)
        panel.plot(LEVELS, curves.mean(0), color="black", linewidth=2.4, label="mean of all types", zorder=3)
        panel.set(xlabel="recall", xlim=(0, 1), ylim=(0, 1.02))
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
        _title(panel, f"{_legend(outcome)}\n{_where(task, outcome)}" if row == 0 else f"{_legend(outcome)}\n")
    panels[0, 0].set_ylabel("precision")
    return figure


def plot_probe(found: dict[str, Any]) -> Figure:
    """The probe's heat map: blocks by components, a row of panels for each measure, a column for each pooling."""
    measures = {"auc": "ROC-AUC", "r_precision": "R-Precision, no head"}
    blocks, components, poolings = found["blocks"], found["components"], found["poolings"]
    size = (1.0 + 0.62 * len(components) * len(poolings), 2.2 + (0.6 if len(blocks) <= 16 else 0.46) * len(blocks))
    figure = Figure(size, layout="constrained")
    panels = figure.subplots(len(measures), len(poolings), sharex=True, sharey=True, squeeze=False)
    for row, (measure, title) in enumerate(measures.items()):
        grids = [np.array(found[measure][pooling]) for pooling in poolings]  # one scale of colours for both
        for column, pooling in enumerate(poolings):
            panel = panels[row, column]
            _heat(panel, grids[column], min(map(np.min, grids)), max(map(np.max, grids)))
            panel.set_xticks(range(len(components)), components, rotation=35, ha="right", fontsize=9)
            panel.set_yticks(range(len(blocks)), blocks)
            panel.tick_params(length=0)
            _title(panel, f"{title}, {pooling} pooling")
        panels[row, 0].set_ylabel("block")
    name = found["model"].rpartition("/")[2]
    figure.suptitle(f"{name} on {found['corpus']}, {found['n_mentions']:,} mentions (best in bold)", fontsize=11)
    return figure


def _heat(panel: Axes, values: np.ndarray, low: float, high: float) -> None:
    """Values (blocks, components) as colours between two ends, and as numbers."""
    panel.imshow(values, aspect="auto", cmap="viridis", vmin=low, vmax=high)
    best = np.unravel_index(values.argmax(), values.shape)
    for at in np.ndindex(*values.shape):
        colour, weight = "black" if values[at] > (low + high) / 2 else "white", "bold" if at == best else "normal"
        number = f"{values[at]:.2f}"
        panel.text(at[1], at[0], number, ha="center", va="center", fontsize=8, color=colour, fontweight=weight)


def entity_frequency(task: Task) -> np.ndarray:
    """For each type how many documents mention the same name, averaged over its mentions. (types,)."""
    names = [
        {document.text[span.start : span.end].lower() for span in own}
        for document, own in zip(task.documents, task.labels, strict=True)
    ]
    held = Counter(name for own in names for name in own)
    found: dict[str, list[int]] = {type_: [] for type_ in task.types}
    for document, own in zip(task.documents, task.labels, strict=True):
        for span, types in own.items():
            for type_ in set(types) & found.keys():
                found[type_].append(held[document.text[span.start : span.end].lower()])
    return np.array([np.mean(found[type_]) for type_ in task.types])


def word_frequency(task: Task) -> np.ndarray:
    """For each type the share of its relevant documents in whose text a word of its name stands. (types,)."""
    texts = {document.id: document.text.lower() for document in task.documents}
    shares = []
    for type_, relevant in zip(task.types, task.relevant, strict=True):
        words = [word for word in re.findall(r"\w+", type_.lower()) if word not in ("of", "or", "and", "the", "a")]
        pattern = re.compile("|".join(rf"\b{re.escape(word)}(?:e?s)?\b" for word in words))
        shares.append(sum(bool(pattern.search(texts[id_])) for id_ in relevant) / len(relevant))
    return np.array(shares)


def precision_at_recall(ranking: Sequence[str], relevant: Sequence[str]) -> np.ndarray:
    """Interpolated precision at each of `LEVELS` of recall: the best at that recall or any higher. (levels,).

    Example:
        >>> precision_at_recall(["a", "x", "b"], ["a", "b"])[[0, 50, 51, 100]].round(2).tolist()
        [1.0, 1.0, 0.67, 0.67]
    """
    wanted = set(relevant)
    right = np.array([id_ in wanted for id_ in ranking], dtype=float)
    if not right.any():
        return np.zeros(len(LEVELS))
    found = right.cumsum()
    precision, recall = found / np.arange(1, len(right) + 1), found / len(wanted)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, LEVELS - 1e-9)
    return np.where(at < len(best), best[np.minimum(at, len(best) - 1)], 0.0)


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
    return np.array([[one.result["per_type"][type_]["r_precision"] for type_ in task.types] for one in outcomes])


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure((width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=10, loc="left")


def _legend(outcome: Outcome) -> str:
    name = re.sub(r"(?<=:)[^@]*/", "", outcome.result["system"])  # a repository's owner tells a reader little
    return f"{name}, mean {outcome.result['macro_r_precision']:.2f}"


def _where(task: Task, outcome: Outcome) -> str:
    return f"{task.name}, {len(task.documents):,} documents, {outcome.result['spans']} mentions"
