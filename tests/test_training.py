"""Training: batches that may be trusted, losses checked by hand, and recipes run end to end on a tiny backbone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.spans import Span
from tests.tiny import byte_bpe, save_backbone
from modeling_nerret.training.data import Data, read_annotated, read_type_names, split
from modeling_nerret.training.fitting import Schedule, fit
from modeling_nerret.training.losses import hardest, info_nce, mention_contrast, triplet
from modeling_nerret.training.recipes import DEFAULTS, merge, resolve
from modeling_nerret.training.run import main, train
from modeling_nerret.training.sampling import Pool, TypeBatches

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
        {"id": str(at), "text": text, "mentions": [{"start": a, "end": b, "type": name} for a, b, name in mentions]}
        for at, (text, mentions) in enumerate(TEXTS * 4)
    ]
    (folder / "tiny.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "types.json").write_text(json.dumps({"tiny": TYPES | {"PLACE": "place"}}))
    return folder


def test_labels_become_plain_names_and_spans_keep_all_types(data: Path) -> None:
    names = read_type_names(data / "types.json", "tiny")
    texts = list(read_annotated(data / "tiny.jsonl", names))
    assert texts[0].mentions == {Span(0, 3): ("person",), Span(16, 22): ("city",)}
    assert texts[1].mentions == {Span(13, 18): ("city", "place")}


def test_split_is_complete_disjoint_and_repeatable(data: Path) -> None:
    texts = list(read_annotated(data / "tiny.jsonl"))
    rest, held = split(texts, 0.5, seed=1)
    assert len(held) == 6 and sorted([*rest, *held], key=lambda text: int(text.id)) == texts
    assert split(texts, 0.5, seed=1) == (rest, held) != split(texts, 0.5, seed=2)


def test_info_nce_equals_a_naive_count() -> None:
    torch.manual_seed(0)
    types, mentions = torch.randn(3, 4), torch.randn(5, 4)
    matches = torch.tensor([[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 0]]).bool()
    logits = types @ mentions.T / 0.5
    expected = 0.0
    for scores, right in ((logits, matches), (logits.T, matches.T)):
        rows = []
        for row, hits in zip(scores, right, strict=True):
            wrong = row[~hits].exp().sum()
            if hits.any():
                rows.append(torch.stack([-(value.exp() / (value.exp() + wrong)).log() for value in row[hits]]).mean())
        expected += torch.stack(rows).mean() / 2
    assert info_nce(types, mentions, matches, 0.5) == pytest.approx(float(expected), rel=1e-5)


def test_a_right_answer_is_no_negative_of_another() -> None:
    type_vector = torch.tensor([[1.0, 0.0]])
    near, nearer = torch.tensor([[0.6, 0.8]]), torch.tensor([[1.0, 0.0]])
    both = torch.cat([near, nearer])
    matches = torch.ones(1, 2, dtype=torch.bool)
    assert info_nce(type_vector, both, matches, 0.1) == 0


def test_triplet_is_zero_once_the_margin_is_met() -> None:
    anchor, positive, negative = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[:, None]
    assert triplet(anchor, positive, negative) == 0
    assert triplet(anchor, negative, positive) == pytest.approx(1.5)


def test_an_ignored_pair_is_neither_right_nor_wrong() -> None:
    torch.manual_seed(0)
    types, mentions = torch.randn(2, 4), torch.randn(3, 4)
    matches = torch.tensor([[1, 0, 0], [0, 1, 0]]).bool()
    ignored = torch.tensor([[0, 0, 1], [0, 0, 1]]).bool()
    without = info_nce(types, mentions[:2], matches[:, :2], 0.5)
    assert info_nce(types, mentions, matches, 0.5, ignored) == pytest.approx(float(without), rel=1e-6)
    assert info_nce(types, mentions, matches, 0.5) > without


def test_mentions_that_share_a_type_are_drawn_together() -> None:
    together, apart = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), torch.eye(3)[:, :2]
    matches = torch.tensor([[1, 1, 0], [0, 0, 1]]).bool()
    assert mention_contrast(together, matches, 0.1) < mention_contrast(apart, matches, 0.1)
    assert mention_contrast(together, torch.eye(3).bool(), 0.1) == 0  # nothing is shared


def test_the_hardest_negative_is_the_nearest_one() -> None:
    torch.manual_seed(0)
    anchor, negatives = torch.randn(4, 8), torch.randn(9, 8)
    chosen = hardest(anchor, negatives)
    for row, negative in zip(anchor, chosen, strict=True):
        distances = 1 - torch.cosine_similarity(row[None], negatives)
        assert 1 - torch.cosine_similarity(row, negative, dim=0) == pytest.approx(float(distances.min()), abs=1e-6)


def _pool(name: str, weight: float, labels: list[set[int]], related: dict[int, frozenset[int]] | None = None) -> Pool:
    """A pool whose vectors tell which mention and type they are."""
    count = max(max(found) for found in labels) + 1
    vectors = np.arange(len(labels), dtype=np.float16)[:, None]
    phrases = np.arange(count, dtype=np.float32)[:, None]
    wordings = [[at] for at in range(count)]
    return Pool(name, weight, vectors, [frozenset(found) for found in labels], phrases, wordings, related or {})


def test_batches_say_truly_which_mention_has_which_type() -> None:
    labels = [{0}, {0, 1}, {1}, {2}, {2, 0}]
    related = {0: frozenset({1}), 1: frozenset({0})}
    batches = TypeBatches([_pool("a", 1.0, labels, related)], types=3, per_type=2, balance=0.75, seed=0)
    for number in range(20):
        batch = batches[number]
        for row, name in enumerate(batch["types"][:, 0].int().tolist()):
            for column, mention in enumerate(batch["mentions"][:, 0].int().tolist()):
                right = name in labels[mention]
                assert bool(batch["matches"][row, column]) == right
                near = not right and bool(related.get(name, frozenset()) & labels[mention])
                assert bool(batch["ignored"][row, column]) == near
        assert batch["matches"].any(1).all() and batch["matches"].any(0).all()


def test_a_batch_comes_from_one_pool_and_pools_come_by_weight() -> None:
    pools = [_pool("small", 3.0, [{0}, {1}]), _pool("large", 1.0, [{at} for at in range(9)])]
    batches = TypeBatches(pools, types=9, per_type=1, balance=0.75, seed=0)
    sizes = [len(batches[number]["types"]) for number in range(400)]
    assert set(sizes) == {2, 9} and 0.65 < sizes.count(2) / 400 < 0.85


def test_seed_and_number_fix_a_batch() -> None:
    def mentions(seed: int, number: int) -> torch.Tensor:
        pool = _pool("a", 1.0, [{at % 7} for at in range(40)])
        return TypeBatches([pool], types=3, per_type=1, balance=0.5, seed=seed)[number]["mentions"]

    assert torch.equal(mentions(1, 5), mentions(1, 5))
    assert not torch.equal(mentions(1, 5), mentions(1, 6)) and not torch.equal(mentions(1, 5), mentions(2, 5))


class _Regression(torch.nn.Module):
    """A module whose outcome depends on every batch and on dropout."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Dropout(0.3), torch.nn.Linear(16, 1))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.layers(x)[:, 0] - x.sum(1)).square().mean()}


class _Numbers:
    """Batches by number, of which one may fail, as a killed run does."""

    def __init__(self, fails: int | None = None):
        self.fails = fails

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        if number == self.fails:
            raise KeyboardInterrupt
        return {"x": torch.randn(6, 4, generator=torch.Generator().manual_seed(number))}


SCHEDULE = Schedule(steps=12, rate=1e-2, evaluations=4, device="cpu")


def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, halted = _Regression(), _Regression()
    log = fit(whole, _Numbers(), tmp_path / "whole", SCHEDULE)
    with pytest.raises(KeyboardInterrupt):
        fit(halted, _Numbers(fails=8), tmp_path / "halted", SCHEDULE)
    broken = tmp_path / "halted" / "checkpoint-7"  # as if killed while it was written
    broken.mkdir()
    (broken / "trainer_state.json").write_text('{"global_step"')
    again = _Regression()
    found = fit(again, _Numbers(), tmp_path / "halted", SCHEDULE)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
    assert [one["loss"] for one in found if "loss" in one] == [one["loss"] for one in log if "loss" in one]
    ended = _Regression()
    assert fit(ended, _Numbers(fails=0), tmp_path / "halted", SCHEDULE) == found  # nothing is trained again
    assert torch.equal(ended.layers[0].weight, whole.layers[0].weight)


def test_patience_stops_a_run_and_the_best_state_is_taken(tmp_path: Path) -> None:
    module, seen = _Regression(), []

    def measure() -> dict[str, float]:
        seen.append(module.layers[0].weight.detach().clone())
        return {"goal": [1.0, 2.0, 1.5, 1.0, 3.0][len(seen) - 1]}

    schedule = Schedule(steps=20, rate=1e-2, evaluations=5, patience=2, device="cpu")
    log = fit(module, _Numbers(), tmp_path, schedule, measure)
    assert len(seen) == 4 and max(one["step"] for one in log) == 16
    assert torch.equal(module.layers[0].weight, seen[1])


def _recipe(backbone: str, **changes: dict) -> dict:
    sets = [{"name": "tiny", "weight": 1.0}]
    own = {
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
    return merge(merge(resolve(), own), changes)


def test_a_recipe_gives_a_checkpoint_the_same_for_the_same_seed(data: Path, tmp_path: Path) -> None:
    recipe = _recipe(save_backbone(tmp_path / "backbone"), held_out={"entities": 0.5, "texts": 0.3})
    vectors = []
    for name in ("one", "two"):
        train(recipe, Data(data), tmp_path / name, tmp_path / "cache")
        checkpoint = load_checkpoint(str(tmp_path / name))
        assert checkpoint.detector is not None
        vectors.append(checkpoint.model(torch.tensor([[2, 5, 6, 3]])).embeddings)
    assert torch.equal(*vectors)
    cached = len(list((tmp_path / "cache").iterdir()))
    assert cached == 4  # the texts' value vectors once, the types', and words of texts trained on and held out
    metrics = json.loads((tmp_path / "one" / "metrics.json").read_text())
    assert [one["step"] for one in metrics["head"]["evaluations"]] == [2, 4]
    assert 0 <= metrics["head"]["after"]["tiny_entities_r_precision"] <= 1
    assert metrics["head"]["sets"][0]["texts"] == 12 and metrics["detector"]["sets"][0]["held_out_texts"] == 3
    assert (tmp_path / "one" / "curves.png").read_bytes()[1:4] == b"PNG"
    again = resolve(tmp_path / "one" / "recipe.json")
    assert again == recipe  # what a run leaves is a recipe that gives it again


def test_a_folder_with_another_run_or_other_data_is_refused(data: Path, tmp_path: Path) -> None:
    recipe = _recipe(save_backbone(tmp_path / "backbone"), detector={"steps": 0})
    train(recipe, Data(data), tmp_path / "out", tmp_path / "cache")
    with pytest.raises(ValueError, match="another recipe"):
        train(merge(recipe, {"seed": 6}), Data(data), tmp_path / "out", tmp_path / "cache")
    with (data / "tiny.jsonl").open("a") as file:
        file.write('{"text": "notes in Paris", "mentions": [{"start": 9, "end": 14, "type": "CITY"}]}\n')
    with pytest.raises(ValueError, match="data has changed"):
        train(recipe, Data(data), tmp_path / "out", tmp_path / "cache")


def test_the_command_says_what_is_wrong(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('init = "nerret-minilm"\n[head]\nsets = [{ name = "tinny" }]\n')
    assert main([str(recipe), "--data", str(data), "--out", str(tmp_path / "out")]) == 1
    assert "the set 'tinny' is not in" in capsys.readouterr().err
    recipe.write_text('init = "nerret-minilm"\n[model]\nhead_size = 3\n')
    assert main([str(recipe), "--data", str(data), "--out", str(tmp_path / "other")]) == 1
    assert "brings its own model" in capsys.readouterr().err
    recipe.write_text("[head]\nstepz = 3\n")
    assert main([str(recipe), "--data", str(data), "--out", str(tmp_path / "out")]) == 1
    assert "did you mean 'head.steps'?" in capsys.readouterr().err


def test_patience_is_kept_over_an_interruption(tmp_path: Path) -> None:
    def run(name: str, fails: int | None) -> tuple[_Regression, list]:
        module = _Regression()
        goals = {4: 1.0, 8: 2.0, 12: 1.5, 16: 1.0, 20: 3.0}
        batches = _Numbers(fails)
        seen: list[int] = []

        def measure() -> dict[str, float]:
            step = 4 * (1 + min(range(5), key=lambda at: abs(module.layers[0].weight.sum().item() - sums[at])))
            seen.append(step)
            return {"goal": goals[step]}

        schedule = Schedule(steps=20, rate=1e-2, evaluations=5, patience=2, device="cpu")
        return module, fit(module, batches, tmp_path / name, schedule, measure)

    sums: list[float] = []
    plain = _Regression()

    def note() -> dict[str, float]:
        sums.append(plain.layers[0].weight.sum().item())
        return {"goal": float(len(sums))}

    fit(plain, _Numbers(), tmp_path / "plain", Schedule(steps=20, rate=1e-2, evaluations=5, device="cpu"), note)
    whole, log = run("whole", None)
    with pytest.raises(KeyboardInterrupt):
        run("halted", 13)
    again, found = run("halted", None)
    assert max(one["step"] for one in found) == max(one["step"] for one in log) == 16
    assert torch.equal(whole.layers[0].weight, again.layers[0].weight)


def test_the_paper_s_recipe_trains_a_head(data: Path, tmp_path: Path) -> None:
    backbone = save_backbone(tmp_path / "backbone", "llama", byte_bpe())
    small = ["layer=2", "device=cpu", "head.steps=40", "head.rate=0.001"]
    paper = DEFAULTS.parent / "paper-triplet.toml"
    recipe = resolve(paper, [f"backbone={backbone}", "revision=", *small, 'head.sets=[{ name = "tiny" }]'])
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
    assert main([str(recipe), *options]) == 0
    before, after = load_checkpoint(tiny_checkpoint), load_checkpoint(str(tmp_path / "out"))
    ids = torch.tensor([[2, 5, 6, 3]])
    assert not torch.equal(before.model(ids).embeddings, after.model(ids).embeddings)
    kept, now = before.model.backbone.state_dict(), after.model.backbone.state_dict()
    assert all(torch.equal(tensor, now[name]) for name, tensor in kept.items())
    assert before.detector is not None and after.detector is not None  # it stays as it was
    assert all(
        torch.equal(one, after.detector.state_dict()[name]) for name, one in before.detector.state_dict().items()
    )
