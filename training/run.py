"""Train a checkpoint from a recipe: its stages in order, each on its sets."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from accelerate import PartialState
from transformers import set_seed

from .checkpoints import load_start, save_checkpoint
from .data.sets import Data, read_sources
from .data.source import Source
from .data.yardstick import training_part
from .layer_choice import choose_layer
from .recipe_files import from_dict, list_faults
from .recipes import Recipe, StageSection
from .reports import draw_curves, summarise, summary_lines, write_metrics
from .stages.detector import DetectorStage
from .stages.head import HeadStage
from .stages.joint import JointStage
from .stages.stage import RunState, Stage

STAGES: tuple[type[Stage], ...] = (HeadStage, JointStage, DetectorStage)


def train(recipe: Recipe, data: Data, out: Path, cache: Path) -> None:
    """Run a recipe's stages and write the checkpoint with `metrics.json`, `curves.png` and `recipe.json`.

    `layer = "probe"` is settled first, see `layer_choice`; `recipe.json` has the number.

    Args:
        recipe: see `recipe_files.resolve`.
        data: where its sets are.
        out: folder of the checkpoint.
        cache: folder of value vectors.

    Raises:
        OSError: a file is missing.
        ValueError: the recipe lacks something or does not fit the data, or `out` holds a run of another recipe.
    """
    if faults := recipe.faults():
        raise ValueError(list_faults("the recipe", faults))
    process = PartialState(cpu=recipe.device == "cpu")
    with process.main_process_first():  # the others read from its recipe.json which layer it has chosen
        recipe = choose_layer(recipe, data, out, str(process.device))
        _claim(out, recipe)
    set_seed(recipe.seed)
    state = load_start(recipe, process.device, cache)
    metrics: dict[str, Any] = {"seed": recipe.seed}
    for stage_class in STAGES:
        section: StageSection = getattr(recipe, stage_class.name)
        if section.steps:
            metrics[stage_class.name] = run_stage(stage_class, state, section, data, out)
    if process.is_main_process:
        save_checkpoint(state, out)
        write_metrics(out / "metrics.json", metrics)
        draw_curves(out / "curves.png", metrics)
        print("\n".join([*summary_lines(metrics), f"checkpoint, metrics.json and curves.png are in {out}"]))
    process.wait_for_everyone()


def run_stage(
    stage_class: type[Stage], state: RunState, section: StageSection, data: Data, out: Path
) -> dict[str, Any]:
    """Run one stage; returns its part of `metrics.json`."""
    start = time.perf_counter()
    stage, folder = stage_class(state), out / f"{stage_class.name}_run"
    facts = stage.prepare(_read_sets(section, data, folder, state.recipe.held_out.yardstick))
    before = stage.measure()
    log = stage.train(folder)
    facts |= {"before": before, "after": stage.measure()}
    return {"seconds": time.perf_counter() - start} | summarise(log, facts)


def _read_sets(section: StageSection, data: Data, folder: Path, yardstick: bool) -> list[Source]:
    """A section's sets; refuses a folder in which a run on other data was started."""
    sources = [source for entry in section.sets for source in read_sources(entry, data)]
    if yardstick:
        sources = [training_part(source) for source in sources]
    path, digests = folder / "data.json", {source.name: source.digest() for source in sources}
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != digests:
        raise ValueError(f"the data has changed since {folder} was started; choose another --out or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(digests, indent=2) + "\n", encoding="utf-8")
    return sources


def _claim(out: Path, recipe: Recipe) -> None:
    """Write the resolved recipe; refuses a folder that holds another run."""
    path = out / "recipe.json"
    if path.exists() and from_dict(json.loads(path.read_text(encoding="utf-8")), str(path)) != recipe:
        raise ValueError(
            f"{out} holds a run of another recipe (see its recipe.json); choose another --out or remove it"
        )
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(recipe.to_dict(), indent=2) + "\n", encoding="utf-8")
