"""Measure every block and component of a backbone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModel, PreTrainedModel

from modeling_nerret.backbones import family_of
from modeling_nerret.configuration_nerret import POOLINGS
from modeling_nerret.loading import backbone_tokenizer
from modeling_nerret.weights import find_backbone, weight_files

from ..ranking import best_per_document, r_precisions, rank
from ..tasks.task import Task
from ..vectors import Forward, MentionVectors, WindowSettings, max_tokens_of, pool_mentions, pool_phrases
from .components import COMPONENTS, blocks_of, watch_blocks
from .pairs import Pairs, auc, draw_pairs

Grid = dict[str, dict[str, list[list[float]]]]  # measure -> pooling -> blocks of values, a value for each component


@dataclass(frozen=True)
class ProbeSettings:
    """How a backbone is probed.

    Args:
        pairs: how many pairs of each kind.
        seed: for the pairs.
        memory: bytes that the vectors of one group of blocks may take.
        device: where the model runs.
        dtype: of its weights.
    """

    pairs: int = 20_000
    seed: int = 0
    memory: int = 2**30
    device: str = "cpu"
    dtype: str = "float32"


def probe_layers(model: str, task: Task, settings: ProbeSettings | None = None) -> dict[str, Any]:
    """Measure all blocks and components of a backbone.

    Args:
        model: repository id or folder.
        task: the corpus; its gold mentions are used.
        settings: see `ProbeSettings`.

    Returns:
        The content of the JSON file: `auc` and `r_precision`, for each pooling a list of blocks of values in the order
        of `components`, and `best`: measure -> value, block, component and pooling.

    Raises:
        OSError: there is no such model.
        ValueError: the probe does not know its architecture, or the corpus has too few types or mentions.
    """
    settings = settings or ProbeSettings()
    backbone, windows = _load(model, settings)
    blocks = blocks_of(backbone, backbone.config)
    numbers = list(range(len(blocks)))
    mention_count = sum(len(document.mentions) for document in task.documents)
    grid: Grid = {measure: {pooling: [[]] * len(numbers) for pooling in POOLINGS} for measure in ("auc", "r_precision")}
    pairs: Pairs | None = None
    for group in _groups(numbers, mention_count, backbone.config, settings.memory):
        mentions, queries = _read_blocks(backbone, group, windows, task)
        if pairs is None:  # which mentions have tokens does not depend on the block
            mention_count = len(mentions.spans)
            pairs = draw_pairs(task, mentions.owners, mentions.spans, settings.pairs, settings.seed)
        vectors = BlockVectors(task, mentions, queries, pairs)
        for number, pooling in product(group, POOLINGS):
            keys = [(f"{number} {component}", pooling) for component in COMPONENTS]
            grid["auc"][pooling][number] = [vectors.auc(key) for key in keys]
            grid["r_precision"][pooling][number] = [vectors.r_precision(key) for key in keys]
        # Groups go from the last block to the first; the blocks after the remaining ones are not needed any more
        del blocks[group[0] :]
    return {
        "model": model,
        "corpus": task.name,
        "n_documents": len(task.documents),
        "n_mentions": mention_count,
        "n_types": len(task.types),
        "n_pairs": len(pairs.first) if pairs else 0,
        "seed": settings.seed,
        "blocks": numbers,
        "components": list(COMPONENTS),
        "poolings": list(POOLINGS),
        **grid,
        "best": {measure: _best(values) for measure, values in grid.items()},
    }


@dataclass(frozen=True)
class BlockVectors:
    """Vectors of mentions and queries from some blocks; a key is a component's name and a pooling."""

    task: Task
    mentions: MentionVectors
    queries: MentionVectors
    pairs: Pairs

    def auc(self, key: tuple[str, str]) -> float:
        """How well the cosine tells apart mentions that share a type and mentions that do not."""
        return auc(self.mentions.vectors[key], self.pairs)

    def r_precision(self, key: tuple[str, str]) -> float:
        """R-Precision of documents ranked by their best mention, averaged over types."""
        ids = [document.id for document in self.task.documents]
        vectors, owners = self.mentions.vectors[key], self.mentions.owners
        scores = (best_per_document(vectors @ query, owners, len(ids)) for query in self.queries.vectors[key])
        rankings = [rank(query_scores, ids) for query_scores in scores]
        return float(np.mean(r_precisions(rankings, self.task.relevant)))


def _load(model: str, settings: ProbeSettings) -> tuple[PreTrainedModel, WindowSettings]:
    """The whole backbone, and how texts are cut for it."""
    folder = find_backbone(model)
    weight_files(folder)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    backbone = AutoModel.from_pretrained(
        folder, dtype=settings.dtype, use_safetensors=True, trust_remote_code=False
    ).eval()
    torch.nn.Module.to(backbone, settings.device)
    backbone.config.use_cache = False
    causal = family_of(config).causal
    tokenizer = backbone_tokenizer(folder, causal)
    return backbone, WindowSettings(tokenizer, max_tokens_of(tokenizer, config), causal, settings.device)


def _groups(numbers: list[int], mentions: int, config: Any, memory: int) -> Iterator[list[int]]:
    """Blocks that are measured in one pass over the corpus, last blocks first."""
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    block = mentions * len(POOLINGS) * 4 * (5 * config.hidden_size + inner)  # bytes, about
    size = max(int(memory // max(block, 1)), 1)
    for end in range(len(numbers), 0, -size):
        yield numbers[max(end - size, 0) : end]


def _read_blocks(
    backbone: PreTrainedModel, numbers: list[int], windows: WindowSettings, task: Task
) -> tuple[MentionVectors, MentionVectors]:
    """Vectors of the mentions and of the queries, from all components of some blocks."""
    texts = [(document.text, document.mentions) for document in task.documents]
    with watch_blocks(blocks_of(backbone, backbone.config), numbers, backbone.config.model_type) as outputs:
        forward = _forward(backbone, outputs)
        mentions = pool_mentions(windows, texts, forward, POOLINGS, f"blocks {numbers[0]} to {numbers[-1]}")
        return mentions, pool_phrases(windows, task.queries, forward, POOLINGS)


def _forward(backbone: PreTrainedModel, outputs: dict[str, torch.Tensor]) -> Forward:
    def forward(ids: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        backbone(input_ids=ids, attention_mask=mask)
        return outputs

    return forward


def _best(values: dict[str, list[list[float]]]) -> dict[str, Any]:
    value, pooling, block, component = max(
        (value, pooling, block, component)
        for pooling, rows in values.items()
        for block, row in enumerate(rows)
        for component, value in zip(COMPONENTS, row, strict=True)
    )
    return {"value": value, "block": block, "component": component, "pooling": pooling}
