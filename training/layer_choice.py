"""`layer = "probe"`: choose the block whose value vectors tell the types of the recipe's own texts apart best."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from modeling_nerret.extras import install_line
from modeling_nerret.weights import find_backbone

from .data.sets import Data, read_sources
from .data.source import Source, thin_out
from .recipe_files import from_dict
from .recipes import Recipe, StageSection

TEXTS = 500  # that the probe reads
FILE = "layers.json"


def choose_layer(recipe: Recipe, data: Data, out: Path, device: str) -> Recipe:
    """The recipe with a number for its layer: that of the run that `out` holds, else the one that a probe finds best.

    The probe reads texts of the heaviest set of the first stage that runs. Of each block it takes the value vectors,
    pooled as in the recipe; the best block has the highest ROC-AUC. The numbers of all blocks are written to
    `layers.json`.

    Raises:
        ImportError: a library of the extra `eval` is missing.
        OSError: a file or the backbone is missing.
        ValueError: the probe does not know the architecture, or the texts have too few types or mentions.
    """
    if recipe.layer != "probe":
        return recipe
    if (path := out / "recipe.json").exists():
        return replace(recipe, layer=from_dict(json.loads(path.read_text(encoding="utf-8")), str(path)).layer)
    rows = probe(recipe, _probe_texts(recipe, data), device)
    out.mkdir(parents=True, exist_ok=True)
    (out / FILE).write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    best = max(rows, key=lambda row: row["auc"])
    print("\n".join(table_lines(rows, best)))
    return replace(recipe, layer=best["layer"])


def probe(recipe: Recipe, source: Source, device: str) -> list[dict[str, Any]]:
    """`layer`, `auc` and `r_precision` (without a head) of every block that can be the recipe's layer."""
    try:
        from modeling_nerret.eval.probe.components import COMPONENTS
        from modeling_nerret.eval.probe.layers import ProbeSettings, probe_layers
        from modeling_nerret.eval.tasks.annotations import label_document
        from modeling_nerret.eval.tasks.task import QuerySettings, make_task
    except ModuleNotFoundError as error:
        raise ImportError(f'layer = "probe" needs more packages ({error}): {install_line("eval")}') from error
    from modeling_nerret.backbones import family_of
    from modeling_nerret.loading import read_config

    folder = find_backbone(recipe.backbone, recipe.revision or None)
    texts = [label_document(str(number), text.text, text.mentions) for number, text in enumerate(source.texts)]
    task = make_task(source.name, texts, QuerySettings(exclude=""))
    result = probe_layers(str(folder), task, ProbeSettings(seed=recipe.seed, device=device, dtype=recipe.dtype))
    column, first = COMPONENTS.index("v"), family_of(read_config(folder).get_text_config()).first_layer
    measures = {measure: result[measure][recipe.pooling] for measure in ("auc", "r_precision")}
    return [
        {"layer": number} | {measure: rows[number][column] for measure, rows in measures.items()}
        for number in result["blocks"]
        if number >= first
    ]


def _probe_texts(recipe: Recipe, data: Data) -> Source:
    """Texts of the heaviest set of the first stage that runs."""
    sections: list[StageSection] = [recipe.head, recipe.joint, recipe.detector]
    entry = max(next(section for section in sections if section.steps).sets, key=lambda entry: entry.weight)
    return thin_out(read_sources(entry, data)[0], TEXTS)


def table_lines(rows: Sequence[dict[str, Any]], best: dict[str, Any]) -> list[str]:
    """What the user is told: the figures of every block, and which one is taken."""
    lines = [f"| {row['layer']} | {row['auc']:.3f} | {row['r_precision']:.3f} |" for row in rows]
    return [
        "| layer | ROC-AUC of V | R-Precision without a head |",
        "|---|---|---|",
        *lines,
        f"layer {best['layer']} is taken: its value vectors tell types apart best (ROC-AUC {best['auc']:.3f})",
    ]
