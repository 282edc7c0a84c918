"""Losses over a batch of types and mentions: pure tensor arithmetic."""

from __future__ import annotations

import torch
from torch.nn import functional


def info_nce(
    types: torch.Tensor,
    mentions: torch.Tensor,
    matches: torch.Tensor,
    temperature: float,
    neutral: torch.Tensor | None = None,
) -> torch.Tensor:
    """In-batch contrast in both directions; several answers may be right.

    The mentions of a type compete with the batch's mentions that do not have it, and the types of a mention compete
    with the types that it does not have. A right answer never competes with another right answer.

    Args:
        types: (types, size), length 1.
        mentions: (mentions, size), length 1.
        matches: (types, mentions), whether the mention has the type.
        temperature: above 0.
        neutral: (types, mentions), pairs that are neither right nor wrong; `None` if there are none.

    Returns:
        A number: the mean over all matching pairs, both directions averaged.

    Example:
        >>> vectors = torch.eye(2)
        >>> right, wrong = (info_nce(vectors, rows, vectors.bool(), 0.1) for rows in (vectors, vectors.flip(0)))
        >>> bool(right < wrong)
        True
    """
    logits = types @ mentions.T / temperature  # (types, mentions)
    wrong = ~matches if neutral is None else ~(matches | neutral)
    return (_one_direction(logits, matches, wrong) + _one_direction(logits.T, matches.T, wrong.T)) / 2


def mention_contrast(mentions: torch.Tensor, matches: torch.Tensor, temperature: float) -> torch.Tensor:
    """Contrast of mentions with each other: those that share a type of the batch are right, others wrong.

    Args:
        mentions: (mentions, size), length 1.
        matches: (types, mentions), whether the mention has the type.
        temperature: above 0.
    """
    identity = torch.eye(len(mentions), dtype=torch.bool, device=mentions.device)
    shares_type = matches.float().T @ matches.float() > 0  # (mentions, mentions)
    return info_nce(mentions, mentions, shares_type & ~identity, temperature, neutral=identity)


def _one_direction(logits: torch.Tensor, matches: torch.Tensor, wrong: torch.Tensor) -> torch.Tensor:
    """Mean over matches of -log(e^match / (e^match + sum over the wrong pairs of its row))."""
    negatives = logits.masked_fill(~wrong, float("-inf")).logsumexp(1, keepdim=True)  # (rows, 1)
    losses = functional.softplus(negatives - logits)  # (rows, columns)
    weights = matches / matches.sum(1, keepdim=True).clamp(min=1)  # every row counts the same
    return (losses * weights).sum() / (matches.any(1).sum().clamp(min=1))


def distillation(scores: torch.Tensor, teacher: torch.Tensor, temperature: float) -> torch.Tensor:
    """How far two rankings of documents are apart: the divergence of a teacher's shares from a student's.

    Each query has shares of the documents, and each document shares of the queries: the softmax of the cosines over the
    temperature (Hinton et al., 2015, on cosines).

    Args:
        scores: (queries, documents), the student's cosines.
        teacher: (queries, documents), the teacher's.
        temperature: above 0.

    Returns:
        A number, 0 if both are equal: the mean over queries and over documents, averaged.

    Example:
        >>> scores = torch.eye(2)
        >>> float(distillation(scores, scores, 0.1)), bool(distillation(scores, 1 - scores, 0.1) > 1)
        (0.0, True)
    """
    divergences = [
        functional.kl_div(
            (scores / temperature).log_softmax(axis),
            (teacher / temperature).log_softmax(axis),
            reduction="none",
            log_target=True,
        )
        .sum(axis)
        .mean()
        for axis in (0, 1)
    ]
    return torch.stack(divergences).mean()


def triplet(anchor: torch.Tensor, positive: torch.Tensor, negative: torch.Tensor, margin: float = 0.5) -> torch.Tensor:
    """The paper's loss: cosine distances from a type's name to a mention of it and to a mention of another type.

    All are (triplets, size); arXiv 2509.04011, section 3.

    Example:
        >>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
        >>> float(triplet(a, a, b)), float(triplet(a, b, a))
        (0.0, 1.5)
    """
    positive_distance = 1 - functional.cosine_similarity(anchor, positive)
    negative_distance = 1 - functional.cosine_similarity(anchor, negative)
    return functional.relu(positive_distance - negative_distance + margin).mean()


def hardest(anchor: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
    """For each anchor the nearest negative: the smallest cosine distance, not the largest.

    Args:
        anchor: (triplets, size).
        negatives: (negatives, size); each is a negative of every anchor.

    Returns:
        (triplets, size).

    Example:
        >>> anchor, negatives = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.9, 0.1], [-1.0, 0.0]])
        >>> hardest(anchor, negatives).tolist()
        [[0.8999999761581421, 0.10000000149011612]]
    """
    cosines = functional.normalize(anchor, dim=-1) @ functional.normalize(negatives, dim=-1).T  # (triplets, negatives)
    return negatives[cosines.argmax(1)]
