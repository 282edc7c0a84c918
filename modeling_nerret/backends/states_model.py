"""The part of a model that a backend runs."""

from __future__ import annotations

import torch

from ..modeling_nerret import NerretModel


class StatesModel(torch.nn.Module):
    """Token ids and attention mask, (batch, tokens) each, to hidden states (batch, tokens, backbone size)."""

    def __init__(self, model: NerretModel):
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return self.model.hidden_states(ids, mask).float()

    @staticmethod
    def example() -> dict[str, torch.Tensor]:
        """Inputs of two sizes that differ."""
        ids = torch.arange(10).reshape(2, 5)
        return {"ids": ids, "mask": torch.ones_like(ids)}
