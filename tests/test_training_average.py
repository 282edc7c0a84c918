"""The average of checkpoints: what it computes, and which checkpoints it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.training.average import main
from modeling_nerret.training.data.sets import Data
from modeling_nerret.training.recipe_files import resolve
from modeling_nerret.training.run import train
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
    shared = [f"backbone={save_backbone(folder / 'backbone')}", "layer=2", "pooling=mean", "head.steps=0"]
    shared += ["model={head_size=24, hidden_size=16, document_size=8}", "joint.sets=[{name='data'}]"]
    for name, options in (("one", "joint.rank=2"), ("two", "joint.rank=3"), ("plain", "joint.rank=1")):
        steps = "joint.steps=0" if name == "plain" else "joint.steps=4"
        recipe = resolve(overrides=[*shared, options, steps, "joint.rate=1e-2"])
        train(recipe, Data.of([str(folder / "tiny.jsonl")]), folder / name, folder / "cache")
    return folder


def test_the_average_has_the_mean_of_all_weights(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(runs / "one"), str(runs / "two"), "--out", str(runs / "mean")]) == 0
    one, two, mean = (load_checkpoint(str(runs / name)).model for name in ("one", "two", "mean"))
    for name, weight in mean.state_dict().items():
        expected = (one.state_dict()[name] + two.state_dict()[name]) / 2
        torch.testing.assert_close(weight, expected, atol=2e-4, rtol=0)  # the adapter is in half precision
    assert str(runs / "mean") in capsys.readouterr().out


def test_what_cannot_be_averaged_is_named(runs: Path) -> None:
    with pytest.raises(ValueError, match=r"plain has no adapter of its own"):
        main([str(runs / "one"), str(runs / "plain"), "--out", str(runs / "bad")])
    assert not (runs / "bad").exists()
