"""The heat map of a layer probe."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def plot_probe(result: dict[str, Any]) -> Figure:
    """Blocks by components; a row of panels for each measure, a column for each pooling."""
    measures = {"auc": "ROC-AUC", "r_precision": "R-Precision, no head"}
    blocks, components, poolings = result["blocks"], result["components"], result["poolings"]
    size = (1.0 + 0.62 * len(components) * len(poolings), 2.2 + (0.6 if len(blocks) <= 16 else 0.46) * len(blocks))
    figure = Figure(size, layout="constrained")
    panels = figure.subplots(len(measures), len(poolings), sharex=True, sharey=True, squeeze=False)
    for row, (measure, title) in enumerate(measures.items()):
        grids = [np.array(result[measure][pooling]) for pooling in poolings]
        low, high = min(map(np.min, grids)), max(map(np.max, grids))  # one colour scale for both poolings
        for column, pooling in enumerate(poolings):
            panel = panels[row, column]
            _heat(panel, grids[column], low, high)
            panel.set_xticks(range(len(components)), components, rotation=35, ha="right", fontsize=9)
            panel.set_yticks(range(len(blocks)), blocks)
            panel.tick_params(length=0)
            panel.set_title(f"{title}, {pooling} pooling", fontsize=10, loc="left")
        panels[row, 0].set_ylabel("block")
    name = result["model"].rpartition("/")[2]
    figure.suptitle(f"{name} on {result['corpus']}, {result['n_mentions']:,} mentions (best in bold)", fontsize=11)
    return figure


def _heat(panel: Axes, values: np.ndarray, low: float, high: float) -> None:
    """Values (blocks, components) as colours from `low` to `high`, and as numbers."""
    panel.imshow(values, aspect="auto", cmap="viridis", vmin=low, vmax=high)
    best = np.unravel_index(values.argmax(), values.shape)
    for row, column in np.ndindex(*values.shape):
        value = values[row, column]
        colour = "black" if value > (low + high) / 2 else "white"
        weight = "bold" if (row, column) == best else "normal"
        panel.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour, fontweight=weight)
