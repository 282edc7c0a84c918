"""Batches say truly what they hold, and have one form from the set to the loss."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from modeling_nerret.detection import SHAPES, ProbeConfig
from modeling_nerret.spans import Span
from modeling_nerret.training.batches.base import Batches
from modeling_nerret.training.batches.features import WordStates
from modeling_nerret.training.batches.pool import Pool
from modeling_nerret.training.batches.texts import TextBatches
from modeling_nerret.training.batches.triplets import TripletBatches
from modeling_nerret.training.batches.types import TypeBatches
from modeling_nerret.training.batches.words import WordBatches, Words
from modeling_nerret.training.data.annotated import Annotated
from modeling_nerret.training.data.source import Source
from modeling_nerret.training.recipes import HeadSection, JointSection
from modeling_nerret.training.stages.detector import DetectorLoss
from modeling_nerret.training.stages.head import ContrastLoss, TripletLoss
from modeling_nerret.training.stages.joint import JointLoss
from tests.tiny import wordpiece


def _pool(
    name: str, weight: float, labels: list[set[int]], related_types: dict[int, frozenset[int]] | None = None
) -> Pool:
    """A pool whose vectors tell which mention and type they are."""
    count = max(max(types) for types in labels) + 1
    vectors = np.arange(len(labels), dtype=np.float16)[:, None]
    phrases = np.arange(count, dtype=np.float32)[:, None]
    wordings = [[row] for row in range(count)]
    return Pool(name, weight, vectors, [frozenset(types) for types in labels], phrases, wordings, related_types or {})


def test_batches_say_truly_which_mention_has_which_type() -> None:
    labels = [{0}, {0, 1}, {1}, {2}, {2, 0}]
    related_types = {0: frozenset({1}), 1: frozenset({0})}
    batches = TypeBatches([_pool("a", 1.0, labels, related_types)], HeadSection(types=3, per_type=2), seed=0)
    for number in range(20):
        batch = batches[number]
        for row, name in enumerate(batch["types"][:, 0].int().tolist()):
            for column, mention in enumerate(batch["mentions"][:, 0].int().tolist()):
                right = name in labels[mention]
                assert bool(batch["matches"][row, column]) == right
                is_neutral = not right and bool(related_types.get(name, frozenset()) & labels[mention])
                assert bool(batch["neutral"][row, column]) == is_neutral
        assert batch["matches"].any(1).all() and batch["matches"].any(0).all()


def test_a_batch_comes_from_one_pool_and_pools_come_by_weight() -> None:
    pools = [_pool("small", 3.0, [{0}, {1}]), _pool("large", 1.0, [{name} for name in range(9)])]
    batches = TypeBatches(pools, HeadSection(types=9, per_type=1), seed=0)
    sizes = [len(batches[number]["types"]) for number in range(400)]
    assert set(sizes) == {2, 9} and 0.65 < sizes.count(2) / 400 < 0.85


def test_seed_and_number_fix_a_batch() -> None:
    def mentions(seed: int, number: int) -> torch.Tensor:
        pool = _pool("a", 1.0, [{row % 7} for row in range(40)])
        return TypeBatches([pool], HeadSection(types=3, per_type=1, balance=0.5), seed)[number]["mentions"]

    assert torch.equal(mentions(1, 5), mentions(1, 5))
    assert not torch.equal(mentions(1, 5), mentions(1, 6)) and not torch.equal(mentions(1, 5), mentions(2, 5))


def _word_batches() -> WordBatches:
    zeros = np.zeros((2, 4), dtype=np.float16)
    states = WordStates(0, np.array([[0, 1], [2, 3]]), zeros, zeros, np.zeros((2, SHAPES), dtype=np.float32))
    return WordBatches([[Words(states, gold=[(0, 0)], unsure=[])]], [1.0], ProbeConfig(4, max_words=2), size=3, seed=0)


def _text_batches() -> TextBatches:
    source = Source("s", 1.0, [Annotated("a", "ada in paris", {Span(0, 3): ("person",)})], {"person": ["person"]})
    return TextBatches([source], JointSection(), 0, wordpiece(), causal=False)


@pytest.mark.parametrize(
    ("batches", "loss"),
    [
        (TypeBatches([_pool("a", 1.0, [{0}, {1}])], HeadSection(), seed=0), ContrastLoss),
        (TripletBatches([_pool("a", 1.0, [{0}, {1}])], [{}], HeadSection(), seed=0), TripletLoss),
        (_text_batches(), JointLoss),
        (_word_batches(), DetectorLoss),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_batch_holds_the_arguments_of_its_loss(batches: Batches, loss: type[torch.nn.Module]) -> None:
    arguments = [name for name in inspect.signature(loss.forward).parameters if name != "self"]
    assert sorted(batches[0]) == sorted(arguments)
    assert repr(batches[3]) == repr(batches[3])  # the number fixes the batch
