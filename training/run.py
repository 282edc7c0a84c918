"""Train a checkpoint from a recipe: `python -m training.run training/recipes/nerret-minilm.toml --data DIR --out DIR`.

A recipe states backbone, layer and pooling, the sets to learn from and the settings of head and detector. DIR holds the
sets as JSONL with a `types.json` (the set `corpus` is this project's own and needs no DIR). Value vectors are computed
once and kept in --cache. The result is a head-only checkpoint with its detector, the logs and the resolved recipe.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, set_seed

from modeling_nerret.detection import MentionProbe, ProbeConfig
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.weights import find_backbone
from training.detector import train_detector, write_log
from training.head import load_pool, train_head


def main(arguments: list[str] | None = None) -> int:
    """Train head and detector as a recipe says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path, help="a TOML file of training/recipes")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with the recipe's sets (default: data)")
    parser.add_argument("--out", type=Path, required=True, help="where the checkpoint is written")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="value vectors (default: runs/cache)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override, such as head.steps=500 (may be repeated)",
    )
    options = parser.parse_args(arguments)
    recipe = tomllib.loads(options.recipe.read_text(encoding="utf-8"))
    for override in options.set:
        apply(recipe, override)
    train(recipe, options.data, options.out, options.cache, options.seed)
    return 0


def apply(recipe: dict[str, Any], override: str) -> None:
    """Set one value of a recipe, `section.key=value` with the value in TOML.

    Example:
        >>> recipe = {"head": {"steps": 9}}
        >>> apply(recipe, "head.steps=500")
        >>> recipe
        {'head': {'steps': 500}}
    """
    key, _, value = override.partition("=")
    *sections, name = key.split(".")
    for section in sections:
        recipe = recipe[section]
    if name not in recipe:
        raise ValueError(f"the recipe has no {key!r}; here it has {', '.join(recipe)}")
    recipe[name] = tomllib.loads(f"value = {value}")["value"]


def train(recipe: dict[str, Any], data: Path, out: Path, cache: Path, seed: int) -> None:
    """Train head and detector and write the checkpoint."""
    set_seed(seed)
    backbone = find_backbone(recipe["backbone"], recipe["revision"])
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    model = NerretModel.from_backbone(backbone, layer=recipe["layer"], pooling=recipe["pooling"], **recipe["model"])
    model.config.backbone, model.config.backbone_revision = recipe["backbone"], recipe["revision"]

    out.mkdir(parents=True, exist_ok=True)
    pools = [load_pool(model, tokenizer, entry, data, cache) for entry in recipe["head"]["sets"]]
    write_log(out / "head_log.json", train_head(model, pools, recipe["head"], out / "head_run", seed))

    torch.manual_seed(seed)
    probe = MentionProbe(ProbeConfig(model.backbone.config.hidden_size, **recipe["probe"]))
    log = train_detector(model, tokenizer, probe, recipe["detector"], data, out / "detector_run", seed)
    write_log(out / "detector_log.json", log)

    model.save_pretrained(out, head_only=True)
    probe.save_pretrained(out)
    (out / "recipe.json").write_text(json.dumps(recipe | {"seed": seed}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
