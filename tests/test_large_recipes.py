"""The recipes of larger models, run on tiny random models of the same architectures and depth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModel

from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.training.data.sets import Data
from modeling_nerret.training.recipe_files import from_dict, merge, resolve
from modeling_nerret.training.run import train
from tests.tiny import SIZES, byte_bpe

SMALL = {"held_out": {"types": 0.0, "entities": 0.0, "texts": 0.0, "evaluations": 1}, "device": "cpu", "revision": ""}
NAMES = {"city": ["Paris", "London", "Oslo"], "river": ["Nile", "Rhine", "Tiber"], "poet": ["Homer", "Sappho", "Rumi"]}


@pytest.mark.parametrize(
    ("name", "family", "blocks", "layer"), [("llama-3.1-8b", "llama", 32, 17), ("qwen3-4b", "qwen3", 36, 19)]
)
def test_recipe_gives_a_checkpoint_with_a_detector(
    name: str, family: str, blocks: int, layer: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    sizes = SIZES | {"num_key_value_heads": 2, "head_dim": 8, "num_hidden_layers": blocks}
    config = AutoConfig.for_model(family, vocab_size=len(byte_bpe()), **sizes)
    AutoModel.from_config(config).save_pretrained(tmp_path / "backbone")
    byte_bpe().save_pretrained(tmp_path / "backbone")
    lines = [
        {"text": f"See {place}.", "mentions": [{"start": 4, "end": 4 + len(place), "type": kind}]}
        for kind, names in NAMES.items()
        for place in names
    ]
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    parts = {"head": {"steps": 2, "types": 3}, "detector": {"steps": 2, "texts": 2}}
    sets = {part: {"sets": [{"name": "data", "weight": 1.0}]} for part in parts}
    recipe = merge(resolve(f"nerret-{name}").to_dict(), SMALL | {"backbone": str(tmp_path / "backbone")})
    recipe = from_dict(merge(merge(recipe, parts), sets | {"probe": {"phrases": False}}))
    train(recipe, Data(files=(str(file),)), tmp_path / "out", tmp_path / "cache")
    checkpoint = load_checkpoint(str(tmp_path / "out"))
    config = checkpoint.model.config
    assert (config.layer, config.pooling, config.head_only) == (layer, "end", True)
    assert checkpoint.detector is not None and checkpoint.model.causal
