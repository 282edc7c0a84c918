"""Training: batches that may be trusted, losses checked by hand, and a recipe run end to end on a tiny backbone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_nerret.checkpoints import load_checkpoint
from modeling_nerret.spans import Span
from tests.tiny import save_backbone
from training.data import read_annotated, read_type_names, split
from training.losses import info_nce, triplet
from training.run import apply, train
from training.sampling import Pool, TypeBatches

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


def _pool(name: str, weight: float, labels: list[set[int]]) -> Pool:
    """A pool whose vectors tell which mention and type they are."""
    count = max(max(found) for found in labels) + 1
    vectors = np.arange(len(labels), dtype=np.float16)[:, None]
    phrases = np.arange(count, dtype=np.float32)[:, None]
    return Pool(name, weight, vectors, [frozenset(found) for found in labels], phrases, [[at] for at in range(count)])


def test_batches_say_truly_which_mention_has_which_type() -> None:
    labels = [{0}, {0, 1}, {1}, {2}, {2, 0}]
    stream = iter(TypeBatches([_pool("a", 1.0, labels)], types=3, per_type=2, balance=0.75, seed=0))
    for _ in range(20):
        batch = next(stream)
        for row, name in enumerate(batch["types"][:, 0].int().tolist()):
            for column, mention in enumerate(batch["mentions"][:, 0].int().tolist()):
                assert bool(batch["matches"][row, column]) == (name in labels[mention])
        assert batch["matches"].any(1).all() and batch["matches"].any(0).all()


def test_a_batch_comes_from_one_pool_and_pools_come_by_weight() -> None:
    pools = [_pool("small", 3.0, [{0}, {1}]), _pool("large", 1.0, [{at} for at in range(9)])]
    stream = iter(TypeBatches(pools, types=9, per_type=1, balance=0.75, seed=0))
    sizes = [len(next(stream)["types"]) for _ in range(400)]
    assert set(sizes) == {2, 9} and 0.65 < sizes.count(2) / 400 < 0.85


def test_a_seed_fixes_the_batches() -> None:
    def first(seed: int) -> torch.Tensor:
        pool = _pool("a", 1.0, [{at % 7} for at in range(40)])
        return next(iter(TypeBatches([pool], types=3, per_type=1, balance=0.5, seed=seed)))["mentions"]

    assert torch.equal(first(1), first(1)) and not torch.equal(first(1), first(2))


def test_overrides_reach_into_sections_and_unknown_ones_are_refused() -> None:
    recipe = {"layer": 4, "head": {"steps": 1}}
    apply(recipe, "head.steps=7")
    assert recipe["head"]["steps"] == 7
    with pytest.raises(ValueError, match=r"no 'head\.stepz'; here it has steps"):
        apply(recipe, "head.stepz=7")


def _recipe(backbone: str) -> dict:
    sets = [{"name": "tiny", "weight": 1.0}]
    head = {"steps": 3, "rate": 1e-3, "temperature": 0.1, "types": 3, "per_type": 2, "balance": 0.75, "sets": sets}
    return {
        "backbone": backbone,
        "revision": None,
        "layer": 2,
        "pooling": "mean",
        "model": {"head_size": 8, "hidden_size": 8},
        "probe": {"size": 8, "max_words": 3, "threshold": 0.3},
        "head": head,
        "detector": {"steps": 3, "rate": 1e-3, "texts": 2, "sets": sets},
    }


def test_a_recipe_gives_a_checkpoint_the_same_for_the_same_seed(data: Path, tmp_path: Path) -> None:
    recipe = _recipe(save_backbone(tmp_path / "backbone"))
    vectors = []
    for name in ("one", "two"):
        train(recipe, data, tmp_path / name, tmp_path / "cache", seed=5)
        checkpoint = load_checkpoint(str(tmp_path / name))
        assert checkpoint.detector is not None
        vectors.append(checkpoint.model(torch.tensor([[2, 5, 6, 3]])).embeddings)
    assert torch.equal(*vectors)
    assert len(list((tmp_path / "cache").iterdir())) == 1  # each text's value vectors once
    assert json.loads((tmp_path / "one" / "recipe.json").read_text())["seed"] == 5
