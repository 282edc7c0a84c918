"""A detector that runs GLiNER (arXiv 2311.08526) with a broad set of types, which it then ignores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..documents import Document
from ..forms import WORD
from ..spans import Span
from ..windows import Window

# Broad enough to cover most entities, few enough to be fast: every type makes GLiNER slower
TYPES = (
    "person",
    "group of people",
    "organization",
    "location",
    "building or structure",
    "event",
    "creative work",
    "product or vehicle",
    "technology",
    "animal",
    "plant",
    "food",
    "disease or symptom",
    "drug or chemical",
    "gene or protein",
    "award or title",
    "law or language",
    "date or number",
)
INSTALL = "pip install 'nerret[gliner]'"


class Gliner:
    """Use any GLiNER checkpoint as a detector.

    Args:
        name_or_path: repository id or folder of the checkpoint.
        device: where the model runs.
        types: entity types to look for.
        threshold: spans with a score above this are proposed, in [0, 1].
        batch_size: number of texts in a batch.

    Raises:
        ImportError: GLiNER is not installed; the message says how to install it.
    """

    reads_states = False

    def __init__(
        self,
        name_or_path: str,
        device: str = "cpu",
        types: Sequence[str] = TYPES,
        threshold: float = 0.3,
        batch_size: int = 8,
    ):
        try:
            from gliner import GLiNER
        except ImportError as error:
            raise ImportError(f"the detector gliner:{name_or_path} needs GLiNER ({error}): {INSTALL}") from None
        self.types, self.threshold, self.batch_size = list(types), threshold, batch_size
        self.model: Any = GLiNER.from_pretrained(name_or_path).to(device).eval()

    def propose(
        self, documents: Sequence[Document], windows: Sequence[Window], states: torch.Tensor | None
    ) -> list[list[Span]]:
        """The spans in each window's text that have any of the types, each with its best score."""
        pieces = [
            (number, start, end)
            for number, window in enumerate(windows)
            for start, end in split_long_text(window.text, *window.span, self.model.config.max_len)
        ]
        texts = [windows[number].text[start:end] for number, start, end in pieces]
        answers = self.model.inference(texts, self.types, threshold=self.threshold, batch_size=self.batch_size)
        best: list[dict[tuple[int, int], float]] = [{} for _ in windows]
        for (number, shift, _), entities in zip(pieces, answers, strict=True):
            for entity in entities:
                edges = (entity["start"] + shift, entity["end"] + shift)
                best[number][edges] = max(best[number].get(edges, 0.0), float(entity["score"]))
        return [[Span(*edges, scores[edges]) for edges in sorted(scores)] for scores in best]


def split_long_text(text: str, start: int, end: int, limit: int) -> list[tuple[int, int]]:
    """Split `text[start:end]` into parts of at most `limit` words, at the end of a sentence if possible.

    GLiNER ignores everything after its first `max_len` words.

    Example:
        >>> text = "One two. Three four five six."
        >>> [text[start:end] for start, end in split_long_text(text, 0, len(text), 5)]
        ['One two.', ' Three four five six.']
    """
    words = list(WORD.finditer(text, start, end))
    parts = []
    while len(words) > limit:
        sentence_ends = [index for index in range(limit // 2, limit) if words[index].group() in ".!?"]
        last = sentence_ends[-1] if sentence_ends else limit - 1
        parts.append((start, words[last].end()))
        start, words = words[last].end(), words[last + 1 :]
    return [*parts, (start, end)]
