"""Cross-batch memory: what was seen counts as if it were in the batch, and is forgotten in order."""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from training.losses import info_nce, info_nce_rows
from training.memory import NONE, Memory, have

SIZE = 8


def unit(rows: int, seed: int) -> torch.Tensor:
    return normalize(torch.randn(rows, SIZE, generator=torch.Generator().manual_seed(seed)), dim=-1)


QUERIES, MENTIONS = unit(3, 0), unit(4, 1)
NAMES = torch.tensor([5, 0, 2])
LABELS = torch.tensor([[0, 2], [5, NONE], [2, NONE], [1, NONE]])


def test_without_a_past_it_is_the_loss_of_the_batch() -> None:
    wanted = info_nce(QUERIES, MENTIONS, have(LABELS, NAMES), 0.1)
    for most in (0, 10):
        memory = Memory(width=2, size=SIZE, most=most)
        torch.testing.assert_close(memory.contrast(QUERIES, NAMES, MENTIONS, LABELS, 0.1), wanted)


def test_what_was_seen_competes_as_if_it_were_there() -> None:
    memory = Memory(width=2, size=SIZE, most=10)
    before, old, labels = unit(2, 2), unit(3, 3), torch.tensor([[2, 1], [0, NONE], [3, NONE]])
    memory.keep(before, torch.tensor([2, 3]), old, labels)
    mentions, types = torch.cat([MENTIONS, old]), torch.cat([QUERIES, before])
    forth = have(torch.cat([LABELS, labels]), NAMES)
    back = have(LABELS, torch.tensor([5, 0, 2, 2, 3])).T
    wanted = (info_nce_rows(QUERIES @ mentions.T / 0.1, forth) + info_nce_rows(MENTIONS @ types.T / 0.1, back)) / 2
    torch.testing.assert_close(memory.contrast(QUERIES, NAMES, MENTIONS, LABELS, 0.1), wanted)


def test_gradients_reach_the_batch_and_not_the_past() -> None:
    memory = Memory(width=2, size=SIZE, most=10)
    earlier = unit(3, 3).requires_grad_()
    memory.keep(unit(3, 4), NAMES, earlier, LABELS[:3])
    queries, mentions = QUERIES.clone().requires_grad_(), MENTIONS.clone().requires_grad_()
    loss = memory.contrast(queries, NAMES, mentions, LABELS, 0.1)
    memory.keep(queries, NAMES, mentions, LABELS)  # before the gradient is asked for, as in training
    loss.backward()
    assert queries.grad.abs().sum() > 0 and mentions.grad.abs().sum() > 0 and earlier.grad is None


def test_the_oldest_are_forgotten_and_all_is_in_the_state() -> None:
    memory = Memory(width=2, size=SIZE, most=5)
    memory.keep(QUERIES, NAMES, MENTIONS, LABELS)
    memory.keep(QUERIES[:1], NAMES[:1], unit(3, 5), LABELS[:3])
    torch.testing.assert_close(memory.vectors, torch.cat([unit(3, 5), MENTIONS[:2]]))
    again = Memory(width=2, size=SIZE, most=5)
    again.load_state_dict(memory.state_dict())
    given = (QUERIES, NAMES, MENTIONS, LABELS, 0.1)
    torch.testing.assert_close(again.contrast(*given), memory.contrast(*given), rtol=0, atol=0)
