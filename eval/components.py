"""Where the blocks of stock transformers make queries, keys, values and the rest, for the probe to look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from modeling_nerret.backbones import family_of

# Queries and keys are taken as projected, before any norm or rotation. The attention output is what its output
# projection gives, before the residual is added; the inner vector of the feed-forward network is what its second
# projection takes; the residual is what the block hands to the next one.
NAMES = ("q", "k", "v", "attention output", "MLP inner", "residual")

# Paths in a block, in the order of NAMES without the residual
_BERT = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "output.dense",
)
_LLAMA = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.down_proj")
PATHS: dict[str, tuple[str, ...]] = {
    "bert": _BERT,
    "deberta-v2": (
        "attention.self.query_proj",
        "attention.self.key_proj",
        "attention.self.value_proj",
        "attention.output.dense",
        "output.dense",
    ),
    "distilbert": ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin", "ffn.lin2"),
    "gemma2": _LLAMA,
    "gemma3_text": _LLAMA,
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "mpnet": ("attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o", "output.dense"),
    "olmo2": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "roberta": _BERT,
    "xlm-roberta": _BERT,
}


def blocks_of(backbone: nn.Module, config: Any) -> nn.ModuleList:
    """The backbone's list of blocks.

    Raises:
        ValueError: the probe does not know where this architecture keeps its parts.
    """
    if config.model_type not in PATHS:
        raise ValueError(
            f"the probe cannot look into {config.model_type!r}; it can look into {', '.join(PATHS)}. "
            f"To add one whose queries, keys and values are projections of their own, add a row to PATHS in {__name__}"
        )
    blocks = backbone.get_submodule(family_of(config).blocks)
    assert isinstance(blocks, nn.ModuleList)
    return blocks


@contextmanager
def watched(blocks: nn.ModuleList, numbers: Sequence[int], model_type: str) -> Iterator[dict[str, torch.Tensor]]:
    """Watch some blocks; the dictionary holds what they made in the latest forward pass.

    Args:
        blocks: all blocks.
        numbers: the blocks to watch.
        model_type: the architecture.

    Yields:
        By `"<block> <component>"`, (batch, tokens, size).
    """
    seen: dict[str, torch.Tensor] = {}
    with ExitStack() as stack:
        for number in numbers:
            for component, path in zip(NAMES, PATHS[model_type], strict=False):
                keep = partial(_keep, seen, f"{number} {component}", component == "MLP inner")
                stack.callback(blocks[number].get_submodule(path).register_forward_hook(keep).remove)
            keep = partial(_keep, seen, f"{number} residual", False)
            stack.callback(blocks[number].register_forward_hook(keep).remove)
        yield seen


def _keep(seen: dict[str, torch.Tensor], key: str, taken: bool, module: nn.Module, inputs: Any, output: Any) -> None:
    """Keep what a module took or gave."""
    value = inputs[0] if taken else output
    seen[key] = value[0] if isinstance(value, tuple) else value
