"""An average of checkpoints: its numbers are the mean of theirs, also when it is saved and loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modeling_nerret import NerretModel
from tests.tiny import save_backbone
from training.data import Data
from training.recipes import resolve
from training.run import train
from training.soup import average, main

LINE = (
    '{"id": "a", "text": "ada was born in london", "mentions": [{"start": 0, "end": 3, "type": "person"}, '
    '{"start": 16, "end": 22, "type": "city"}]}\n'
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Checkpoints of two runs over one backbone, and one with another rank."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "tiny.jsonl").write_text(LINE)
    common = [f"backbone={save_backbone(folder / 'backbone')}", "layer=2", "pooling=mean", "head.steps=0"]
    common += ["model={head_size=24, hidden_size=16, document_size=8}", "joint.steps=8", "joint.rate=1e-2"]
    for name, rank in (("one", 2), ("other", 2), ("wide", 3)):
        seed = ["seed=1"] if name == "other" else []
        recipe = resolve(overrides=[*common, *seed, f"joint.rank={rank}", "joint.sets=[{name='data'}]"])
        train(recipe, Data.of([str(folder / "tiny.jsonl")]), folder / name, folder / "cache")
    return [str(folder / name) for name in ("one", "other", "wide")]


def test_every_number_is_the_mean(runs: list[str], tmp_path: Path) -> None:
    assert main([str(tmp_path / "soup"), *runs[:2]]) == 0
    one, other, soup = (NerretModel.from_pretrained(path) for path in (*runs[:2], tmp_path / "soup"))
    states = [model.state_dict() for model in (one, other, soup)]
    assert not torch.equal(states[0]["head.0.weight"], states[1]["head.0.weight"])
    for name, found in states[2].items():
        torch.testing.assert_close(found, (states[0][name] + states[1][name]) / 2, rtol=1e-5, atol=1e-6)
    ids, spans = torch.tensor([[2, 10, 12, 8, 3]]), torch.tensor([[0, 1, 4]])
    again = average(runs[:2])
    torch.testing.assert_close(again(ids, spans=spans).embeddings, soup(ids, spans=spans).embeddings)


def test_what_does_not_fit_together_is_refused(runs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main([str(tmp_path / "soup"), runs[0]]) == 1 and "two checkpoints" in capsys.readouterr().err
    assert main([str(tmp_path / "soup"), runs[0], runs[2]]) == 1 and "rank" in capsys.readouterr().err
    assert main([str(tmp_path / "soup"), runs[0], str(tmp_path / "none")]) == 1
    assert not (tmp_path / "soup").exists()
