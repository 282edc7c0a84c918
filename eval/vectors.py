"""Vectors of mentions, pooled from any tensors that a transformer computes on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from modeling_nerret.cli.progress import Progress
from modeling_nerret.modeling_nerret import pool
from modeling_nerret.spans import Span
from modeling_nerret.windows import Sightings, batches, make_windows, row_owners, stack, token_rows

Forward = Callable[[torch.Tensor, torch.Tensor], dict[str, torch.Tensor]]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WindowSettings:
    """How texts are cut into windows for a transformer.

    Args:
        tokenizer: its fast tokenizer.
        max_tokens: length of a window.
        causal: whether a token sees only the tokens before it.
        device: where the transformer is.
        batch_tokens: most tokens in a batch, padding included.
    """

    tokenizer: Any
    max_tokens: int
    causal: bool
    device: str = "cpu"
    batch_tokens: int = 4096


@dataclass(frozen=True)
class MentionVectors:
    """Mentions in order of their text and start.

    Args:
        owners: (mentions,), number of each mention's text.
        spans: characters of each mention in its text.
        vectors: by name of the tensor and pooling, (mentions, size) float32, each of length 1.
    """

    owners: np.ndarray
    spans: list[Span]
    vectors: dict[tuple[str, str], np.ndarray]


def max_tokens_of(tokenizer: Any, config: Any) -> int:
    """The longest window in tokens that tokenizer and position embeddings allow, at most 2048."""
    return min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", None) or 512, 2048)


@torch.inference_mode()
def pool_mentions(
    settings: WindowSettings,
    texts: Sequence[tuple[str, Sequence[Span]]],
    forward: Forward,
    poolings: Sequence[str],
    description: str = "mention vectors",
) -> MentionVectors:
    """Pool tensors over mentions, batch by batch, and keep only the pooled vectors.

    Args:
        settings: how texts are cut.
        texts: each with its mentions.
        forward: from token ids and attention mask, (windows, tokens) each, to named tensors (windows, tokens, size).
        poolings: `"end"`, `"mean"` or both.
        description: label of the progress.
    """
    windows = make_windows(settings.tokenizer, [text for text, _ in texts], settings.max_tokens)
    sightings = Sightings(windows, settings.causal)
    parts: dict[tuple[str, str], list[np.ndarray]] = {}
    mentions: list[tuple[int, Span]] = []  # owner and span
    for batch in Progress(list(batches(windows, settings.batch_tokens)), description, "batches"):
        groups = [sightings.of(window, dict.fromkeys(texts[window.owner][1])) for window in batch]
        rows = token_rows(groups)  # (mentions, 3)
        if not len(rows):
            continue
        mentions += row_owners(batch, groups)
        for name, states in forward(*stack(batch, settings.device)).items():
            for pooling in poolings:
                vectors = torch.nn.functional.normalize(pool(states, rows, pooling), dim=-1)  # (mentions, size)
                parts.setdefault((name, pooling), []).append(vectors.cpu().numpy())
    if sightings.unmapped:
        logger.warning("%s: left out %d mentions that no token covers", description, len(sightings.unmapped))
    order = sorted(range(len(mentions)), key=mentions.__getitem__)
    # Each key's parts are freed as soon as they are joined
    joint_vectors = {key: np.concatenate(parts.pop(key))[order] for key in list(parts)}
    owners = np.array([mentions[number][0] for number in order], dtype=np.int64)
    return MentionVectors(owners, [mentions[number][1] for number in order], joint_vectors)


def pool_phrases(
    settings: WindowSettings, phrases: Sequence[str], forward: Forward, poolings: Sequence[str]
) -> MentionVectors:
    """Vectors of whole phrases, such as type queries, by the same rule as for mentions.

    Raises:
        ValueError: a phrase has no character that the tokenizer knows.
    """
    texts = [(phrase, [Span(0, len(phrase))]) for phrase in phrases]
    vectors = pool_mentions(settings, texts, forward, poolings, "queries")
    unmapped = set(range(len(phrases))) - set(vectors.owners.tolist())
    if unmapped:
        raise ValueError(f"the query {phrases[min(unmapped)]!r} has no characters that the model can read")
    return vectors
