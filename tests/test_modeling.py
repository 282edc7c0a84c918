"""The model: its V equals the untouched backbone's, and every save comes back the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModel

from modeling_nerret import NerretModel
from modeling_nerret.backbones import FAMILIES
from modeling_nerret.modeling_nerret import NerretHead, pool
from tests.tiny import byte_bpe, save_backbone, wordpiece

LAYER = 3
HEADS, HEAD_SIZE = 4, 8


def _hooked_values(folder: str, family: str, layer: int, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """V of a block of the full model, read by a forward hook."""
    full = AutoModel.from_pretrained(folder).eval()
    block = full.get_submodule(FAMILIES[family].blocks)[layer]
    fused = {
        "gpt2": "attn.c_attn",
        "gpt_neox": "attention.query_key_value",
        "phi3": "self_attn.qkv_proj",
        "modernbert": "attn.Wqkv",
    }
    own = (
        "self_attn.v_proj",
        "attention.self.value",
        "attention.self.value_proj",
        "attention.v_lin",
        "attention.attn.v",
    )
    names = dict(block.named_modules())
    path = fused.get(family) or next(name for name in own if name in names)
    seen = []
    block.get_submodule(path).register_forward_hook(lambda module, inputs, output: seen.append(output))
    with torch.no_grad():
        full(input_ids=ids, attention_mask=mask)
    if family == "gpt_neox":
        return seen[0].unflatten(-1, (HEADS, 3, HEAD_SIZE))[..., 2, :].flatten(-2)
    if family == "phi3":
        return seen[0][..., -2 * HEAD_SIZE :]
    return seen[0][..., -HEADS * HEAD_SIZE :] if family in fused else seen[0]


def _padded(side: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Three rows of 12 tokens with 0, 3 and 7 tokens of padding."""
    ids = torch.randint(4, 60, (3, 12), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    for row, width in ((1, 3), (2, 7)):
        mask[row, slice(-width, None) if side == "right" else slice(0, width)] = 0
    return ids, mask


@pytest.mark.parametrize("family", FAMILIES)
def test_values_equal_a_hook_on_the_full_model(family: str, tmp_path: Path) -> None:
    folder = save_backbone(tmp_path / "backbone", family)
    model = NerretModel.from_backbone(folder, layer=LAYER, head_size=8, hidden_size=8)
    forms = [model]
    for head_only in (False, True):
        model.save_pretrained(tmp_path / f"saved-{head_only}", head_only=head_only)
        forms.append(AutoModel.from_pretrained(tmp_path / f"saved-{head_only}"))
    for side in ("right", "left"):
        ids, mask = _padded(side)
        expected = _hooked_values(folder, family, LAYER, ids, mask)
        with torch.no_grad():
            embeddings = model(ids, mask).embeddings
            for form in forms:
                assert (form.value_states(ids, mask) - expected).abs().max() == 0
                assert torch.equal(form(ids, mask).embeddings, embeddings)


@pytest.mark.parametrize("family", ["bert", "llama"])
def test_nothing_after_the_block_is_kept(family: str, tmp_path: Path) -> None:
    model = NerretModel.from_backbone(save_backbone(tmp_path / "b", family), layer=2, head_size=8, hidden_size=8)
    assert len(model.backbone.get_submodule(FAMILIES[family].blocks)) == 2
    model.save_pretrained(tmp_path / "head", head_only=True)
    assert (tmp_path / "head" / "model.safetensors").stat().st_size < 5_000


def test_embedding_without_spans_is_the_whole_text_without_special_tokens(tmp_path: Path) -> None:
    for tokenizer, family in ((wordpiece(), "bert"), (byte_bpe(), "llama")):
        folder = save_backbone(tmp_path / family, family, tokenizer)
        model = NerretModel.from_backbone(folder, layer=2, pooling="mean", head_size=8, hidden_size=8)
        batch = tokenizer(["london", "the river"], padding=True, return_tensors="pt")
        begin, end = (1, 1) if family == "bert" else (1, 0)
        lengths = batch["attention_mask"].sum(1).tolist()
        spans = torch.tensor([[row, begin, length - end] for row, length in enumerate(lengths)])
        whole = model(batch["input_ids"], batch["attention_mask"]).embeddings
        assert torch.equal(whole, model(batch["input_ids"], batch["attention_mask"], spans=spans).embeddings)
        assert torch.allclose(whole.norm(dim=1), torch.ones(2))


def test_pooling_by_hand() -> None:
    values = torch.arange(12.0).view(1, 6, 2)
    spans = torch.tensor([[0, 1, 4], [0, 2, 3]])
    assert pool(values, spans, "end").tolist() == [[6.0, 7.0], [4.0, 5.0]]
    assert pool(values, spans, "mean").tolist() == [[4.0, 5.0], [4.0, 5.0]]


def test_padding_and_batch_do_not_change_a_vector(tmp_path: Path) -> None:
    model = NerretModel.from_backbone(save_backbone(tmp_path / "b"), layer=3, head_size=8, hidden_size=8)
    ids, mask = _padded("right")
    together = model(ids, mask).embeddings
    alone = torch.cat([model(ids[row : row + 1, : mask[row].sum()]).embeddings for row in range(3)])
    assert (together - alone).abs().max() < 1e-6


def test_head_only_refuses_other_weights(tmp_path: Path) -> None:
    folder = save_backbone(tmp_path / "b")
    NerretModel.from_backbone(folder, layer=2, head_size=8, hidden_size=8).save_pretrained(
        tmp_path / "head", head_only=True
    )
    other = AutoModel.from_pretrained(folder)
    with torch.no_grad():
        other.embeddings.word_embeddings.weight.add_(1)
    other.save_pretrained(folder)
    with pytest.raises(ValueError, match="SHA-256 .* but this head was trained on"):
        AutoModel.from_pretrained(tmp_path / "head")


def test_given_head_is_used_and_a_wrong_one_refused(tmp_path: Path) -> None:
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
    ],
)
def test_bad_settings_say_what_is_accepted(arguments: dict, message: str, tmp_path: Path) -> None:
    folder = save_backbone(tmp_path / "b")
    with pytest.raises(ValueError, match=message):
        NerretModel.from_backbone(folder, **arguments)


def test_unknown_architecture_names_itself(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bloom", "n_layer": 2}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="'bloom' is not supported"):
        NerretModel.from_backbone(tmp_path, layer=1)
    with pytest.raises(OSError, match="'no/such-model' was not found"):
        NerretModel.from_backbone("no/such-model", layer=1, local_files_only=True)
