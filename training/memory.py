"""Vectors of earlier batches, with which those of a batch are contrasted too (cross-batch memory, arXiv 1912.06798)."""

from __future__ import annotations

import torch
from torch import nn

from training.losses import info_nce_rows

NONE = -1  # fills rows of types up to a common width


class Memory(nn.Module):
    """The latest vectors of type queries and of what has types, mentions or texts, of one source.

    A batch of some sixty texts holds few wrong answers. Those of the batches just before cost nothing and are almost
    as good as if they were computed anew; no gradient goes through them. All of it is in the state, so that an
    interrupted run ends as if it had not been interrupted.

    Args:
        width: most types of a mention or text.
        size: of a vector.
        most: how many queries, and how many mentions or texts, are remembered; 0 looks at the batch alone.
    """

    queries: torch.Tensor
    names: torch.Tensor
    vectors: torch.Tensor
    labels: torch.Tensor
    filled: torch.Tensor

    def __init__(self, width: int, size: int, most: int):
        super().__init__()
        self.most = most
        self.register_buffer("queries", torch.zeros(most, size))
        self.register_buffer("names", torch.full((most,), NONE))
        self.register_buffer("vectors", torch.zeros(most, size))
        self.register_buffer("labels", torch.full((most, width), NONE))
        self.register_buffer("filled", torch.zeros(2, dtype=torch.long))

    def contrast(
        self,
        queries: torch.Tensor,
        names: torch.Tensor,
        vectors: torch.Tensor,
        labels: torch.Tensor,
        temperature: float,
    ) -> torch.Tensor:
        """Loss of types against mentions (or texts) and of mentions against types, those remembered included.

        Args:
            queries: (types, size), length 1.
            names: (types,), their numbers, from 0.
            vectors: (mentions, size), length 1.
            labels: (mentions, width), the numbers of their types, `NONE` after the last.
            temperature: above 0.
        """
        asked, seen = self.filled.tolist()
        mentions = torch.cat([vectors, self.vectors[:seen]])  # (mentions + remembered, size)
        types = torch.cat([queries, self.queries[:asked]])  # (types + remembered, size)
        forth = have(torch.cat([labels, self.labels[:seen]]), names)
        back = have(labels, torch.cat([names, self.names[:asked]])).T
        found = info_nce_rows(queries @ mentions.T / temperature, forth)
        return (found + info_nce_rows(vectors @ types.T / temperature, back)) / 2

    @torch.no_grad()
    def keep(self, queries: torch.Tensor, names: torch.Tensor, vectors: torch.Tensor, labels: torch.Tensor) -> None:
        """Remember a batch, in the place of what is oldest."""
        self.queries = torch.cat([queries, self.queries])[: self.most]
        self.names = torch.cat([names, self.names])[: self.most]
        self.vectors = torch.cat([vectors, self.vectors])[: self.most]
        self.labels = torch.cat([labels, self.labels])[: self.most]
        added = torch.tensor([len(queries), len(vectors)], device=self.filled.device)
        self.filled = (self.filled + added).clamp(max=self.most)


def have(labels: torch.Tensor, names: torch.Tensor) -> torch.Tensor:
    """Which of the types `names` (t,) stand in rows of types `labels` (n, width). (t, n).

    Example:
        >>> have(torch.tensor([[4, 7], [7, NONE]]), torch.tensor([7, 4])).tolist()
        [[True, True], [True, False]]
    """
    return (labels[None] == names[:, None, None]).any(-1)
