"""Losses over a batch of types and mentions: pure tensor arithmetic."""

from __future__ import annotations

import torch
from torch.nn import functional


def info_nce(types: torch.Tensor, mentions: torch.Tensor, matches: torch.Tensor, temperature: float) -> torch.Tensor:
    """In-batch contrast in both directions, with several right answers allowed.

    For each type, its mentions compete with the batch's mentions that do not have it, and for each mention its types
    compete with the types that it does not have. A right answer never competes with another right answer.

    Args:
        types: (types, size), length 1.
        mentions: (mentions, size), length 1.
        matches: (types, mentions), whether the mention has the type.
        temperature: above 0.

    Returns:
        A number: the mean over all matching pairs, both directions averaged.

    Example:
        >>> right = torch.eye(2)
        >>> bool(info_nce(right, right, right.bool(), 0.1) < info_nce(right, right.flip(0), right.bool(), 0.1))
        True
    """
    logits = types @ mentions.T / temperature  # (types, mentions)
    return (_one_direction(logits, matches) + _one_direction(logits.T, matches.T)) / 2


def _one_direction(logits: torch.Tensor, matches: torch.Tensor) -> torch.Tensor:
    """Mean over matches of -log(e^match / (e^match + sum of the row's non-matches))."""
    wrong = logits.masked_fill(matches, float("-inf")).logsumexp(1, keepdim=True)  # (rows, 1)
    losses = functional.softplus(wrong - logits)  # (rows, columns)
    weights = matches / matches.sum(1, keepdim=True).clamp(min=1)  # every row counts the same
    return (losses * weights).sum() / (matches.any(1).sum().clamp(min=1))


def triplet(anchor: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, margin: float = 0.5) -> torch.Tensor:
    """The paper's loss: cosine distances from a type's name to a mention of it and to a mention of another type.

    All are (triplets, size); PAPER section 3.

    Example:
        >>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        >>> float(triplet(a, a, b)), float(triplet(a, b, a))
        (0.0, 1.5)
    """
    near = 1 - functional.cosine_similarity(anchor, positive)
    far = 1 - functional.cosine_similarity(anchor, negative)
    return functional.relu(near - far + margin).mean()
