"""GLiNER (arXiv 2311.08526) as a detector: it finds the entities of a broad set of types, and the types are dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..detection import WORD
from ..documents import Document
from ..spans import Span
from ..windows import Window

# Broad enough to leave little out, few enough that each is found: GLiNER grows slower with every type
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
    """Any GLiNER checkpoint as a detector.

    Args:
        name_or_path: repository id or folder of the checkpoint.
        device: where it runs.
        types: what it looks for.
        threshold: score in [0, 1] above which a span is proposed.
        batch_size: texts that it reads at once.

    Raises:
        ImportError: GLiNER is not installed; the message has the command.
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
        """Spans of any of the types in each window's text."""
        pieces = [
            (number, start, end)
            for number, window in enumerate(windows)
            for start, end in parts(window.text, *window.span, self.model.config.max_len)
        ]
        texts = [windows[number].text[start:end] for number, start, end in pieces]
        answers = self.model.inference(texts, self.types, threshold=self.threshold, batch_size=self.batch_size)
        best: list[dict[tuple[int, int], float]] = [{} for _ in windows]
        for (number, shift, _), entities in zip(pieces, answers, strict=True):
            for entity in entities:
                place = (entity["start"] + shift, entity["end"] + shift)
                best[number][place] = max(best[number].get(place, 0.0), float(entity["score"]))
        return [[Span(*place, own[place]) for place in sorted(own)] for own in best]


def parts(text: str, start: int, end: int, limit: int) -> list[tuple[int, int]]:
    """Cut `text[start:end]` into parts of at most `limit` words, after a sentence where there is one.

    GLiNER leaves unread what is over its `max_len` words.

    Example:
        >>> text = "One two. Three four five six."
        >>> [text[start:end] for start, end in parts(text, 0, len(text), 5)]
        ['One two.', ' Three four five six.']
    """
    words = list(WORD.finditer(text, start, end))
    cut = []
    while len(words) > limit:
        ends = [at for at in range(limit // 2, limit) if words[at].group() in ".!?"]
        at = ends[-1] if ends else limit - 1
        cut.append((start, words[at].end()))
        start, words = words[at].end(), words[at + 1 :]
    return [*cut, (start, end)]
