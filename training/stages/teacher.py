"""A stock sentence-embedding model as a teacher: it scores texts for types as its users would."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from sentence_transformers import SentenceTransformer

from modeling_nerret.weights import PACKAGED, find_backbone


class Teacher:
    """Cosines of a sentence-transformers model; what it has read, it remembers.

    Args:
        name: repository or folder of the model.
        device: `"cpu"`, or `"auto"` for an accelerator if there is one.
    """

    def __init__(self, name: str, device: str):
        source = str(find_backbone(name)) if name in PACKAGED else name
        self.model = SentenceTransformer(
            source,
            device="cpu" if device == "cpu" else None,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        self.vectors: dict[str, torch.Tensor] = {}

    def __call__(self, queries: Sequence[str], passages: Sequence[str]) -> torch.Tensor:
        """Cosines of type queries and texts. (queries, passages)"""
        new = [text for text in dict.fromkeys([*queries, *passages]) if text not in self.vectors]
        if new:
            vectors = self.model.encode(new, normalize_embeddings=True, show_progress_bar=False)  # (texts, size)
            self.vectors |= zip(new, torch.from_numpy(vectors), strict=True)
        sides = (torch.stack([self.vectors[text] for text in texts]) for texts in (queries, passages))
        left, right = sides
        return left @ right.T
