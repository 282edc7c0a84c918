"""Losses, checked by hand."""

from __future__ import annotations

import pytest
import torch

from modeling_nerret.training.stages.losses import distillation, hardest, info_nce, mention_contrast, triplet


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
    first, second = torch.tensor([[0.6, 0.8]]), torch.tensor([[1.0, 0.0]])
    mentions = torch.cat([first, second])
    matches = torch.ones(1, 2, dtype=torch.bool)
    assert info_nce(type_vector, mentions, matches, 0.1) == 0


def test_triplet_is_zero_once_the_margin_is_met() -> None:
    anchor, positive, negative = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[:, None]
    assert triplet(anchor, positive, negative) == 0
    assert triplet(anchor, negative, positive) == pytest.approx(1.5)


def test_a_neutral_pair_is_neither_right_nor_wrong() -> None:
    torch.manual_seed(0)
    types, mentions = torch.randn(2, 4), torch.randn(3, 4)
    matches = torch.tensor([[1, 0, 0], [0, 1, 0]]).bool()
    neutral = torch.tensor([[0, 0, 1], [0, 0, 1]]).bool()
    without = info_nce(types, mentions[:2], matches[:, :2], 0.5)
    assert info_nce(types, mentions, matches, 0.5, neutral) == pytest.approx(float(without), rel=1e-6)
    assert info_nce(types, mentions, matches, 0.5) > without


def test_mentions_that_share_a_type_are_drawn_together() -> None:
    close, distant = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), torch.eye(3)[:, :2]
    matches = torch.tensor([[1, 1, 0], [0, 0, 1]]).bool()
    assert mention_contrast(close, matches, 0.1) < mention_contrast(distant, matches, 0.1)
    assert mention_contrast(close, torch.eye(3).bool(), 0.1) == 0  # nothing is shared


def test_the_hardest_negative_is_the_nearest_one() -> None:
    torch.manual_seed(0)
    anchor, negatives = torch.randn(4, 8), torch.randn(9, 8)
    nearest = hardest(anchor, negatives)
    for row, negative in zip(anchor, nearest, strict=True):
        distances = 1 - torch.cosine_similarity(row[None], negatives)
        assert 1 - torch.cosine_similarity(row, negative, dim=0) == pytest.approx(float(distances.min()), abs=1e-6)


def test_distillation_is_least_at_the_teachers_ranking() -> None:
    teacher = torch.tensor([[0.9, 0.1, 0.3], [0.2, 0.8, 0.4]])
    distances = [distillation(teacher + shift, teacher, 0.1) for shift in (0.0, 0.5)]  # a ranking has no zero
    assert distances == pytest.approx([0, 0], abs=1e-5)
    assert distillation(teacher.flip(0), teacher, 0.1) > distillation((teacher + teacher.flip(0)) / 2, teacher, 0.1) > 0
