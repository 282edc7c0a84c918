"""A detector that runs a token-classification model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..documents import Document
from ..loading import without_bars
from ..spans import Span
from ..windows import Window


class TokenClassifier:
    """Use any Hugging Face token-classification checkpoint as a detector. Its entity types are ignored.

    Args:
        name_or_path: repository id or folder of the checkpoint.
        device: where the model runs.
    """

    reads_states = False

    def __init__(self, name_or_path: str, device: str = "cpu"):
        from transformers import pipeline

        options: dict[str, Any] = {"aggregation_strategy": "simple", "device": device, "trust_remote_code": False}
        with without_bars():
            self.pipeline = pipeline("token-classification", name_or_path, **options)
        tokenizer: Any = self.pipeline.tokenizer
        positions = getattr(self.pipeline.model.config, "max_position_embeddings", 512)
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions, 512)
        # With a stride the pipeline reads a long text in overlapping pieces; without one it would drop the end
        self.stride = tokenizer.model_max_length // 8

    def propose(
        self, documents: Sequence[Document], windows: Sequence[Window], states: torch.Tensor | None
    ) -> list[list[Span]]:
        """One span for each entity that the checkpoint finds in a window's text."""
        pieces = [window.text[slice(*window.span)] for window in windows]
        spans_by_window = []
        answers: Any = self.pipeline(pieces, batch_size=len(pieces), stride=self.stride)
        for window, groups in zip(windows, answers, strict=True):
            shift = window.span[0]
            spans = {Span(group["start"] + shift, group["end"] + shift, float(group["score"])) for group in groups}
            spans_by_window.append(sorted(span for span in spans if window.text[span.start : span.end].strip()))
        return spans_by_window
