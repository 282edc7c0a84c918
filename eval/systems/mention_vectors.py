"""Vectors of mentions straight from a backbone, without a trained head."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from modeling_nerret.backbones import FAMILIES
from modeling_nerret.configuration_nerret import POOLINGS
from modeling_nerret.loading import backbone_tokenizer
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.spans import Span
from modeling_nerret.weights import find_backbone, weight_files

from ..ranking import best_per_document
from ..vectors import Forward, MentionVectors, WindowSettings, max_tokens_of, pool_mentions, pool_phrases
from .trial import QueryScores, System, TaskScores, Trial


def value_vectors(name: str) -> System:
    """The system `bare:BACKBONE@LAYER`: value vectors of one block at the mentions.

    Raises:
        ValueError: not of the form `BACKBONE@LAYER`, `BACKBONE@LAYER@end` or `BACKBONE@LAYER@mean`.
        OSError: there is no such backbone.
    """
    backbone, _, suffix = name.partition("@")
    layer, _, pooling = suffix.partition("@")
    pooling = pooling or "mean"
    if not layer.isdigit() or pooling not in POOLINGS:
        raise ValueError(f"'bare:{name}' is not bare:BACKBONE@LAYER[@end|@mean], such as 'bare:{backbone}@4@mean'")
    find_backbone(backbone)
    return partial(_by_value, backbone, int(layer), pooling)


def last_layer(name: str) -> System:
    """The system `last:BACKBONE`: last hidden states at the mentions, averaged over their tokens.

    Raises:
        OSError: there is no such backbone.
    """
    find_backbone(name)
    return partial(_by_last_layer, name)


def _by_value(backbone: str, layer: int, pooling: str, trial: Trial) -> TaskScores:
    settings = trial.settings
    model = NerretModel.from_backbone(backbone, layer, pooling=pooling, dtype=settings.dtype)
    torch.nn.Module.to(model, settings.device)
    tokenizer = backbone_tokenizer(find_backbone(backbone), model.causal)
    windows = _windows(tokenizer, model.config.max_tokens, model.causal, trial)
    return _compare(windows, lambda ids, mask: {"": model.value_states(ids, mask)}, pooling, trial)


def _by_last_layer(backbone: str, trial: Trial) -> TaskScores:
    from transformers import AutoModel

    folder = find_backbone(backbone)
    weight_files(folder)
    model = AutoModel.from_pretrained(
        folder, dtype=trial.settings.dtype, use_safetensors=True, trust_remote_code=False
    ).eval()
    torch.nn.Module.to(model, trial.settings.device)
    causal = model.config.model_type in FAMILIES and FAMILIES[model.config.model_type].causal
    tokenizer = backbone_tokenizer(folder, causal)
    windows = _windows(tokenizer, max_tokens_of(tokenizer, model.config), causal, trial)
    return _compare(windows, lambda ids, mask: {"": model(ids, mask).last_hidden_state}, "mean", trial)


def _windows(tokenizer: Any, max_tokens: int, causal: bool, trial: Trial) -> WindowSettings:
    settings = trial.settings
    return WindowSettings(tokenizer, max_tokens, causal, settings.device, settings.batch_tokens)


def _compare(windows: WindowSettings, forward: Forward, pooling: str, trial: Trial) -> TaskScores:
    """Documents by the cosine of their best mention and the query."""
    texts = [(document.text, document.mentions) for document in trial.documents]
    mentions = pool_mentions(windows, texts, forward, [pooling], f"{trial.task.name}: mention vectors,")
    if not mentions.spans:
        raise ValueError(f"{trial.task.name} has no {trial.spans} mentions, which this system needs")
    vectors = mentions.vectors["", pooling]  # (mentions, size)
    queries = pool_phrases(windows, trial.task.queries, forward, [pooling]).vectors["", pooling]  # (queries, size)
    scores = (vectors @ query for query in queries)  # (mentions,) each
    query_scores = _query_scores(mentions, scores, len(texts))
    return TaskScores(query_scores, len(vectors), 2.0 * vectors.size / len(texts), uses_trial_mentions=True)


def _query_scores(mentions: MentionVectors, scores: Iterator[np.ndarray], documents: int) -> Iterator[QueryScores]:
    for mention_scores in scores:

        def best_mentions(depth: int, mention_scores: np.ndarray = mention_scores) -> dict[int, Span]:
            best: dict[int, Span] = {}
            for number in np.argsort(-mention_scores, kind="stable"):  # ties go to the mention that starts first
                best.setdefault(int(mentions.owners[number]), mentions.spans[number])
            return best

        yield QueryScores(best_per_document(mention_scores, mentions.owners, documents), best_mentions)
