"""The layer probe."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from modeling_nerret.eval import probe as command
from modeling_nerret.eval.components import NAMES, PATHS, blocks_of, watched
from modeling_nerret.eval.corpora import Task, make_task, read_corpus
from modeling_nerret.eval.measure import measure
from modeling_nerret.eval.plots import plot_probe, save
from modeling_nerret.eval.probe import auc, draw_pairs, probe
from modeling_nerret.eval.systems import build
from modeling_nerret.eval.trial import Trial
from modeling_nerret.eval.vectors import Reader, read_mentions
from modeling_nerret.backbones import FAMILIES
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.spans import Span
from tests.test_eval import TEXTS, entry
from tests.tiny import byte_bpe, save_backbone, wordpiece


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "small.jsonl"
    path.write_text("".join(json.dumps(entry(f"d{at:02}", text)) + "\n" for at, text in enumerate(TEXTS)), "utf-8")
    return path


@pytest.fixture(scope="module")
def task(corpus: Path) -> Task:
    return make_task("small", read_corpus(corpus))


def _backbone(folder: Path, family: str) -> str:
    return save_backbone(folder / family, family, wordpiece() if family == "bert" else byte_bpe())


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_the_probe_measures_every_block_and_component(family: str, task: Task, tmp_path: Path) -> None:
    backbone = _backbone(tmp_path, family)
    found = probe(backbone, task, pairs=200)
    assert (found["blocks"], found["components"], found["poolings"]) == ([0, 1, 2, 3], list(NAMES), ["end", "mean"])
    for measured in ("auc", "r_precision"):
        values = np.array([found[measured][pooling] for pooling in found["poolings"]])
        assert values.shape == (2, 4, 6)
        assert ((values >= 0) & (values <= 1)).all()
        assert found["best"][measured]["value"] == values.max()
    assert found["n_pairs"] == 400
    # the value vectors are those of the model itself, so that a run without a head must score the same
    for layer, pooling in ((1, "end"), (3, "mean")):
        result = measure(Trial(task, "gold"), "bare", build(f"bare:{backbone}@{layer}@{pooling}")).result
        assert found["r_precision"][pooling][layer][NAMES.index("v")] == result["macro_r_precision"]
    assert json.loads(json.dumps(found)) == found
    save(plot_probe(found), tmp_path / "probe.png")
    assert (tmp_path / "probe.png").stat().st_size > 10_000


@pytest.mark.parametrize("family", ["bert", "llama", "gemma2"])
def test_little_memory_and_a_second_run_give_the_same(family: str, task: Task, tmp_path: Path) -> None:
    backbone = _backbone(tmp_path, family)
    assert (
        probe(backbone, task, pairs=50, memory=1) == probe(backbone, task, pairs=50) != probe(backbone, task, pairs=51)
    )


@pytest.mark.parametrize("family", PATHS)
def test_components_of_every_family(family: str, tmp_path: Path) -> None:
    model = AutoModel.from_pretrained(_backbone(tmp_path, family)).eval()
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad(), watched(blocks_of(model, model.config), [0, 2], family) as seen:
        states = model(ids, output_hidden_states=True).hidden_states
    assert list(seen) and {key.partition(" ")[2] for key in seen} == set(NAMES)
    assert all(value.shape[:2] == (1, 5) for value in seen.values())
    assert torch.equal(seen["2 residual"], states[3])
    inner = model.get_submodule(FAMILIES[family].blocks)[0].get_submodule(PATHS[family][-1]).in_features
    assert seen["0 MLP inner"].shape[-1] == inner != 32
    kept = dict(seen)
    model(ids + 1)
    assert all(seen[key] is kept[key] for key in kept)  # nothing is watched any more
    nerret = NerretModel.from_backbone(str(tmp_path / family), layer=2, head_size=8, hidden_size=8)
    assert torch.allclose(seen["2 v"], nerret.value_states(ids), atol=1e-6)


def test_fused_projections_are_refused_by_name(task: Task, tmp_path: Path) -> None:
    assert set(PATHS) < set(FAMILIES)
    with pytest.raises(ValueError, match=r"the probe cannot look into 'gpt2'.* it can look into bert, deberta-v2"):
        probe(_backbone(tmp_path, "gpt2"), task)


def test_pairs_share_a_type_or_none_and_stand_in_different_documents(task: Task) -> None:
    places = [(at, span) for at, document in enumerate(task.documents) for span in document.mentions]
    owners = np.array([owner for owner, _ in places])
    types = [set(task.labels[owner][span]) for owner, span in places]
    first, second, same = draw_pairs(task, owners, [span for _, span in places], 500, seed=0)
    assert same.sum() == 500 and len(same) == 1000
    for one, other, alike in zip(first, second, same, strict=True):
        assert owners[one] != owners[other]
        assert bool(types[one] & types[other]) == alike
    again = draw_pairs(task, owners, [span for _, span in places], 500, seed=0)
    assert all(np.array_equal(*pair) for pair in zip((first, second, same), again, strict=True))


def test_auc_of_told_apart_reversed_and_constant_vectors() -> None:
    vectors = np.eye(3)[[0, 0, 1, 2, 2]]
    first, second, same = np.array([0, 3, 0, 1]), np.array([1, 4, 2, 3]), np.array([True, True, False, False])
    assert auc(vectors, first, second, same) == 1.0
    assert auc(vectors, first, second, ~same) == 0.0
    assert auc(np.ones((5, 2)), first, second, same) == 0.5


def test_mentions_in_long_texts_are_read_in_their_best_window(tmp_path: Path) -> None:
    model = NerretModel.from_backbone(_backbone(tmp_path, "bert"), layer=2, head_size=8, hidden_size=8)
    text = "the river was in the city " * 6
    spans = [Span(at, at + 5) for at in range(4, len(text), 26)]
    reader = Reader(wordpiece(), 20, causal=False)
    found = read_mentions(reader, [("ada", []), (text, spans)], lambda *some: {"v": model.value_states(*some)}, ["end"])
    assert (found.owners.tolist(), found.spans) == ([1] * 6, spans)
    assert np.allclose(np.linalg.norm(found.vectors["v", "end"], axis=1), 1)


def test_the_command_writes_table_json_and_picture(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backbone = _backbone(tmp_path, "bert")
    assert command.main([backbone, str(corpus), "--limit", "8", "--pairs", "50", "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "| block | q | k | v | attention output | MLP inner | residual |" in shown and "best auc" in shown
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"probe-bert-small.json", "probe-bert-small.png"}


def test_mistakes_are_told_in_one_line(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([_backbone(tmp_path, "bert"), str(corpus), "--limit", "1"]) == 2
    error = capsys.readouterr().err
    assert "small has 0 types in two documents or more; the probe needs two types" in error and error.count("\n") == 1
