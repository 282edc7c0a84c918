"""A configuration is checked as a whole, and what only a caller chooses is not taken from it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModel

from modeling_nerret import MentionProbe, NerretConfig, NerretModel
from modeling_nerret.adapters import add_adapter
from modeling_nerret.hub_card.build import read_recipes
from modeling_nerret.loading import read_config
from modeling_nerret.manifest import MANIFEST
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from tests.tiny import save_backbone, save_checkpoint

NAN = float("nan")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        *((name, (NAN, float("inf"), "0.5", None, True, [0.5], -2)) for name in ("match_score", "document_weight")),
        *((name, (NAN, -1, 2, "x")) for name in ("document_floor", "phrase_weight")),
        *((name, (NAN, -1, 10**400, 1e300)) for name in ("lexical_weight",)),
        *((name, (NAN, 0, -1, {})) for name in ("lexical_half",)),
        *((name, (0, 1, "true", None)) for name in ("value_bias", "input_norm")),
        *((name, (1.5, "8", True, None, -1, 10**12)) for name in ("layer", "value_size", "head_size", "max_tokens")),
        ("dropout", (NAN, 1, "x", None)),
        ("pooling", (["mean"], None, 5)),
        ("backbone", (5, "", "a\0b", ["x"], "x" * 5000)),
        ("backbone_sha256", ("abc", "G" * 64, 5)),
        ("adapter_sha256", ("abc", [])),
        ("golden_tokens", ([-1], ["a"], [1.5], {}, [True], [[1]], "x", [2] * 5000)),
        ("golden_vector", ([NAN], ["a"], {}, [None], [0.1] * 17)),
        ("cut_config", ([], "bert", {}, {"model_type": 5})),
        ("dtype", ("load", "float8", 5, -0.5, NAN)),
        ("model_type", ("bert", ["nerret"], {}, None)),
    ],
)
def test_every_field_is_checked_for_type_and_range(name: str, values: tuple[Any, ...]) -> None:
    for value in values:
        with pytest.raises(ValueError, match=rf"^{name} is "):
            NerretConfig.from_dict({name: value})


def test_what_a_caller_sets_is_checked_as_well(tiny_checkpoint: str) -> None:
    with pytest.raises(ValueError, match="document_weight is nan"):
        NerretModel.from_pretrained(tiny_checkpoint, document_weight=NAN)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A self-contained checkpoint without a manifest, whose configuration a test may change."""
    folder = Path(save_checkpoint(tmp_path))
    (folder / MANIFEST).unlink()
    return folder


def _configure(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"vocab_size": 10**9, "hidden_size": 10**6},
        {"max_position_embeddings": 2**31},
        {"intermediate_size": 2**31},
        {"hidden_size": -32},
        {"hidden_size": 0},
        {"num_attention_heads": 0},
        {"num_attention_heads": 3},
        {"num_hidden_layers": 10**9},
        {"num_labels": 10**9},
        {"chunk_size_feed_forward": "x"},
        {"layer_norm_eps": NAN},
        {"hidden_act": "system"},
        {"hidden_act": ["gelu"]},
        {"hidden_dropout_prob": 7},
        {"vocab_size": None},
        {"vocab_size": "79"},
        {"model_type": "gpt5"},
        {"model_type": "mamba"},
    ],
)
def test_a_backbone_that_cannot_be_is_refused_at_once(fields: dict[str, Any], checkpoint: Path) -> None:
    _configure(checkpoint, cut_config=json.loads((checkpoint / "config.json").read_text())["cut_config"] | fields)
    with pytest.raises(ValueError, match=r"config\.json"):
        NerretModel.from_pretrained(checkpoint)


def test_windows_longer_than_the_backbones_positions_are_refused(checkpoint: Path) -> None:
    _configure(checkpoint, max_tokens=65)
    with pytest.raises(ValueError, match="max_tokens is 65, but this bert has only 64 positions"):
        NerretModel.from_pretrained(checkpoint)


FOREIGN = {
    "_attn_implementation": "someone/kernel",
    "attn_implementation": "kernels-community/flash-attn",
    "_experts_implementation": "someone/kernel",
    "_name_or_path": "someone/else",
    "transformers_weights": "other.safetensors",
    "fusion_config": {"a": True},
}


def test_attention_kernels_and_other_weights_are_not_taken_from_a_configuration(checkpoint: Path) -> None:
    ids = torch.tensor([[2, 7, 8, 3]])
    expected = NerretModel.from_pretrained(checkpoint)(ids).embeddings
    cut_config = json.loads((checkpoint / "config.json").read_text())["cut_config"]
    foreign = FOREIGN | {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    _configure(checkpoint, cut_config=cut_config | foreign | {"auto_map": {"AutoModel": "x.Y"}}, **foreign)
    for load in (NerretModel.from_pretrained, AutoModel.from_pretrained):
        model = load(checkpoint)
        assert torch.equal(model(ids).embeddings, expected)
        assert model.backbone.config._attn_implementation == "sdpa" and not model.quantized


def test_neither_are_they_from_a_backbones(tmp_path: Path) -> None:
    folder = Path(save_backbone(tmp_path / "b"))
    _configure(folder, **FOREIGN)
    model = NerretModel.from_backbone(folder, 2)
    assert model.backbone.config._attn_implementation == "sdpa"
    _configure(folder, quantization_config={"quant_method": "fp8"})
    with pytest.raises(ValueError, match="quantised, which only the caller chooses"):
        NerretModel.from_backbone(folder, 2)
    shutil.copyfile(folder / "config.json", folder / "adapter_config.json")
    _configure(folder, quantization_config=None)
    with pytest.raises(OSError, match=r"adapter_config\.json, an adapter that would change the backbone"):
        NerretModel.from_backbone(folder, 2)


def test_the_error_for_a_damaged_backbone_names_its_configuration(tmp_path: Path) -> None:
    folder = Path(save_backbone(tmp_path / "b"))
    for fields in ({"hidden_size": "x"}, {"model_type": None}, {"dtype": "load"}):
        original = (folder / "config.json").read_text()
        _configure(folder, **fields)
        with pytest.raises(ValueError, match=r"config\.json|is not supported"):
            read_config(folder) if "model_type" in fields else NerretModel.from_backbone(folder, 2)
        (folder / "config.json").write_text(original)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target_modules": "(a+)+$"}, "target_modules"),
        ({"target_modules": ["(.*)*query"]}, "target_modules"),
        ({"exclude_modules": "((a|a)*)*b"}, "exclude_modules"),
        ({"rank_pattern": {"(a+)+": 4}}, "rank_pattern"),
        ({"alpha_pattern": {"query": "x"}}, "alpha_pattern"),
        ({"layers_pattern": "(a+)+"}, "layers_pattern"),
        ({"r": 10**9}, "r is"),
        ({"lora_alpha": NAN}, "lora_alpha"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"megatron_config": {"a": 1}}, "megatron_config"),
        ({"corda_config": {"cache_file": "x.pt"}}, "corda_config"),
        ({"modules_to_save": ["x"]}, "modules_to_save"),
        ({"peft_type": "PROMPT_TUNING"}, "peft_type"),
        ({"peft_type": None}, "peft_type"),
        ({"a_new_setting": 5}, "a_new_setting"),
    ],
)
def test_settings_of_an_adapter_that_could_do_harm_are_refused(
    fields: dict[str, Any], message: str, tmp_path: Path
) -> None:
    settings = {"peft_type": "LORA", "r": 4, "target_modules": ["query"], "megatron_core": "megatron.core"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings | fields))
    with pytest.raises(ValueError, match=rf"adapter_config\.json: {message}"):
        add_adapter(None, tmp_path)


@pytest.mark.parametrize(
    "fields", [{"threshold": None}, {"threshold": NAN}, {"size": 1.5}, {"max_words": 10**9}, {"nested": 1}, {"x": 1}]
)
def test_a_detectors_configuration_is_checked(fields: dict[str, Any], checkpoint: Path) -> None:
    path = checkpoint / "detector.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
    with pytest.raises(ValueError, match=r"detector\.json is no MentionProbe"):
        MentionProbe.from_pretrained(checkpoint)


def test_a_recipe_that_names_itself_as_its_start_is_refused(checkpoint: Path) -> None:
    (checkpoint / "recipe.json").write_text(json.dumps({"init": str(checkpoint)}))
    with pytest.raises(ValueError, match=r"recipe\.json names itself as its own start"):
        read_recipes(str(checkpoint))


def test_a_panic_of_compiled_code_is_one_sentence(checkpoint: Path) -> None:
    path = checkpoint / "tokenizer.json"
    content = json.loads(path.read_text())
    for change in (
        {"model": None},
        {"post_processor": {"type": "TemplateProcessing", "single": 5}},
        {"normalizer": []},
    ):
        path.write_text(json.dumps(content | change))
        with pytest.raises(OSError, match=r"\(.*tokenizer\.json.*\) cannot be read"):
            load_checkpoint(str(checkpoint))
    vocabulary = {piece: id_ for piece, id_ in content["model"]["vocab"].items() if piece != "[UNK]"}
    path.write_text(json.dumps(content | {"model": content["model"] | {"vocab": vocabulary}}))
    with pytest.raises(OSError, match="cannot be read"):
        load_checkpoint(str(checkpoint))


def test_a_backbones_counts_are_bounded_before_anything_is_built(tmp_path: Path) -> None:
    backbone = Path(save_backbone(tmp_path))
    _configure(backbone, num_labels=10**9)
    with pytest.raises(ValueError, match=r"config\.json: num_labels is 1000000000; it must be a whole number"):
        NerretModel.from_backbone(backbone, 2)


@pytest.mark.parametrize("length", ["x", -1, NAN, [1]])
def test_the_length_in_a_tokenizers_settings_is_a_number(length: Any, checkpoint: Path) -> None:
    path = checkpoint / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_max_length": length}))
    with pytest.raises(OSError, match=r"tokenizer_config\.json: model_max_length is"):
        load_checkpoint(str(checkpoint))
