"""What is held out is not trained on, and is measured rightly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.holdout import HeldOut, hold_out, measure
from training.sampling import Pool, TypeBatches


def _pool(mentions: int = 1200, types: int = 120) -> tuple[Pool, list[str]]:
    """Mentions of entities, six mentions each; every mention has its own type and the type 0."""
    names = [f"Entity {at // 6}" for at in range(mentions)]
    labels = [frozenset({0, 1 + at % types}) for at in range(mentions)]
    vectors = np.arange(mentions, dtype=np.float32)[:, None]
    phrases = -np.arange(types + 1, dtype=np.float32)[:, None]
    return Pool("p", 1.0, vectors, labels, phrases, [[at] for at in range(types + 1)]), names


def test_nothing_that_is_held_out_is_drawn() -> None:
    pool, names = _pool()
    rest, held = hold_out(pool, names, types=0.2, entities=0.2)
    unseen_types = {int(-value) for value in held["types"].types[:, 0]}
    unseen_names = {names[int(row)] for row in held["entities"].mentions[:, 0]}
    assert unseen_types and unseen_names and 0 not in unseen_types  # every mention has type 0: it is too frequent
    batches = TypeBatches([rest], types=16, per_type=4, balance=0.5, seed=0)
    for number in range(60):
        batch = batches[number]
        assert unseen_types.isdisjoint((-batch["types"][:, 0]).int().tolist())
        for row in batch["mentions"][:, 0].int().tolist():
            assert names[row] not in unseen_names and unseen_types.isdisjoint(pool.labels[row])


def test_all_mentions_are_trained_on_or_held_out_and_the_split_stays() -> None:
    pool, names = _pool()
    rest, held = hold_out(pool, names, types=0.2, entities=0.2)
    assert len(rest.labelled) + len(held["types"].mentions) == len(names)
    again, _ = hold_out(pool, names, types=0.2, entities=0.2)
    assert again.labels == rest.labels
    whole, nothing = hold_out(pool, names, types=0.0, entities=0.0)
    assert whole.labels == pool.labels and nothing == {}


def test_measurements_equal_those_counted_by_hand() -> None:
    torch.manual_seed(0)
    types, mentions = torch.randn(7, 4), torch.randn(30, 4)
    matches = torch.rand(7, 30) < 0.2
    matches[:, 0] = True
    found = measure(lambda values: torch.nn.functional.normalize(values, dim=-1), HeldOut(types, mentions, matches))
    expected, ranks = [], []
    for row, right in zip(types, matches, strict=True):
        scores = torch.cosine_similarity(row[None], mentions)
        order = [str(at) for at in scores.argsort(descending=True).tolist()]
        relevant = {str(at) for at in right.nonzero()[:, 0].tolist()}
        expected.append(len(set(order[: len(relevant)]) & relevant) / len(relevant))
        ranks.append(1 / (1 + min(order.index(one) for one in relevant)))
    assert found["r_precision"] == pytest.approx(np.mean(expected), rel=1e-6)
    assert found["mrr"] == pytest.approx(np.mean(ranks), rel=1e-6)
