"""Joint training: batches say what they hold, and the adapter that is learnt lies beside the head."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modeling_nerret import NerretModel
from modeling_nerret.adapters import add_adapter, read_adapter
from modeling_nerret.cli import main
from modeling_nerret.spans import Span
from modeling_nerret.training.batches.texts import TextBatches, find_decoys
from modeling_nerret.training.data.annotated import Annotated
from modeling_nerret.training.data.sets import Data
from modeling_nerret.training.data.source import Source
from modeling_nerret.training.recipe_files import resolve
from modeling_nerret.training.recipes import JointSection
from modeling_nerret.training.run import train
from tests.tiny import save_backbone, wordpiece

TEXTS = [
    Annotated("a", "ada was born in london", {Span(0, 3): ("person",), Span(16, 22): ("city", "place")}),
    Annotated("b", "the river in paris", {Span(13, 18): ("city",), Span(4, 9): ("place",)}),
    Annotated("c", "paris", {Span(0, 5): ("city",)}),
]
WORDINGS = {"person": ["person", "human"], "city": ["city"], "place": ["place"]}


def _batches() -> TextBatches:
    return TextBatches([Source("tiny", 1.0, TEXTS, WORDINGS)], JointSection(texts=3), 0, wordpiece(), causal=False)


def test_a_batch_says_which_span_and_which_text_has_which_type() -> None:
    tokenizer = wordpiece()
    batches = _batches()
    triples = set()
    for number in range(6):
        batch = batches[number]
        parts, (part,) = batch["parts"], batch["parts"]
        words = [
            tokenizer.decode(part["ids"][row, first:last]).replace("##", "").replace(" ", "")
            for row, first, last in part["spans"]
        ]
        queries = ["person" if words[row] in ("person", "human") else words[row] for row in batch["types"].tolist()]
        wholes = [tokenizer.decode(part["ids"][row, first:last]) for row, first, last in part["windows"]]
        for name, matches, holds in zip(queries, batch["matches"], batch["holds"], strict=True):
            truth = {
                text.text[span.start : span.end]
                for text in TEXTS
                for span, types in text.mentions.items()
                if name in types
            }
            for row, match in zip(batch["mentions"].tolist(), matches.tolist(), strict=True):
                assert match == (words[row] in truth)
                triples.add((name, words[row], match))
            for row, is_held in zip(batch["texts"].tolist(), holds.tolist(), strict=True):
                (text,) = [text for text in TEXTS if text.text == wholes[row].replace(" ##", "")]
                assert is_held == any(name in types for types in text.mentions.values())
                assert text.text != "paris"  # a name alone is no document
        assert len(parts) == 1
    assert {("city", "london", True), ("person", "paris", False)} <= triples


def test_what_a_mention_may_be_is_neither_right_nor_wrong() -> None:
    mention = Span(4, 9)  # river
    text = Annotated(
        "b", "the river in paris", {mention: (), Span(13, 18): ("city",)}, {mention: frozenset({"person"})}
    )
    source = Source("tiny", 1.0, [TEXTS[0], text], WORDINGS)
    batch = TextBatches([source], JointSection(texts=3), 0, wordpiece(), causal=False)[0]
    person = [query in WORDINGS["person"] for query in batch["queries"]].index(True)
    matches, doubts = (batch[field][person].tolist() for field in ("matches", "may_match"))
    assert sum(matches) == 1 and sum(doubts) == 1 and matches.index(True) != doubts.index(True)
    assert batch["may_hold"][person].sum() == 1 == batch["holds"][person].sum()


def test_a_decoy_shares_a_word_with_a_type_but_is_of_another() -> None:
    ship = Annotated("a", "they saw the river queen", {Span(13, 24): ("ship",)})
    river = Annotated("b", "they saw the blue river", {Span(13, 23): ("river",)})
    bank = Annotated("c", "on the river bank", {Span(7, 17): ()}, {Span(7, 17): frozenset({"river"})})
    source = Source("tiny", 1.0, [ship, river, bank], {"river": ["river"], "ship": ["ship"]})
    assert find_decoys(source) == {"river": [0]}
    section = JointSection(texts=2, decoys=1)
    batches = TextBatches([source], section, 0, wordpiece(), causal=False)
    drawn_types = [set(batches[number]["queries"]) for number in range(8)]
    assert {"river", "ship"} in drawn_types  # the river came with its decoy


def test_a_batch_depends_on_its_number_alone() -> None:
    first, second = _batches(), _batches()
    second[0], second[1]
    assert torch.equal(first[7]["parts"][0]["ids"], second[7]["parts"][0]["ids"])


@pytest.mark.parametrize("method", ["lora", "dora"])
def test_adapter_head_and_document_head_are_learnt_and_saved(tmp_path: Path, method: str) -> None:
    (tmp_path / "tiny.jsonl").write_text(
        '{"id": "a", "text": "ada was born in london", "mentions": [{"start": 0, "end": 3, "type": "person"}, '
        '{"start": 16, "end": 22, "type": "city"}]}\n'
    )
    overrides = [f"backbone={save_backbone(tmp_path / 'backbone')}", "layer=2", "pooling=mean", "head.steps=0"]
    overrides += ["model={head_size=24, hidden_size=16, document_size=8}", f"joint.method={method}", "joint.rank=2"]
    recipe = resolve(overrides=[*overrides, "joint.steps=12", "joint.sets=[{name='data'}]", "joint.rate=1e-2"])
    for out in ("one", "other"):
        train(recipe, Data.of([str(tmp_path / "tiny.jsonl")]), tmp_path / out, tmp_path / "cache")
    model, repetition = (NerretModel.from_pretrained(tmp_path / out) for out in ("one", "other"))
    assert model.config.head_only and model.config.adapter_sha256 == repetition.config.adapter_sha256
    assert str(tmp_path / "one") not in read_adapter(tmp_path / "one" / "adapter")["adapter_config.json"].decode()

    plain = NerretModel.from_backbone(tmp_path / "backbone", 2, head=model.head, pooling="mean")
    ids, spans = torch.tensor([[2, 10, 12, 8, 3]]), torch.tensor([[0, 1, 4]])
    assert not torch.allclose(plain(ids, spans=spans).embeddings, model(ids, spans=spans).embeddings, atol=1e-4)
    states = model.hidden_states(ids)
    torch.testing.assert_close(model.embed_texts(states, spans), repetition.embed_texts(states, spans))
    assert (tmp_path / "one" / "metrics.json").exists()


@pytest.fixture(scope="module")
def mean_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with `backbone`, `mean`, the average of three runs, and the command without --out."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "tiny.jsonl").write_text(
        '{"id": "a", "text": "ada was born in london", "mentions": [{"start": 0, "end": 3, "type": "person"}, '
        '{"start": 16, "end": 22, "type": "city"}]}\n'
    )
    recipe = f'backbone = "{save_backbone(folder / "backbone")}"\nlayer = 2\npooling = "mean"\n'
    recipe += "[model]\nhead_size = 24\nhidden_size = 16\ndocument_size = 8\n[head]\nsteps = 6\ntypes = 2\n"
    recipe += 'sets = [{name = "data"}]\n[joint]\nsteps = 8\nrate = 1e-2\nrank = 2\nsets = [{name = "data"}]\n'
    (folder / "tiny.toml").write_text(recipe)
    command = [
        "train",
        str(folder / "tiny.toml"),
        "--data",
        str(folder / "tiny.jsonl"),
        "--cache",
        str(folder / "cache"),
    ]
    assert main([*command, "--out", str(folder / "mean"), "--set", "joint.runs=3"]) == 0
    return folder, command


def test_several_runs_become_their_average(mean_run: tuple[Path, list[str]]) -> None:
    folder, _ = mean_run
    average = NerretModel.from_pretrained(folder / "mean")
    runs = [load_file(folder / "mean" / "joint_run" / f"run-{n}" / "finished.safetensors") for n in range(3)]
    for name, weight in average.head.state_dict().items():
        weights = [run[f"model.head.{name}"] for run in runs]
        assert not torch.equal(weights[0], weights[1])
        torch.testing.assert_close(weight, sum(weights) / 3)
    plain = NerretModel.from_backbone(folder / "backbone", 2, pooling="mean").backbone.state_dict()
    parts = []
    for number in range(3):
        backbone = NerretModel.from_backbone(folder / "backbone", 2, pooling="mean").backbone
        parts.append(add_adapter(backbone, folder / "mean" / "joint_run" / f"run-{number}" / "adapter").state_dict())
    changes = 0
    for name, weight in average.backbone.state_dict().items():
        mean = sum(part[name] for part in parts) / 3
        size = float((mean - plain[name]).abs().max())
        torch.testing.assert_close(weight, mean, rtol=0, atol=1e-3 * size + 1e-6)  # the average is in half precision
        changes += size > 1e-6
    assert changes > 4


def test_joint_runs_are_the_same_after_a_stop_between_them(mean_run: tuple[Path, list[str]]) -> None:
    folder, command = mean_run
    whole = NerretModel.from_pretrained(folder / "mean").config.adapter_sha256
    shutil.copytree(folder / "mean", folder / "stopped")
    shutil.rmtree(folder / "stopped" / "joint_run" / "run-1")  # killed before its first checkpoint
    (folder / "stopped" / "joint_run" / "run-0" / "finished.safetensors").unlink()
    assert main([*command, "--out", str(folder / "stopped"), "--set", "joint.runs=3"]) == 0
    assert NerretModel.from_pretrained(folder / "stopped").config.adapter_sha256 == whole


def test_adapters_without_an_average_are_refused_before_anything_runs() -> None:
    with pytest.raises(ValueError, match=r"joint\.runs is 2 with joint\.method 'dora'"):
        resolve(overrides=["joint.runs=2", "joint.method=dora"])
    with pytest.raises(ValueError, match=r"joint\.runs is 0; it must be at least 1"):
        resolve(overrides=["joint.runs=0"])
