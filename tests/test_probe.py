"""The layer probe."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from modeling_nerret.backbones import FAMILIES
from modeling_nerret.cli import main
from modeling_nerret.eval.measure import measure
from modeling_nerret.eval.plots import save
from modeling_nerret.eval.probe.components import COMPONENTS, PATHS, blocks_of, watch_blocks
from modeling_nerret.eval.probe.heat_map import plot_probe
from modeling_nerret.eval.probe.layers import ProbeSettings, probe_layers
from modeling_nerret.eval.probe.pairs import Pairs, auc, draw_pairs
from modeling_nerret.eval.systems.registry import make_system
from modeling_nerret.eval.systems.trial import Trial
from modeling_nerret.eval.tasks.annotations import read_annotations
from modeling_nerret.eval.tasks.task import Task, make_task
from modeling_nerret.eval.vectors import WindowSettings, pool_mentions
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.spans import Span
from tests.small_corpus import write_corpus
from tests.tiny import byte_bpe, save_backbone, wordpiece


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def task(corpus: Path) -> Task:
    return make_task("small", read_annotations(corpus))


def _backbone(folder: Path, family: str) -> str:
    return save_backbone(folder / family, family, wordpiece() if family == "bert" else byte_bpe())


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_the_probe_measures_every_block_and_component(family: str, task: Task, tmp_path: Path) -> None:
    backbone = _backbone(tmp_path, family)
    result = probe_layers(backbone, task, ProbeSettings(pairs=200))
    assert (result["blocks"], result["poolings"]) == ([0, 1, 2, 3], ["end", "mean"])
    assert result["components"] == list(COMPONENTS)
    for name in ("auc", "r_precision"):
        values = np.array([result[name][pooling] for pooling in result["poolings"]])
        assert values.shape == (2, 4, 6)
        assert ((values >= 0) & (values <= 1)).all()
        assert result["best"][name]["value"] == values.max()
    assert result["n_pairs"] == 400
    # the value vectors are those of the model itself, so that a run without a head must score the same
    for layer, pooling in ((1, "end"), (3, "mean")):
        bare = measure(Trial(task, "gold"), "bare", make_system(f"bare:{backbone}@{layer}@{pooling}")).result
        assert result["r_precision"][pooling][layer][COMPONENTS.index("v")] == bare["macro_r_precision"]
    assert json.loads(json.dumps(result)) == result
    save(plot_probe(result), tmp_path / "probe.png")
    assert (tmp_path / "probe.png").stat().st_size > 10_000


@pytest.mark.parametrize("family", ["bert", "llama", "gemma2"])
def test_little_memory_and_a_second_run_give_the_same(family: str, task: Task, tmp_path: Path) -> None:
    backbone = _backbone(tmp_path, family)
    little, plenty, more = (
        probe_layers(backbone, task, settings)
        for settings in (ProbeSettings(50, memory=1), ProbeSettings(50), ProbeSettings(51))
    )
    assert little == plenty != more


@pytest.mark.parametrize("family", PATHS)
def test_components_of_every_family(family: str, tmp_path: Path) -> None:
    model = AutoModel.from_pretrained(_backbone(tmp_path, family)).eval()
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad(), watch_blocks(blocks_of(model, model.config), [0, 2], family) as outputs:
        states = model(ids, output_hidden_states=True).hidden_states
    assert {key.partition(" ")[2] for key in outputs} == set(COMPONENTS)
    assert all(value.shape[:2] == (1, 5) for value in outputs.values())
    assert torch.equal(outputs["2 residual"], states[3])
    inner = model.get_submodule(FAMILIES[family].blocks)[0].get_submodule(PATHS[family][-1]).in_features
    assert outputs["0 MLP inner"].shape[-1] == inner != 32
    copies = dict(outputs)
    model(ids + 1)
    assert all(outputs[key] is copies[key] for key in copies)  # nothing is watched any more
    nerret = NerretModel.from_backbone(str(tmp_path / family), layer=2, head_size=8, hidden_size=8)
    assert torch.allclose(outputs["2 v"], nerret.value_states(ids), atol=1e-6)


def test_fused_projections_are_refused_by_name(task: Task, tmp_path: Path) -> None:
    assert set(PATHS) < set(FAMILIES)
    with pytest.raises(ValueError, match=r"the probe cannot look into 'gpt2'.* it can look into bert, deberta-v2"):
        probe_layers(_backbone(tmp_path, "gpt2"), task)


def test_pairs_share_a_type_or_none_and_stand_in_different_documents(task: Task) -> None:
    mentions = [(number, span) for number, document in enumerate(task.documents) for span in document.mentions]
    owners, spans = np.array([owner for owner, _ in mentions]), [span for _, span in mentions]
    types = [set(task.labels[owner][span]) for owner, span in mentions]
    pairs = draw_pairs(task, owners, spans, 500, seed=0)
    assert pairs.alike.sum() == 500 and len(pairs.alike) == 1000
    for first, second, alike in zip(*pairs, strict=True):
        assert owners[first] != owners[second]
        assert bool(types[first] & types[second]) == alike
    repetition = draw_pairs(task, owners, spans, 500, seed=0)
    assert all(np.array_equal(*arrays) for arrays in zip(pairs, repetition, strict=True))


def test_auc_of_told_apart_reversed_and_constant_vectors() -> None:
    vectors = np.eye(3)[[0, 0, 1, 2, 2]]
    pairs = Pairs(np.array([0, 3, 0, 1]), np.array([1, 4, 2, 3]), np.array([True, True, False, False]))
    assert auc(vectors, pairs) == 1.0
    assert auc(vectors, pairs._replace(alike=~pairs.alike)) == 0.0
    assert auc(np.ones((5, 2)), pairs) == 0.5


def test_mentions_in_long_texts_are_read_in_their_best_window(tmp_path: Path) -> None:
    model = NerretModel.from_backbone(_backbone(tmp_path, "bert"), layer=2, head_size=8, hidden_size=8)
    text = "the river was in the city " * 6
    spans = [Span(start, start + 5) for start in range(4, len(text), 26)]
    windows = WindowSettings(wordpiece(), 20, causal=False)
    texts = [("ada", []), (text, spans)]
    mentions = pool_mentions(windows, texts, lambda ids, mask: {"v": model.value_states(ids, mask)}, ["end"])
    assert (mentions.owners.tolist(), mentions.spans) == ([1] * 6, spans)
    assert np.allclose(np.linalg.norm(mentions.vectors["v", "end"], axis=1), 1)


def test_mentions_without_a_token_are_left_out_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model = NerretModel.from_backbone(_backbone(tmp_path, "bert"), layer=2, head_size=8, hidden_size=8)
    windows, texts = WindowSettings(wordpiece(), 20, causal=False), [("ada \u0301 ada", [Span(0, 3), Span(4, 5)])]
    mentions = pool_mentions(windows, texts, lambda ids, mask: {"v": model.value_states(ids, mask)}, ["mean"])
    assert mentions.spans == [Span(0, 3)]
    assert "left out 1 mentions that no token covers" in caplog.text


def test_the_command_writes_table_json_and_picture(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backbone = _backbone(tmp_path, "bert")
    arguments = [backbone, str(corpus), "--limit", "8", "--pairs", "50", "--out", str(tmp_path / "out")]
    assert main(["probe", *arguments]) == 0
    output = capsys.readouterr().out
    assert "| block | q | k | v | attention output | MLP inner | residual |" in output and "best auc" in output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"probe-bert-small.json", "probe-bert-small.png"}


def test_mistakes_are_told_in_one_line(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backbone = _backbone(tmp_path, "bert")
    capsys.readouterr()  # saving the backbone draws a progress bar
    for arguments, message in (
        ([backbone, str(corpus), "--limit", "1"], "small has 0 types in two documents or more"),
        (["model", "none.jsonl"], "no corpus at 'none.jsonl'; give a JSONL file with gold mentions"),
        (["no/such-model", str(corpus)], "backbone 'no/such-model' was not found"),
    ):
        assert main(["probe", *arguments]) == 1
        error = capsys.readouterr().err
        assert message in error and error.startswith("nerret: ") and error.count("\n") == 1


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["probe", "--help"])
    assert "nerret probe sentence-transformers/all-MiniLM-L6-v2" in capsys.readouterr().out
