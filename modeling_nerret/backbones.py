"""The table of backbone families: where a stock transformer keeps its blocks, norms and value projections."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from .configuration_nerret import backbone_fields
from .files import one_line


@dataclass(frozen=True)
class Family:
    """One way to build a transformer.

    Args:
        blocks: path of the list of blocks in the stock model.
        value: takes a block and its config and gives the value projection as one linear map.
        input_norm: path, in a block, of the norm before attention; `None` for post-norm blocks.
        final_norm: path, in the stock model, of the norm after the last block; `None` if there is none.
        causal: whether a token sees only what stands before it.
        first_layer: first block whose values can be read (some stock models cannot run without a block).
        first_position: position number of a text's first token, for stock models that would count the padding before
            it as well; `None` where positions are relative or follow the mask.
        options: further arguments with which the stock class is built.
    """

    blocks: str
    value: Callable[[nn.Module, PretrainedConfig], nn.Module]
    input_norm: str | None = None
    final_norm: str | None = None
    causal: bool = False
    first_layer: int = 0
    first_position: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    """A linear map of its own from the slice of a fused one. weight (value_size, size), bias (value_size,)."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta")
    layer.weight = nn.Parameter(weight.detach().clone().contiguous(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return layer


def _readable(block: nn.Module, path: str) -> Any:
    """A fused projection whose weight can be sliced.

    Raises:
        ValueError: its weight is packed into fewer bits, or lies on disk.
    """
    projection: Any = block.get_submodule(path)
    weight: torch.Tensor = projection.weight
    if not weight.is_floating_point() or weight.device.type == "meta":
        raise ValueError(
            f"queries, keys and values are one projection here ({path}), which cannot be sliced while it is quantised "
            "or kept on disk; leave this module out of the quantisation (llm_int8_skip_modules), or keep it in memory"
        )
    return projection


def _module(path: str) -> Callable[[nn.Module, PretrainedConfig], nn.Module]:
    """The value projection is a separate linear layer."""
    return lambda block, config: block.get_submodule(path)


def _last_rows(path: str) -> Callable[[nn.Module, PretrainedConfig], nn.Module]:
    """Queries, keys and values are one linear layer, the values its last rows."""

    def value(block: nn.Module, config: PretrainedConfig) -> nn.Module:
        projection = _readable(block, path)
        head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        size = (getattr(config, "num_key_value_heads", None) or config.num_attention_heads) * head_size
        return _linear(projection.weight[-size:], None if projection.bias is None else projection.bias[-size:])

    return value


def _last_columns(path: str) -> Callable[[nn.Module, PretrainedConfig], nn.Module]:
    """GPT-2's Conv1D: the fused weight is transposed, (size, 3 * size)."""

    def value(block: nn.Module, config: PretrainedConfig) -> nn.Module:
        projection = _readable(block, path)
        return _linear(projection.weight[:, -config.hidden_size :].T, projection.bias[-config.hidden_size :])

    return value


def _interleaved(path: str) -> Callable[[nn.Module, PretrainedConfig], nn.Module]:
    """GPT-NeoX: each head's query, key and value rows stand together."""

    def value(block: nn.Module, config: PretrainedConfig) -> nn.Module:
        projection, heads = _readable(block, path), config.num_attention_heads
        weight = projection.weight.view(heads, 3, -1, projection.weight.shape[1])[:, 2].flatten(0, 1)
        bias = None if projection.bias is None else projection.bias.view(heads, 3, -1)[:, 2].flatten()
        return _linear(weight, bias)

    return value


_NO_POOLER = {"add_pooling_layer": False}
_ROBERTA = Family("encoder.layer", _module("attention.self.value"), options=_NO_POOLER)
_LLAMA = Family("layers", _module("self_attn.v_proj"), "input_layernorm", "norm", causal=True)

FAMILIES: dict[str, Family] = {
    "bert": replace(_ROBERTA, first_position=0),
    "deberta-v2": Family("encoder.layer", _module("attention.self.value_proj"), first_layer=1, first_position=0),
    "distilbert": Family("transformer.layer", _module("attention.v_lin"), first_position=0),
    "gemma2": _LLAMA,
    "gemma3_text": _LLAMA,
    "gpt2": Family("h", _last_columns("attn.c_attn"), "ln_1", "ln_f", causal=True, first_position=0),
    "gpt_neox": Family(
        "layers", _interleaved("attention.query_key_value"), "input_layernorm", "final_layer_norm", causal=True
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "modernbert": Family("layers", _last_rows("attn.Wqkv"), "attn_norm", "final_norm", first_layer=1),
    "mpnet": Family("encoder.layer", _module("attention.attn.v"), first_position=2, options=_NO_POOLER),
    "olmo2": Family("layers", _module("self_attn.v_proj"), None, "norm", causal=True),
    "opt": Family(
        "decoder.layers", _module("self_attn.v_proj"), "self_attn_layer_norm", "decoder.final_layer_norm", causal=True
    ),
    "phi3": Family("layers", _last_rows("self_attn.qkv_proj"), "input_layernorm", "norm", causal=True),
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
}


def family_of(config: PretrainedConfig) -> Family:
    """The table's row for a backbone.

    Raises:
        ValueError: the architecture is not in the table.
    """
    try:
        return FAMILIES[config.model_type]
    except KeyError:
        raise unknown_family(config.model_type) from None


def unknown_family(model_type: str) -> ValueError:
    """The error for an architecture that is not in the table."""
    return ValueError(
        f"the backbone architecture {model_type!r:.80} is not supported; supported are {', '.join(FAMILIES)}. "
        "To add one, add a row to FAMILIES in modeling_nerret/backbones.py (CONTRIBUTING.md, 'Add a backbone')"
    )


def position_options(family: Family, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """`position_ids` (batch, tokens) that count from each row's first real token, where a family needs to be told."""
    if family.first_position is None:
        return {}
    before = (attention_mask.cumsum(1) == 0).sum(1, keepdim=True)  # (batch, 1), padding on the left
    positions = torch.arange(attention_mask.shape[1], device=attention_mask.device) - before  # (batch, tokens)
    return {"position_ids": positions.clamp(min=0) + family.first_position}


def cut(config: PretrainedConfig, blocks: int) -> PretrainedConfig:
    """A copy of a backbone's configuration with only its first `blocks` blocks.

    Raises:
        ValueError: the backbone has fewer blocks than that.
    """
    if blocks > config.num_hidden_layers:
        raise ValueError(
            f"block {blocks - 1} does not exist: {config.model_type} has {config.num_hidden_layers} blocks, "
            f"so layer must be from 0 to {config.num_hidden_layers - 1}"
        )
    config = copy.deepcopy(config)
    for name in ("layer_types", "attention_layers"):
        if isinstance(getattr(config, name, None), list):
            setattr(config, name, getattr(config, name)[:blocks])
    config.num_hidden_layers = blocks
    config.use_cache = False
    return config


def build_cut(cut_config: dict[str, Any], input_norm: bool, attention: str | None = None) -> PreTrainedModel:
    """A cut backbone with weights still to be loaded, as stored in a self-contained checkpoint."""
    fields = backbone_fields(cut_config)
    if fields["model_type"] not in FAMILIES:
        raise unknown_family(fields["model_type"])
    try:
        config = AutoConfig.for_model(**fields)
        config.dtype = torch.get_default_dtype()  # while a checkpoint is loaded this is what it is loaded in
        if hasattr(config, "_remove_final_layer_norm"):  # of OPT
            config._remove_final_layer_norm = not input_norm
        family = family_of(config)
        kwargs = {**family.options} | ({"attn_implementation": attention} if attention else {})
        backbone: Any = AutoModel.from_config(config, **kwargs)
        _set_final_norm(backbone, family, nn.Identity() if not input_norm else None)
    except ImportError:  # of what the caller asks for, such as a kernel
        raise
    except Exception as error:  # whatever a library makes of a value that it does not expect
        raise ValueError(
            f"no backbone can be built from cut_config in config.json ({type(error).__name__}: {one_line(error)}); "
            "fetch the checkpoint again"
        ) from error
    return backbone


def cut_backbone(backbone: Any, layer: int) -> tuple[Any, bool]:
    """Cut a loaded backbone in place before block `layer`, whose input norm becomes the final norm.

    Returns:
        The value projection of block `layer` as one linear map, and whether a norm stands before it.
    """
    config, family = backbone.config, family_of(backbone.config)
    blocks = backbone.get_submodule(family.blocks)
    block = blocks[layer]
    del blocks[layer:]
    # OPT's one post-norm size keeps the norm after attention although the module has the same name
    pre_norm = family.input_norm and getattr(config, "do_layer_norm_before", True)
    norm = block.get_submodule(family.input_norm) if pre_norm else nn.Identity()
    value = family.value(block, config)
    _set_final_norm(backbone, family, norm)
    backbone.config = cut(config, layer)
    if hasattr(backbone.config, "_remove_final_layer_norm"):
        backbone.config._remove_final_layer_norm = isinstance(norm, nn.Identity)
    for module in backbone.modules():
        # blocks and encoders read the number of blocks from their own reference to the configuration
        if getattr(module, "config", None) is config:
            module.config = backbone.config
    return value, not isinstance(norm, nn.Identity)


def _set_final_norm(backbone: nn.Module, family: Family, norm: nn.Module | None) -> None:
    """Put `norm` (None: leave the stock one) after the last block, and drop what stock models do after it."""
    if family.final_norm is None:
        return
    parent_path, _, name = family.final_norm.rpartition(".")
    parent: Any = backbone.get_submodule(parent_path)
    if norm is not None:
        setattr(parent, name, norm)
    if getattr(parent, "project_out", None) is not None:
        parent.project_out = None
