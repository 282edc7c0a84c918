"""The model's V equals that of the untouched backbone, and a saved model gives the same vectors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from modeling_nerret import NerretModel
from modeling_nerret.backbones import FAMILIES, Family, family_of, position_options
from modeling_nerret.modeling_nerret import NerretHead, pool
from tests.tiny import FAMILY_SIZES, byte_bpe, save_backbone, save_gemma3, wordpiece

BLOCKS, HEADS, HEAD_SIZE = 4, 4, 8
FUSED = {
    "gpt2": "attn.c_attn",
    "gpt_neox": "attention.query_key_value",
    "phi3": "self_attn.qkv_proj",
    "modernbert": "attn.Wqkv",
}
OWN = (
    "self_attn.v_proj",
    "attention.self.value",
    "attention.self.value_proj",
    "attention.v_lin",
    "attention.attn.v",
)


def _hooked_values(full: torch.nn.Module, row: Family, family: str, layer: int, inputs: dict) -> torch.Tensor:
    """V of a block of the full model, read by a forward hook."""
    block = full.get_submodule(row.blocks)[layer]
    names = dict(block.named_modules())
    path = FUSED.get(family) or next(name for name in OWN if name in names)
    outputs = []
    hook = block.get_submodule(path).register_forward_hook(lambda module, inputs, output: outputs.append(output))
    with torch.no_grad():
        full(**inputs)
    hook.remove()
    if family == "gpt_neox":
        return outputs[0].unflatten(-1, (HEADS, 3, HEAD_SIZE))[..., 2, :].flatten(-2)
    if family == "phi3":
        return outputs[0][..., -2 * HEAD_SIZE :]
    return outputs[0][..., -HEADS * HEAD_SIZE :] if family in FUSED else outputs[0]


def _padded_batch(side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Three rows of 12 tokens with 0, 3 and 7 tokens of padding."""
    ids = torch.randint(4, 60, (3, 12), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    for row, width in ((1, 3), (2, 7)):
        mask[row, slice(-width, None) if side == "right" else slice(0, width)] = 0
    return ids, mask


def _check_values(folder: str, family: str, layer: int, tmp_path: Path) -> None:
    """V equals a hook on the full model exactly, in both forms of checkpoint, with padding on either side."""
    model = NerretModel.from_backbone(folder, layer=layer, head_size=8, hidden_size=8)
    forms = [model]
    for head_only in (False, True):
        checkpoint = tmp_path / f"saved-{layer}-{head_only}"
        model.save_pretrained(checkpoint, head_only=head_only)
        forms.append(AutoModel.from_pretrained(checkpoint))
    full = AutoModel.from_pretrained(folder).eval()
    full = getattr(full, "language_model", full)
    for side in ("right", "left"):
        ids, mask = _padded_batch(side)
        row = family_of(full.config)
        inputs = {"input_ids": ids, "attention_mask": mask} | position_options(row, mask)
        expected = _hooked_values(full, row, family, layer, inputs)
        with torch.no_grad():
            embeddings = model(ids, mask).embeddings
            for form in forms:
                assert (form.value_states(ids, mask) - expected).abs().max() == 0
                assert torch.equal(form(ids, mask).embeddings, embeddings)


@pytest.mark.parametrize("family", FAMILY_SIZES)
def test_values_equal_a_hook_on_the_full_model(family: str, tmp_path: Path) -> None:
    folder = save_backbone(tmp_path / "backbone", family)
    family = family.partition(" ")[0]
    for layer in (FAMILIES[family].first_layer, BLOCKS - 1):
        _check_values(folder, family, layer, tmp_path)


def test_every_family_is_tested() -> None:
    assert {name.partition(" ")[0] for name in FAMILY_SIZES} == set(FAMILIES)


def test_text_part_of_a_multimodal_model(tmp_path: Path) -> None:
    folder = save_gemma3(tmp_path / "backbone")
    _check_values(folder, "gemma3_text", 2, tmp_path)
    assert NerretModel.from_backbone(folder, layer=2).backbone.config.model_type == "gemma3_text"


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_nothing_after_the_block_is_loaded_or_saved(family: str, tmp_path: Path) -> None:
    model = NerretModel.from_backbone(save_backbone(tmp_path / "b", family), layer=2, head_size=8, hidden_size=8)
    assert len(model.backbone.get_submodule(FAMILIES[family].blocks)) == 2
    model.save_pretrained(tmp_path / "head", head_only=True)
    assert (tmp_path / "head" / "model.safetensors").stat().st_size < 5_000


def test_without_spans_the_whole_text_except_special_tokens_is_embedded(tmp_path: Path) -> None:
    for tokenizer, family in ((wordpiece(), "bert"), (byte_bpe(), "llama")):
        folder = save_backbone(tmp_path / family, family, tokenizer)
        model = NerretModel.from_backbone(folder, layer=2, pooling="mean", head_size=8, hidden_size=8)
        batch = tokenizer(["london", "the river"], padding=True, return_tensors="pt")
        begin, end = (1, 1) if family == "bert" else (1, 0)
        lengths = batch["attention_mask"].sum(1).tolist()
        spans = torch.tensor([[row, begin, length - end] for row, length in enumerate(lengths)])
        embeddings = model(batch["input_ids"], batch["attention_mask"]).embeddings
        assert torch.equal(embeddings, model(batch["input_ids"], batch["attention_mask"], spans=spans).embeddings)
        assert torch.allclose(embeddings.norm(dim=1), torch.ones(2))


def test_pooling_by_hand() -> None:
    values = torch.arange(12.0).view(1, 6, 2)
    spans = torch.tensor([[0, 1, 4], [0, 2, 3]])
    assert pool(values, spans, "end").tolist() == [[6.0, 7.0], [4.0, 5.0]]
    assert pool(values, spans, "mean").tolist() == [[4.0, 5.0], [4.0, 5.0]]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_head_stays_float32_over_a_backbone_in_half_precision(dtype: torch.dtype, tmp_path: Path) -> None:
    folder = save_backbone(tmp_path / "b", "llama", byte_bpe())
    exact = NerretModel.from_backbone(folder, layer=2, head_size=8, hidden_size=8)
    exact.save_pretrained(tmp_path / "whole")
    exact.save_pretrained(tmp_path / "head", head_only=True)
    forms = [NerretModel.from_pretrained(tmp_path / form, dtype=dtype) for form in ("whole", "head")]
    forms.append(NerretModel.from_backbone(folder, layer=2, head=exact.head, dtype=dtype))
    ids, mask = _padded_batch("right")
    for model in forms:
        assert model.backbone.dtype == model.value_projection.weight.dtype == dtype
        assert {weight.dtype for weight in model.head.parameters()} == {torch.float32}
        assert torch.equal(model.head[0].weight, exact.head[0].weight)
        embeddings = model(ids, mask).embeddings
        assert embeddings.dtype == torch.float32
        assert torch.nn.functional.cosine_similarity(embeddings, exact(ids, mask).embeddings).min() > 0.99


@pytest.mark.parametrize("device_map", ["auto", {"": "cpu"}])
def test_device_map_places_both_forms(device_map: object, tmp_path: Path) -> None:
    exact = NerretModel.from_backbone(save_backbone(tmp_path / "b", "llama"), layer=2, head_size=8, hidden_size=8)
    ids, mask = _padded_batch("right")
    for form in (False, True):
        exact.save_pretrained(tmp_path / str(form), head_only=form)
        model = NerretModel.from_pretrained(tmp_path / str(form), device_map=device_map)
        assert torch.equal(model(ids, mask).embeddings, exact(ids, mask).embeddings)


def test_a_frozen_backbone_has_no_dropout_and_only_the_head_learns(tmp_path: Path) -> None:
    model = NerretModel.from_backbone(save_backbone(tmp_path / "b"), layer=2, head_size=8, hidden_size=8)
    for form in (False, True):
        model.save_pretrained(tmp_path / str(form), head_only=form)
        copy = NerretModel.from_pretrained(tmp_path / str(form)).train()
        assert copy.head.training and not copy.backbone.training
        assert {name for name, weight in copy.named_parameters() if weight.requires_grad} == {
            "head.0.weight",
            "head.0.bias",
            "head.3.weight",
            "head.3.bias",
        }


def test_a_head_that_fits_is_used_and_another_is_refused(tmp_path: Path) -> None:
    folder = save_backbone(tmp_path / "b")
    first = NerretModel.from_backbone(folder, layer=2, head_size=8, hidden_size=6, head_activation="tanh")
    second = NerretModel.from_backbone(folder, layer=2, head=first.head)
    assert torch.equal(second(torch.tensor([[5, 6]])).embeddings, first(torch.tensor([[5, 6]])).embeddings)
    first.config.value_size = 7
    with pytest.raises(ValueError, match="the head takes 7 numbers, but V of block 2 has 32"):
        NerretModel.from_backbone(folder, layer=2, head=NerretHead(first.config))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": 4}, "must be from 0 to 3"),
        ({"layer": -1}, "must be 0 or more"),
        ({"layer": 1, "pooling": "cls"}, "accepted are 'end', 'mean'"),
        ({"layer": 1, "head_activation": "relu"}, "accepted are 'silu', 'tanh'"),
        ({"layer": 1, "hiden_size": 8}, "unknown field 'hiden_size' .*did you mean 'hidden_size'"),
        ({"layer": 1, "dropout": 1.0}, r"dropout is 1.0; it must be in \[0, 1\)"),
        ({"layer": 1, "max_tokens": 2}, "max_tokens is 2; it must be a whole number, 8 or more"),
    ],
)
def test_bad_settings_say_what_is_accepted(arguments: dict, message: str, tmp_path: Path) -> None:
    folder = save_backbone(tmp_path / "b")
    with pytest.raises(ValueError, match=message):
        NerretModel.from_backbone(folder, **arguments)


def test_the_error_for_an_unknown_architecture_names_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bloom", "n_layer": 2}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="'bloom' is not supported"):
        NerretModel.from_backbone(tmp_path, layer=1)
    with pytest.raises(OSError, match="'no/such-model' was not found"):
        NerretModel.from_backbone("no/such-model", layer=1, local_files_only=True)


IDS = torch.tensor([[2, 7, 8, 3], [2, 9, 3, 0]])


@pytest.mark.parametrize(
    "spans",
    [
        [[0, 2, 2]],
        [[0, 3, 2]],
        [[0, -2, 2]],
        [[0, 1, 5]],
        [[2, 0, 1]],
        [[-1, 0, 1]],
        [[0, 1]],
        [0, 1, 2],
        [[0.0, 1.0, 2.0]],
        [[False, False, True]],
    ],
)
def test_spans_outside_the_tokens_are_refused(spans: list, tiny_checkpoint: str) -> None:
    with pytest.raises(ValueError, match="row, first token, last token"):
        NerretModel.from_pretrained(tiny_checkpoint)(IDS, spans=torch.tensor(spans))


@pytest.mark.parametrize("name", ["labels", "past_key_values", "inputs_embeds"])
def test_inputs_that_would_be_ignored_are_refused(name: str, tiny_checkpoint: str) -> None:
    with pytest.raises(ValueError, match=f"does not take {name}"):
        NerretModel.from_pretrained(tiny_checkpoint)(IDS, **{name: IDS})


def test_two_names_of_one_option_may_not_contradict(tiny_checkpoint: str) -> None:
    half = {"torch_dtype": torch.bfloat16}
    assert NerretModel.from_pretrained(tiny_checkpoint, **half, dtype=torch.bfloat16).dtype == torch.bfloat16
    with pytest.raises(ValueError, match="give one"):
        NerretModel.from_pretrained(tiny_checkpoint, **half, dtype="float64")
