"""R-Precision of every type as a picture for a card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from modeling_nerret.eval.plots import COLOURS, GREY, save
from .results import SPANS, Result, columns, corpus_name, is_own, plain_name


def draw_types(results: Sequence[Result], system: str, folder: Path) -> list[Path]:
    """One picture for each corpus that the checkpoint was measured on: it and the best other system, type by type.

    Where a corpus was measured with given and with found mentions, the found ones are shown, as a user sees them.
    """
    paths = []
    kinds = dict(sorted(columns(results)))  # of each corpus the last in the alphabet: "predicted" after "gold"
    for corpus, spans in kinds.items():
        here = [one for one in results if (one["corpus"], one["spans"]) == (corpus, spans)]
        own = next((one for one in here if one["system"] == system), None)
        if own is None:
            continue
        others = sorted((one for one in here if not is_own(one, system)), key=lambda one: -one["macro_r_precision"])
        folder.mkdir(parents=True, exist_ok=True)
        paths.append(folder / f"{corpus}-types.png")
        save(_bars(own, others[:1], system), paths[-1])
    return paths


def _bars(own: Result, others: Sequence[Result], system: str) -> Figure:
    """Horizontal bars, the best types of the checkpoint on top."""
    types = sorted(own["per_type"], key=lambda type_: own["per_type"][type_]["r_precision"])
    figure = Figure((7, 1.1 + 0.2 * len(types)), layout="constrained")
    axes = figure.subplots()
    shown = [own, *others]
    height = 0.8 / len(shown)
    for row, one in enumerate(shown):
        places = np.arange(len(types)) + height * ((len(shown) - 1) / 2 - row)
        label = f"{plain_name(one['system'], system)}, mean {one['macro_r_precision']:.2f}"
        values = [one["per_type"][type_]["r_precision"] for type_ in types]
        axes.barh(places, values, height, color=COLOURS[row], label=label)
    sizes = [own["per_type"][type_]["r"] for type_ in types]
    axes.set_yticks(np.arange(len(types)), [f"{type_} ({r})" for type_, r in zip(types, sizes, strict=True)])
    axes.tick_params(axis="y", length=0, labelsize=8)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(types) - 0.4), xlabel="R-Precision")
    axes.grid(axis="x", color=GREY, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    where = f"{corpus_name(own['corpus'])}, {own['n_documents']:,} documents, {SPANS.get(own['spans'], own['spans'])}"
    axes.set_title(f"R-Precision per type (relevant documents)\n{where}", fontsize=10, loc="left")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure
