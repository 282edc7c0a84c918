"""R-Precision of every type as a picture for a card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from modeling_nerret.eval.plots import COLOURS, GREY, save

from .results import Column, Result, columns, corpus_name, plain_name, split_column


def draw_types(results: Sequence[Result], system: str, folder: Path) -> list[Path]:
    """One picture for each corpus: the checkpoint and the best other system, type by type.

    Where a corpus was measured with gold and with detected mentions, the picture shows the detected ones, which is what
    a user sees. A corpus on which the checkpoint was not measured gets no picture.
    """
    paths = []
    spans = dict(sorted(columns(results)))  # by corpus the last in the alphabet: "predicted" after "gold"
    for column in map(Column._make, spans.items()):
        result, rivals = split_column(results, column, system)
        if result is None:
            continue
        best = sorted(rivals, key=lambda rival: -rival["macro_r_precision"])[:1]
        folder.mkdir(parents=True, exist_ok=True)
        paths.append(folder / f"{column.corpus}-types.png")
        save(_bars([result, *best], system, column), paths[-1])
    return paths


def _bars(results: Sequence[Result], system: str, column: Column) -> Figure:
    """Horizontal bars, one group a type; the types that the first result finds best are on top."""
    checkpoint = results[0]
    scores = checkpoint["per_type"]
    types = sorted(scores, key=lambda type_: scores[type_]["r_precision"])
    figure = Figure((7, 1.1 + 0.2 * len(types)), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(results)
    for row, result in enumerate(results):
        positions = np.arange(len(types)) + height * ((len(results) - 1) / 2 - row)
        label = f"{plain_name(result['system'], system)}, mean {result['macro_r_precision']:.2f}"
        values = [result["per_type"][type_]["r_precision"] for type_ in types]
        axes.barh(positions, values, height, color=COLOURS[row], label=label)
    axes.set_yticks(np.arange(len(types)), [f"{type_} ({scores[type_]['r']})" for type_ in types])
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(types) - 0.4), xlabel="R-Precision")
    axes.grid(axis="x", color=GREY, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    subtitle = f"{corpus_name(column.corpus)}, {checkpoint['n_documents']:,} documents, {column.mentions}"
    axes.set_title(f"R-Precision per type (relevant documents)\n{subtitle}", fontsize=10, loc="left")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure
