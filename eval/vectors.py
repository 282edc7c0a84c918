"""Vectors of mentions, pooled from any tensors that a transformer makes on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from modeling_nerret.modeling_nerret import pool
from modeling_nerret.spans import Span
from modeling_nerret.windows import TextWindows, Window, batches, by_text, make_windows, stack

Forward = Callable[[torch.Tensor, torch.Tensor], dict[str, torch.Tensor]]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reader:
    """How texts are cut for a transformer.

    Args:
        tokenizer: its fast tokenizer.
        max_tokens: length of a window.
        causal: whether a token sees only what stands before it.
        device: where the transformer is.
        batch_tokens: most tokens of a batch, padding included.
    """

    tokenizer: Any
    max_tokens: int
    causal: bool
    device: str = "cpu"
    batch_tokens: int = 4096


@dataclass(frozen=True)
class MentionVectors:
    """Mentions in order of their document and start.

    Args:
        owners: (mentions,), number of each mention's text.
        spans: where each mention stands in its text.
        vectors: by name of the tensor and pooling, (mentions, size) float32, each of length 1.
    """

    owners: np.ndarray
    spans: list[Span]
    vectors: dict[tuple[str, str], np.ndarray]


def limit_of(tokenizer: Any, config: Any) -> int:
    """The longest window in tokens that tokenizer and position embeddings allow, at most 2048."""
    return min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", None) or 512, 2048)


@torch.inference_mode()
def read_mentions(
    reader: Reader,
    texts: Sequence[tuple[str, Sequence[Span]]],
    forward: Forward,
    poolings: Sequence[str],
    description: str = "mention vectors",
) -> MentionVectors:
    """Pool tensors over mentions, batch by batch, so that nothing but the pooled vectors is kept.

    Args:
        reader: how texts are cut.
        texts: each with its mentions.
        forward: from token ids and attention mask, (windows, tokens) each, to named tensors (windows, tokens, size).
        poolings: `"end"`, `"mean"` or both.
        description: what the progress bar says.
    """
    windows = make_windows(reader.tokenizer, [text for text, _ in texts], reader.max_tokens)
    shown = by_text(windows, len(texts))
    parts: dict[tuple[str, str], list[np.ndarray]] = {}
    places: list[tuple[int, Span]] = []
    for batch in tqdm(list(batches(windows, reader.batch_tokens)), desc=description, disable=None):
        rows, found = _token_spans(batch, texts, shown, reader.causal)
        if not rows:
            continue
        places += found
        for name, states in forward(*stack(batch, reader.device)).items():
            for pooling in poolings:
                pooled = torch.nn.functional.normalize(pool(states, torch.tensor(rows), pooling), dim=-1)
                parts.setdefault((name, pooling), []).append(pooled.cpu().numpy())
    if lost := sum(len(set(spans)) for _, spans in texts) - len(places):
        logger.warning("%s: %d mentions have no token and were left out", description, lost)
    order = sorted(range(len(places)), key=places.__getitem__)
    vectors = {key: np.concatenate(parts.pop(key))[order] for key in list(parts)}  # one copy more of one key only
    owners = np.array([places[at][0] for at in order], dtype=np.int64)
    return MentionVectors(owners, [places[at][1] for at in order], vectors)


def read_phrases(reader: Reader, phrases: Sequence[str], forward: Forward, poolings: Sequence[str]) -> MentionVectors:
    """Vectors of whole phrases, such as type queries, by the rule for mentions.

    Raises:
        ValueError: a phrase has no character that the tokenizer knows.
    """
    found = read_mentions(reader, [(one, [Span(0, len(one))]) for one in phrases], forward, poolings, "queries")
    if missing := set(range(len(phrases))) - set(found.owners.tolist()):
        raise ValueError(f"the query {phrases[min(missing)]!r} has no characters that the model can read")
    return found


def _token_spans(
    batch: Sequence[Window],
    texts: Sequence[tuple[str, Sequence[Span]]],
    shown: Sequence[TextWindows],
    causal: bool,
) -> tuple[list[tuple[int, int, int]], list[tuple[int, Span]]]:
    """Row, first and last token + 1, and owner and place, of each mention that a window of the batch shows best."""
    rows, places = [], []
    for row, window in enumerate(batch):
        for span in dict.fromkeys(texts[window.owner][1]):
            place = shown[window.owner].place(span.start, span.end, causal)
            if place is not None and place[0] == window.number:
                rows.append((row, *place[1]))
                places.append((window.owner, span))
    return rows, places
