"""Where the blocks of stock transformers compute queries, keys, values and the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from modeling_nerret.backbones import family_of

# Queries and keys are taken right after their projection, before any norm or rotation. The attention output is the
# result of its output projection, before the residual is added. The inner vector of the feed-forward network is the
# input of its second projection. The residual is the block's output.
COMPONENTS = ("q", "k", "v", "attention output", "MLP inner", "residual")

# Paths in a block, in the order of COMPONENTS without the residual
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
        ValueError: the probe does not know where this architecture keeps its components.
    """
    if config.model_type not in PATHS:
        raise ValueError(
            f"the probe cannot look into {config.model_type!r}; it can look into {', '.join(PATHS)}. If its queries, "
            f"keys and values are separate projections, add a row to PATHS in {__name__}"
        )
    blocks = backbone.get_submodule(family_of(config).blocks)
    assert isinstance(blocks, nn.ModuleList)
    return blocks


@contextmanager
def watch_blocks(blocks: nn.ModuleList, numbers: Sequence[int], model_type: str) -> Iterator[dict[str, torch.Tensor]]:
    """Watch some blocks while the `with` block runs.

    Args:
        blocks: all blocks.
        numbers: the blocks to watch.
        model_type: the architecture.

    Yields:
        The tensors of the latest forward pass, (batch, tokens, size) each, by `"<block> <component>"`.
    """
    outputs: dict[str, torch.Tensor] = {}
    with ExitStack() as stack:
        for number in numbers:
            for component, path in zip(COMPONENTS, PATHS[model_type], strict=False):
                hook = partial(_keep, outputs, f"{number} {component}", component == "MLP inner")
                stack.callback(blocks[number].get_submodule(path).register_forward_hook(hook).remove)
            hook = partial(_keep, outputs, f"{number} residual", False)
            stack.callback(blocks[number].register_forward_hook(hook).remove)
        yield outputs


def _keep(
    outputs: dict[str, torch.Tensor], key: str, keep_input: bool, module: nn.Module, inputs: Any, output: Any
) -> None:
    """Keep a module's input or output."""
    value = inputs[0] if keep_input else output
    outputs[key] = value[0] if isinstance(value, tuple) else value
