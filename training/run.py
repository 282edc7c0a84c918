"""Train a checkpoint from a recipe.

  python -m training.run training/recipes/nerret-minilm.toml --data DIR --out runs/mine

A recipe is a small TOML file that states only what differs from another (`base = "other.toml"`) and from the defaults
below. Its sets are texts in which mentions are marked: `corpus` is this project's own, `open` its types for names in 22
files of --data DIR; other names are files there (NAME.jsonl, with plain names of types in types.json), and `data` is
what --data names itself:

  FILE.jsonl                {"id", "text", "mentions": [{"start", "end", "type"}]}, or {"type", "examples": [...]}
  FILE.conll .bio .iob      a token and its tag a line, an empty line after a sentence
  FILE.toml .csv            examples of types, dinosaur = ["Triceratops", ...] or lines dinosaur,Triceratops
  hf:ID[@CONFIG][:SPLIT]    a dataset of the Hugging Face Hub or a local folder

OUT becomes a checkpoint (`nerret index --model OUT`, `EntityRetriever(..., model=OUT)`) with metrics.json, curves.png
and recipe.json, the resolved recipe, which is itself a recipe. A run that was interrupted goes on when the same command
is given again, and ends as if it had not been interrupted. On several GPUs: accelerate launch -m training.run ...
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from transformers import AutoTokenizer, BitsAndBytesConfig, PreTrainedTokenizerBase, set_seed

from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.detection import MentionProbe, ProbeConfig
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.weights import find_backbone
from .data import Data, Source, read_source
from .detector import train_detector
from .features import FeatureCache
from .head import train_head
from .joint import train_joint
from .recipes import DEFAULTS, resolve
from .reports import draw_curves, summarise, write_metrics


def main(arguments: list[str] | None = None) -> int:
    """Train head and detector as a recipe says."""
    parser = argparse.ArgumentParser(
        prog="python -m training.run",
        description=__doc__,
        epilog="keys of a recipe, with their defaults:\n\n" + DEFAULTS.read_text(encoding="utf-8").replace("%", "%%"),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recipe", type=Path, help="a TOML file, such as those of training/recipes, or a recipe.json")
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        help="a folder of sets (default: data), or a file or hf: name; repeatable",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="value vectors (default: runs/cache)")
    parser.add_argument("--seed", type=int, help="the same as --set seed=N")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override, such as head.steps=500; repeatable"
    )
    options = parser.parse_args(arguments)
    seed = [] if options.seed is None else [f"seed={options.seed}"]
    try:
        recipe = resolve(options.recipe, options.set + seed)
        train(recipe, Data.of(options.data), options.out, options.cache)
    except (ValueError, OSError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1
    return 0


def train(recipe: dict[str, Any], data: Data, out: Path, cache: Path) -> None:
    """Train head and detector and write the checkpoint.

    Args:
        recipe: a resolved one, see `training.recipes.resolve`.
        data: where its sets are.
        out: folder of the checkpoint.
        cache: folder of value vectors.

    Raises:
        OSError: a file is missing.
        ValueError: the recipe does not fit the data, or `out` holds a run of another recipe.
    """
    state, began = PartialState(cpu=recipe["device"] == "cpu"), time.perf_counter()
    with state.main_process_first():
        _claim(out, recipe)
    set_seed(recipe["seed"])
    model, tokenizer, probe = load_start(recipe, state.device)
    metrics: dict[str, Any] = {"seed": recipe["seed"]}
    if recipe["head"]["steps"]:
        sources = _sources(recipe["head"], data, out / "head_run")
        log, facts = train_head(model, sources, FeatureCache(model, tokenizer, cache), recipe, out / "head_run")
        metrics["head"] = {"seconds": time.perf_counter() - began} | summarise(log, facts)
    if recipe["joint"]["steps"]:
        began = time.perf_counter()
        sources = _sources(recipe["joint"], data, out / "joint_run")
        log, facts = train_joint(model, tokenizer, sources, recipe, out / "joint_run")
        metrics["joint"] = {"seconds": time.perf_counter() - began} | summarise(log, facts)
    if recipe["detector"]["steps"]:
        began = time.perf_counter()
        torch.manual_seed(recipe["seed"])
        probe = probe or MentionProbe(ProbeConfig(model.backbone.config.hidden_size, **recipe["probe"]))
        sources = _sources(recipe["detector"], data, out / "detector_run")
        cached = FeatureCache(model, tokenizer, cache)
        log, facts = train_detector(probe.to(model.device), sources, cached, recipe, out / "detector_run")
        metrics["detector"] = {"seconds": time.perf_counter() - began} | summarise(log, facts)
    if state.is_main_process:
        _save(model, probe, recipe, out)
        write_metrics(out / "metrics.json", metrics)
        draw_curves(out / "curves.png", metrics)
        print("\n".join([*_summary(metrics), f"checkpoint, metrics.json and curves.png are in {out}"]))
    state.wait_for_everyone()


def load_start(
    recipe: dict[str, Any], device: torch.device | str
) -> tuple[NerretModel, PreTrainedTokenizerBase, MentionProbe | None]:
    """What training starts from: model, tokenizer and, where the recipe's `init` has one, detector."""
    options: dict[str, Any] = {} if recipe["dtype"] == "auto" else {"dtype": getattr(torch, recipe["dtype"])}
    if recipe["quantization"]:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=recipe["quantization"],
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        options["device_map"] = {"": device}
    if recipe["init"]:
        start = load_checkpoint(recipe["init"], device, **options)
        brought = ["backbone", "model", *(["probe"] if start.detector is not None else [])]
        if given := [name for name in brought if recipe[name]]:
            raise ValueError(
                f"init = {recipe['init']!r} brings its own {', '.join(given)}; take them out of the recipe"
            )
        return start.model, start.tokenizer, start.detector
    if not recipe["backbone"]:
        raise ValueError('the recipe names no model; give it backbone = "ID" or init = "nerret-minilm"')
    backbone = find_backbone(recipe["backbone"], recipe["revision"] or None)
    model = NerretModel.from_backbone(
        backbone, layer=recipe["layer"], pooling=recipe["pooling"], **recipe["model"], **options
    )
    model.config.backbone, model.config.backbone_revision = recipe["backbone"], recipe["revision"] or None
    if not recipe["quantization"]:
        model.to(device)  # type: ignore[arg-type]
    return model, AutoTokenizer.from_pretrained(backbone), None


def _sources(section: dict[str, Any], data: Data, folder: Path) -> list[Source]:
    """A section's sets; refuses a folder in which a run over other data was begun."""
    if not section["sets"]:
        raise ValueError('the recipe has steps but no sets to learn from; add sets = [{ name = "corpus" }]')
    sources = [source for entry in section["sets"] for source in read_source(entry, data)]
    path, digests = folder / "data.json", {source.name: source.digest() for source in sources}
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != digests:
        raise ValueError(f"the data has changed since {folder} was begun; choose another --out or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(digests, indent=2) + "\n", encoding="utf-8")
    return sources


def _summary(metrics: dict[str, Any]) -> list[str]:
    """Lines with what was held out, before and after."""
    wanted = ("r_precision", "mrr", "precision", "recall", "recall_overlap")
    lines = []
    for stage in (name for name in ("head", "joint", "detector") if name in metrics):
        before, after = metrics[stage]["before"], metrics[stage]["after"]
        for name in (one for one in after if one.endswith(wanted)):
            lines.append(f"{stage + ': ' + name.replace('_', ' '):<44} {before[name]:.3f} -> {after[name]:.3f}")
    return lines


def _claim(out: Path, recipe: dict[str, Any]) -> None:
    """Write the resolved recipe, and refuse a folder that holds another run."""
    path, text = out / "recipe.json", json.dumps(recipe, indent=2) + "\n"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != recipe:
        raise ValueError(
            f"{out} holds a run of another recipe (see its recipe.json); choose another --out or remove it"
        )
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _save(model: NerretModel, probe: MentionProbe | None, recipe: dict[str, Any], out: Path) -> None:
    """Write the checkpoint; one that did not start from another is head-only."""
    if recipe["dtype"] != "auto" and not recipe["init"] and not recipe["quantization"]:
        # users load the backbone as its files are, and the stored vector must be what they get
        whole = find_backbone(recipe["backbone"], recipe["revision"] or None)
        fields = {"backbone": recipe["backbone"], "backbone_revision": recipe["revision"] or None}
        fields |= {"layer": recipe["layer"], "pooling": recipe["pooling"]}
        model = NerretModel.from_backbone(whole, head=model.head.cpu(), **fields | recipe["model"])
    model.save_pretrained(out, head_only=None if recipe["init"] else True)
    if probe is not None:
        probe.save_pretrained(out)


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    sys.exit(main())
