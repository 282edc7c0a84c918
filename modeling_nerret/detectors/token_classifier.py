"""A detector that runs a token-classification model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..documents import Document
from ..spans import Span
from ..windows import Window
from .model_files import load_model
from .pieces import pieces_of, spans_by_window


class TokenClassifier:
    """Use any Hugging Face token-classification checkpoint as a detector. Its entity types are ignored.

    Args:
        name_or_path: repository id or folder of the checkpoint.
        device: where the model runs.

    Raises:
        ValueError: it is no token classifier.
        OSError: there is no such checkpoint, or its weights are no safetensors.
    """

    reads_states = False

    def __init__(self, name_or_path: str, device: str = "cpu"):
        from transformers import AutoModelForTokenClassification, pipeline

        model, tokenizer = load_model(AutoModelForTokenClassification, name_or_path, "token classifier")
        positions = getattr(model.config, "max_position_embeddings", 512)
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions, 512)
        # With a stride the pipeline reads a long text in overlapping pieces; without one it would drop the end
        self.stride = tokenizer.model_max_length // 8
        options: dict[str, Any] = {"aggregation_strategy": "simple", "device": device}
        self.pipeline = pipeline("token-classification", model, tokenizer=tokenizer, **options)

    def propose(
        self, documents: Sequence[Document], windows: Sequence[Window], states: torch.Tensor | None
    ) -> list[list[Span]]:
        """One span for each entity that the checkpoint finds in a window's text."""
        pieces = pieces_of(windows)
        texts = [piece.form.text for piece in pieces]
        answers: Any = self.pipeline(texts, batch_size=len(texts), stride=self.stride) if texts else []
        entities = (
            [Span(group["start"], group["end"], float(group["score"])) for group in groups] for groups in answers
        )
        return spans_by_window(windows, zip(pieces, entities, strict=True))
