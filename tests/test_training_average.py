"""The average of checkpoints: what it computes, and which checkpoints it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from modeling_nerret.adapters import read_adapter
from modeling_nerret.hub_card.build import read_recipes
from modeling_nerret.hub_card.licences import training_sets
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.training.average import average, main
from modeling_nerret.training.data.sets import Data
from modeling_nerret.training.recipe_files import resolve
from modeling_nerret.training.run import train
from modeling_nerret.training.stages.averaging import adapter_fault
from tests.tiny import save_backbone

TEXT = (
    '{"id": "a", "text": "ada was born in london", "mentions": [{"start": 0, "end": 3, "type": "person"}, '
    '{"start": 16, "end": 22, "type": "city"}]}\n'
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a backbone and two runs over it, of ranks 2 and 3, and `plain`, a run without an adapter."""
    folder = tmp_path_factory.mktemp("average")
    (folder / "tiny.jsonl").write_text(TEXT)
    options = [f"backbone={save_backbone(folder / 'backbone')}", "layer=2", "pooling=mean", "head.steps=0"]
    options += ["model={head_size=24, hidden_size=16, document_size=8}", "joint.sets=[{name='data'}]"]
    for name, rank in (("one", "joint.rank=2"), ("two", "joint.rank=3"), ("plain", "joint.rank=1")):
        steps = "joint.steps=0" if name == "plain" else "joint.steps=4"
        recipe = resolve(overrides=[*options, rank, steps, "joint.rate=1e-2"])
        train(recipe, Data.of([str(folder / "tiny.jsonl")]), folder / name, folder / "cache")
    return folder


def test_the_average_has_the_mean_of_all_weights(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(runs / "one"), str(runs / "two"), "--out", str(runs / "mean")]) == 0
    first, second, mean = (load_checkpoint(str(runs / name)).model for name in ("one", "two", "mean"))
    for name, weight in mean.state_dict().items():
        expected = (first.state_dict()[name] + second.state_dict()[name]) / 2
        torch.testing.assert_close(weight, expected, atol=2e-4, rtol=0)  # the adapter is in half precision
    assert str(runs / "mean") in capsys.readouterr().out


def test_the_average_says_what_it_was_trained_on(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "mean"
    assert main([str(runs / "one"), str(runs / "two"), "--out", str(out)]) == 0
    recipe, *recipes = read_recipes(str(out))
    assert recipe == {"average": [str(runs / "one"), str(runs / "two")]}
    assert [part["joint"]["rank"] for part in recipes] == [2, 3]
    (entry,) = training_sets([recipe, *recipes], {"data": "MIT"})
    assert (entry.name, entry.parts) == ("data", ["joint"])
    with pytest.raises(OSError, match="exists already"):
        main([str(runs / "one"), str(runs / "two"), "--out", str(out)])


def test_the_average_keeps_what_the_first_checkpoint_says_of_itself(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "one", tmp_path / "one")
    path = tmp_path / "one" / "config.json"
    changes = {"backbone_revision": "1110a24", "certainty": 0.2, "phrase_weight": 0.8, "max_tokens": 32}
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    (tmp_path / "one" / "checksums.json").unlink()
    average([str(tmp_path / "one"), str(runs / "two")], tmp_path / "mean")
    config = load_checkpoint(str(tmp_path / "mean")).model.config
    assert {name: getattr(config, name) for name in changes} == changes


def test_what_cannot_be_averaged_is_named(runs: Path) -> None:
    with pytest.raises(ValueError, match=r"plain has no adapter of its own"):
        main([str(runs / "one"), str(runs / "plain"), "--out", str(runs / "bad")])
    assert not (runs / "bad").exists()


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"lora_alpha": 9}, r"has the scale 3, not 8"),
        ({"use_dora": True}, "is no plain LoRA adapter"),
        ({"peft_type": "IA3"}, "is no plain LoRA adapter"),
        ({"rank_pattern": {"query": 1}}, "has more than one scale"),
    ],
)
def test_adapters_without_a_common_scale_have_no_average(settings: dict, fault: str, runs: Path) -> None:
    first, second = (read_adapter(runs / name / "adapter") for name in ("one", "two"))
    assert adapter_fault(second, first) is None
    config = json.dumps(json.loads(second["adapter_config.json"]) | settings).encode()
    assert fault in str(adapter_fault(second | {"adapter_config.json": config}, first))
