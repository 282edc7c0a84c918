"""A checkpoint as stock sentence-transformers modules: without code, so that it runs where custom code is not allowed.

Transformer (the cut backbone) -> Pooling -> Dense (value projection) -> Dense -> Dense (head) -> Normalize. A query is
pooled over its own tokens. For pooling `mean`, a stock WordWeights module before the Pooling gives the tokenizer's
special tokens the weight 0. Old versions (sentence-transformers 4.0.2 with transformers 4.51.3) read the files as well
as today's do.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerBase

from modeling_nerret.loading import without_bars
from modeling_nerret.manifest import KINDS, write_manifest
from modeling_nerret.pretrained.checkpoints import Checkpoint

from .repository import pad_token, write_json, write_modules, write_st_config

# Weights of a stock model that nothing reads here
UNREAD = ("pooler.",)
SPECIAL = ("unk_token", "pad_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token")


def write_native(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the native form.

    Raises:
        ValueError: stock modules cannot give this checkpoint's vectors; the message says why.
    """
    model, config = checkpoint.model, checkpoint.model.config
    refuse_other_vectors(model)
    _write_backbone(model.backbone, folder)
    _write_tokenizer(checkpoint.tokenizer, folder)
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": config.max_tokens, "do_lower_case": False})
    modules = [("", "Transformer")]
    if config.pooling == "mean" and config.prefix_tokens + config.suffix_tokens:
        modules.append(("1_WordWeights", "WordWeights"))
        _write_weights(special_ids(checkpoint), model.backbone.config.vocab_size, folder / modules[-1][0])
    modules.append((f"{len(modules)}_Pooling", "Pooling"))
    _write_pooling(config.pooling, model.backbone.config.hidden_size, folder / modules[-1][0])
    inner, activation, _, outer = model.head
    for linear, function in ((model.value_projection, nn.Identity()), (inner, activation), (outer, nn.Identity())):
        modules.append((f"{len(modules)}_Dense", "Dense"))
        _write_dense(linear, function, folder / modules[-1][0])
    modules.append((f"{len(modules)}_Normalize", "Normalize"))
    # these names work in every version; newer ones translate them
    write_modules(folder, [(path, f"sentence_transformers.models.{name}") for path, name in modules])
    write_st_config(folder)
    write_manifest(folder, *KINDS)


def refuse_other_vectors(model: Any) -> None:
    """Refuse models whose vectors stock modules cannot give.

    Raises:
        ValueError: the message says why.
    """
    config = model.config
    if model.quantized:
        raise ValueError("the weights of a quantised backbone cannot be written; load it without quantisation")
    if config.pooling == "end" and not model.causal:
        raise ValueError(
            "no native form: with pooling 'end' this model, which reads in both directions, uses the last token before "
            "the special ones, and no stock module picks that token; train with pooling 'mean'"
        )
    if config.pooling == "end" and config.suffix_tokens:
        raise ValueError(
            "no native form: this tokenizer puts a token after the text, and stock pooling would take it for the end"
        )


def special_ids(checkpoint: Checkpoint) -> dict[str, int]:
    """The tokens that the tokenizer puts around a text, by name."""
    config, tokenizer = checkpoint.model.config, checkpoint.tokenizer
    ids = tokenizer("a")["input_ids"]
    special = ids[: config.prefix_tokens] + ids[len(ids) - config.suffix_tokens :]
    return {str(tokenizer.convert_ids_to_tokens(id_)): id_ for id_ in special}


def _write_backbone(backbone: Any, folder: Path) -> None:
    """Write the cut backbone as an ordinary stock model.

    Raises:
        ValueError: the stock model has weights that the cut one lacks.
    """
    config = AutoConfig.for_model(**backbone.config.to_dict())
    with torch.device("meta"):
        stock = AutoModel.from_config(config)
    weights = {name: weight.detach().cpu() for name, weight in backbone.state_dict().items()}
    expected = dict(stock.named_parameters())
    for name in sorted(expected.keys() - weights.keys()):
        if not name.startswith(UNREAD):
            raise ValueError(
                f"no native form: the stock {config.model_type} model cannot do without {name}, which comes after the "
                "last block of this model"
            )
        weights[name] = torch.zeros(expected[name].shape, dtype=backbone.dtype)
    stock = AutoModel.from_config(config, dtype=backbone.dtype)
    stock.load_state_dict(weights, strict=True)
    with without_bars():
        stock.save_pretrained(folder)
    path = folder / "config.json"
    write_json(path, for_both_generations(json.loads(path.read_text(encoding="utf-8"))))


def for_both_generations(config: dict[str, Any]) -> dict[str, Any]:
    """A backbone's config.json with the field names of transformers 4, which transformers 5 reads too.

    Example:
        >>> for_both_generations({"dtype": "float32", "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}})
        {'torch_dtype': 'float32', 'rope_theta': 500000.0}

    Raises:
        ValueError: the blocks count positions in different ways, for which there is no common form.
    """
    config = {name: value for name, value in config.items() if name not in ("_name_or_path", "dtype")} | {
        "torch_dtype": config["dtype"]
    }
    rope = config.pop("rope_parameters", None)
    if rope is None:
        return config
    if "rope_type" not in rope:
        raise ValueError(
            f"no native form: the blocks of {config['model_type']} count positions in different ways, which older "
            "versions of transformers write differently"
        )
    scaling = {name: value for name, value in rope.items() if name not in ("rope_theta", "partial_rotary_factor")}
    config |= {name: rope[name] for name in ("rope_theta", "partial_rotary_factor") if name in rope}
    return config if scaling == {"rope_type": "default"} else config | {"rope_scaling": scaling}


def _write_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write tokenizer.json, which is complete, and the few fields beside it that every version understands."""
    fast: Any = tokenizer
    fast.backend_tokenizer.no_truncation()
    fast.backend_tokenizer.no_padding()
    fast.backend_tokenizer.save(str(folder / "tokenizer.json"))
    tokens = {name: str(getattr(fast, name)) for name in SPECIAL if getattr(fast, name, None) is not None}
    tokens["pad_token"] = pad_token(fast)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False}
    config |= {"model_max_length": fast.model_max_length, "padding_side": "right"}
    write_json(folder / "tokenizer_config.json", config | tokens)
    write_json(folder / "special_tokens_map.json", tokens)


def _write_weights(special: dict[str, int], vocabulary: int, folder: Path) -> None:
    """Write a WordWeights module that leaves the special tokens out of the mean and counts all others once.

    The module uses its list of words only to compute the weights. They are in its file, so only the special tokens are
    named.
    """
    words, weights = [""] * vocabulary, torch.ones(vocabulary, 1)
    for name, id_ in special.items():
        words[id_], weights[id_] = name, 0.0
    config = {"vocab": words, "word_weights": dict.fromkeys(special, 0.0), "unknown_word_weight": 1}
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config) + "\n", encoding="utf-8")
    save_file({"emb_layer.weight": weights}, folder / "model.safetensors", {"format": "pt"})


def _write_pooling(pooling: str, size: int, folder: Path) -> None:
    modes = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")
    stock_mode = "lasttoken" if pooling == "end" else "mean_tokens"
    config = {"word_embedding_dimension": size} | {f"pooling_mode_{mode}": mode == stock_mode for mode in modes}
    write_json(folder / "config.json", config | {"include_prompt": True})


def _write_dense(linear: Any, activation: nn.Module, folder: Path) -> None:
    config = {"in_features": linear.in_features, "out_features": linear.out_features, "bias": linear.bias is not None}
    name = f"torch.nn.modules.{'linear' if isinstance(activation, nn.Identity) else 'activation'}"
    write_json(folder / "config.json", config | {"activation_function": f"{name}.{type(activation).__name__}"})
    weights = {f"linear.{part}": weight.detach().cpu().contiguous() for part, weight in linear.named_parameters()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
