"""Recipes run end to end on a tiny backbone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from modeling_nerret.cli import main
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.training import run
from modeling_nerret.training.data.sets import Data
from modeling_nerret.training.data.source import Source
from modeling_nerret.training.recipe_files import from_dict, merge, resolve
from modeling_nerret.training.recipes import Recipe
from modeling_nerret.training.run import STAGES, train
from modeling_nerret.training.stages.fitting import Log
from modeling_nerret.training.stages.stage import Stage
from tests.tiny import byte_bpe, save_backbone, wordpiece

TYPES = {"PER": "person", "CITY": "city"}
TEXTS = [
    ("Ada was born in London", [(0, 3, "PER"), (16, 22, "CITY")]),
    ("the river in Paris", [(13, 18, "CITY"), (13, 18, "PLACE")]),
    ("notes", []),
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    lines = [
        {
            "id": str(number),
            "text": text,
            "mentions": [dict(zip(("start", "end", "type"), mention, strict=True)) for mention in mentions],
        }
        for number, (text, mentions) in enumerate(TEXTS * 4)
    ]
    (folder / "tiny.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "types.json").write_text(json.dumps({"tiny": TYPES | {"PLACE": "place"}}))
    return folder


def _recipe(backbone: str, **changes: Any) -> Recipe:
    sets = [{"name": "tiny", "weight": 1.0}]
    values = {
        "backbone": backbone,
        "layer": 2,
        "pooling": "mean",
        "device": "cpu",
        "seed": 5,
        "model": {"head_size": 8, "hidden_size": 8},
        "probe": {"size": 8, "max_words": 3, "threshold": 0.3},
        "head": {"steps": 4, "types": 3, "sets": sets},
        "detector": {"steps": 3, "texts": 2, "sets": sets},
        "held_out": {"evaluations": 2},
    }
    return from_dict(merge(values, changes))


def test_a_recipe_gives_a_checkpoint_the_same_for_the_same_seed(data: Path, tmp_path: Path) -> None:
    recipe = _recipe(save_backbone(tmp_path / "backbone"), held_out={"entities": 0.5, "texts": 0.3})
    vectors = []
    for name in ("one", "two"):
        train(recipe, Data(data), tmp_path / name, tmp_path / "cache")
        checkpoint = load_checkpoint(str(tmp_path / name))
        assert checkpoint.detector is not None and checkpoint.type_names is not None
        vectors.append(checkpoint.model(torch.tensor([[2, 5, 6, 3]])).embeddings)
    assert torch.equal(*vectors)
    folders = len(list((tmp_path / "cache").iterdir()))
    assert folders == 4  # the texts' value vectors once, the types', and words of texts trained on and held out
    metrics = json.loads((tmp_path / "one" / "metrics.json").read_text())
    assert [numbers["step"] for numbers in metrics["head"]["evaluations"]] == [2, 4]
    assert 0 <= metrics["head"]["after"]["tiny_entities_r_precision"] <= 1
    assert metrics["head"]["sets"][0]["texts"] == 12 and metrics["detector"]["sets"][0]["held_out_texts"] == 3
    assert (tmp_path / "one" / "curves.png").read_bytes()[1:4] == b"PNG"
    assert resolve(tmp_path / "one" / "recipe.json") == recipe  # with it the run can be repeated


@pytest.mark.parametrize(("family", "tokenizer"), [("llama", byte_bpe), ("deberta-v2", wordpiece)])
def test_the_probe_chooses_the_layer_once(
    family: str, tokenizer: Any, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    backbone = save_backbone(tmp_path / "backbone", family, tokenizer())
    recipe = _recipe(backbone, layer="probe", pooling="end", detector={"steps": 0})
    train(recipe, Data(data), tmp_path / "out", tmp_path / "cache")
    rows = json.loads((tmp_path / "out" / "layers.json").read_text())
    assert [row["layer"] for row in rows] == ([1, 2, 3] if family == "deberta-v2" else [0, 1, 2, 3])
    best = max(rows, key=lambda row: row["auc"])
    assert f"layer {best['layer']} is taken" in capsys.readouterr().out
    whole = resolve(tmp_path / "out" / "recipe.json")
    assert whole == replace(recipe, layer=best["layer"])
    assert load_checkpoint(str(tmp_path / "out")).model.config.layer == best["layer"]
    for repetition in (recipe, whole):  # both go on with the same run
        train(repetition, Data(data), tmp_path / "out", tmp_path / "cache")
    assert "is taken" not in capsys.readouterr().out
    with pytest.raises(ValueError, match="another recipe"):
        train(replace(recipe, seed=6), Data(data), tmp_path / "out", tmp_path / "cache")


def test_a_detector_of_names_learns_no_phrases(data: Path, tmp_path: Path) -> None:
    train(
        _recipe(save_backbone(tmp_path / "backbone"), head={"steps": 0}),
        Data(data),
        tmp_path / "old",
        tmp_path / "cache",
    )
    recipe = {"init": str(tmp_path / "old"), "head": {"steps": 0}}
    recipe |= {"detector": {"steps": 1, "sets": [{"name": "tiny"}, {"name": "phrases"}]}}
    with pytest.raises(ValueError, match=r"the detector of init = '.*old' finds only names; remove the set"):
        train(from_dict(recipe), Data(data), tmp_path / "new", tmp_path / "cache")


def test_a_folder_with_another_run_or_other_data_is_refused(data: Path, tmp_path: Path) -> None:
    recipe = _recipe(save_backbone(tmp_path / "backbone"), detector={"steps": 0})
    train(recipe, Data(data), tmp_path / "out", tmp_path / "cache")
    with pytest.raises(ValueError, match="another recipe"):
        train(from_dict(recipe.to_dict() | {"seed": 6}), Data(data), tmp_path / "out", tmp_path / "cache")
    with (data / "tiny.jsonl").open("a") as file:
        file.write('{"text": "notes in Paris", "mentions": [{"start": 9, "end": 14, "type": "CITY"}]}\n')
    with pytest.raises(ValueError, match="data has changed"):
        train(recipe, Data(data), tmp_path / "out", tmp_path / "cache")


def test_the_command_says_what_is_wrong(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('init = "nerret-minilm"\n[head]\nsets = [{ name = "tinny" }]\n')
    assert main(["train", str(recipe), "--data", str(data), "--out", str(tmp_path / "out")]) == 1
    assert "the set 'tinny' is not in" in capsys.readouterr().err
    recipe.write_text('init = "nerret-minilm"\n[model]\nhead_size = 3\n')
    assert main(["train", str(recipe), "--data", str(data), "--out", str(tmp_path / "other")]) == 1
    assert "already has model" in capsys.readouterr().err
    recipe.write_text("[head]\nstepz = 3\n")
    assert main(["train", str(recipe), "--data", str(data), "--out", str(tmp_path / "out")]) == 1
    assert "did you mean 'head.steps'?" in capsys.readouterr().err


def test_the_paper_s_recipe_trains_a_head(data: Path, tmp_path: Path) -> None:
    backbone = save_backbone(tmp_path / "backbone", "llama", byte_bpe())
    small = ["layer=2", "device=cpu", "head.steps=40", "head.rate=0.001"]
    recipe = resolve("paper-triplet", [f"backbone={backbone}", "revision=", *small, 'head.sets=[{ name = "tiny" }]'])
    train(recipe, Data(data), tmp_path / "out", tmp_path / "cache")
    model = load_checkpoint(str(tmp_path / "out")).model
    assert model.config.hidden_size == 500 and model.causal
    losses = json.loads((tmp_path / "out" / "metrics.json").read_text())["head"]["losses"]
    assert losses[-1]["loss"] < losses[0]["loss"] / 2


def test_a_checkpoint_learns_on_from_lists_of_names(tiny_checkpoint: str, tmp_path: Path) -> None:
    names = tmp_path / "names.toml"
    names.write_text('river = ["the river", "ada river"]\ncity = ["paris", "london", "born"]\n')
    recipe = tmp_path / "mine.toml"
    sets = 'steps = 4\nrate = 0.01\nsets = [{ name = "data" }]\n'
    recipe.write_text(f'init = "{tiny_checkpoint}"\ndevice = "cpu"\n[head]\n{sets}')
    options = ["--data", str(names), "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert main(["train", str(recipe), *options]) == 0
    before, after = load_checkpoint(tiny_checkpoint), load_checkpoint(str(tmp_path / "out"))
    ids = torch.tensor([[2, 5, 6, 3]])
    assert not torch.equal(before.model(ids).embeddings, after.model(ids).embeddings)
    assert before.detector is not None and after.detector is not None
    for old, new in ((before.model.backbone, after.model.backbone), (before.detector, after.detector)):
        tensors = new.state_dict()
        assert all(torch.equal(tensor, tensors[name]) for name, tensor in old.state_dict().items())  # they stay


def test_stages_run_in_order_and_those_without_steps_are_skipped(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [stage.name for stage in STAGES] == ["head", "joint", "detector"]
    calls: list[str] = []

    class Recorder(Stage):
        def prepare(self, sources: Sequence[Source]) -> dict[str, Any]:
            calls.append(f"{self.name} prepare {[source.name for source in sources]}")
            return {"sets": []}

        def measure(self) -> dict[str, float]:
            calls.append(f"{self.name} measure")
            return {}

        def train(self, folder: Path) -> Log:
            calls.append(f"{self.name} train {folder.name}")
            return []

    stages = tuple(type(stage.__name__, (Recorder,), {"name": stage.name}) for stage in STAGES)
    monkeypatch.setattr(run, "STAGES", stages)
    train(_recipe(save_backbone(tmp_path / "backbone")), Data(data), tmp_path / "out", tmp_path / "cache")
    assert calls == [
        f"{name} {call}"
        for name in ("head", "detector")
        for call in ("prepare ['tiny']", "measure", f"train {name}_run", "measure")
    ]


def test_a_recipe_that_lacks_something_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"(?s)2 faults.*names no model.*head has steps but no sets"):
        train(Recipe(), Data(), tmp_path / "out", tmp_path / "cache")
    assert not (tmp_path / "out").exists()
