"""A peft adapter is saved beside the head, and loaded and merged with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import IA3Config, LoraConfig, PeftConfig, PeftModel, get_peft_model

from modeling_nerret import NerretModel
from tests.tiny import byte_bpe, save_backbone

IDS = torch.randint(4, 30, (3, 9), generator=torch.Generator().manual_seed(0))
SPANS = torch.tensor([[0, 1, 4], [1, 2, 3], [2, 0, 9]])
METHODS: dict[str, PeftConfig] = {
    "bert lora": LoraConfig(r=4, lora_alpha=8, target_modules=["query", "value", "dense"]),
    "bert ia3": IA3Config(target_modules=["key", "value"], feedforward_modules=[]),
    "llama lora": LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"]),
}


def _model_with_adapter(folder: Path, method: str) -> NerretModel:
    """A model whose adapter has random weights and is not merged; the adapter is saved in the folder."""
    family = method.split()[0]
    backbone = save_backbone(folder / "backbone", family, byte_bpe() if family == "llama" else None)
    model = NerretModel.from_backbone(backbone, 2, pooling="mean", head_size=24, hidden_size=16, document_size=8)
    model.backbone = get_peft_model(model.backbone, METHODS[method])
    torch.manual_seed(0)
    for name, weight in model.backbone.named_parameters():
        if "lora_" in name or "ia3_" in name:
            torch.nn.init.normal_(weight, std=0.3)
    model.backbone.save_pretrained(folder / "adapter")
    return model.eval()


@pytest.mark.parametrize("method", METHODS)
def test_merging_an_adapter_keeps_its_vectors(tmp_path: Path, method: str) -> None:
    original = _model_with_adapter(tmp_path, method)
    expected = original(IDS, spans=SPANS)
    documents = original.embed_texts(expected.states, SPANS)
    bare = NerretModel.from_backbone(tmp_path / "backbone", 2, head=original.head, pooling="mean", document_size=8)
    bare.document_head.load_state_dict(original.document_head.state_dict())
    assert torch.cosine_similarity(bare(IDS, spans=SPANS).embeddings, expected.embeddings).min() < 0.999

    bare.merge_adapter(tmp_path / "adapter")
    output = bare(IDS, spans=SPANS)
    torch.testing.assert_close(output.embeddings, expected.embeddings, atol=1e-5, rtol=0)
    torch.testing.assert_close(bare.embed_texts(output.states, SPANS), documents, atol=1e-5, rtol=0)
    for form in ("head", "whole"):
        bare.save_pretrained(tmp_path / form, head_only=form == "head")
        copy = NerretModel.from_pretrained(tmp_path / form)
        torch.testing.assert_close(copy(IDS, spans=SPANS).embeddings, output.embeddings, atol=1e-6, rtol=0)
        torch.testing.assert_close(
            copy.embed_texts(output.states, SPANS), bare.embed_texts(output.states, SPANS), atol=1e-6, rtol=0
        )
    assert not (tmp_path / "whole" / "adapter").exists()
    copy = NerretModel.from_pretrained(tmp_path / "head")
    copy.save_pretrained(tmp_path / "again")  # the adapter goes with it
    second_copy = NerretModel.from_pretrained(tmp_path / "again")
    torch.testing.assert_close(second_copy(IDS, spans=SPANS).embeddings, output.embeddings, atol=1e-6, rtol=0)


def test_peft_loads_the_adapter_of_a_checkpoint(tmp_path: Path) -> None:
    model = _model_with_adapter(tmp_path, "bert lora")
    expected = model(IDS, spans=SPANS).embeddings
    bare = NerretModel.from_backbone(tmp_path / "backbone", 2, head=model.head, pooling="mean")
    bare.merge_adapter(tmp_path / "adapter").save_pretrained(tmp_path / "head", head_only=True)
    peft_model = NerretModel.from_backbone(tmp_path / "backbone", 2, head=model.head, pooling="mean")
    peft_model.backbone = PeftModel.from_pretrained(peft_model.backbone, tmp_path / "head", subfolder="adapter")
    torch.testing.assert_close(peft_model.eval()(IDS, spans=SPANS).embeddings, expected, atol=1e-6, rtol=0)


def test_a_changed_missing_or_merged_adapter_is_refused(tmp_path: Path) -> None:
    _model_with_adapter(tmp_path, "bert lora")
    bare = NerretModel.from_backbone(tmp_path / "backbone", 2, pooling="mean", head_size=24, hidden_size=16)
    bare.merge_adapter(tmp_path / "adapter").save_pretrained(tmp_path / "head", head_only=True)
    with pytest.raises(ValueError, match="already merged"):
        bare.merge_adapter(tmp_path / "adapter")
    bare.save_pretrained(tmp_path / "whole", head_only=False)
    with pytest.raises(ValueError, match="merged into this checkpoint; save it with head_only=False"):
        NerretModel.from_pretrained(tmp_path / "whole").save_pretrained(tmp_path / "no", head_only=True)

    weights = tmp_path / "head" / "adapter" / "adapter_model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-4] + b"\0\0\0\x01")
    with pytest.raises(OSError, match=r"adapter_model\.safetensors is not whole, or was changed"):
        NerretModel.from_pretrained(tmp_path / "head")
    (tmp_path / "head" / "checksums.json").unlink()
    with pytest.raises(ValueError, match="SHA-256"):
        NerretModel.from_pretrained(tmp_path / "head")
    weights.unlink()
    with pytest.raises(OSError, match="adapter_model"):
        NerretModel.from_pretrained(tmp_path / "head")


def test_a_model_without_document_head_says_so(tmp_path: Path) -> None:
    model = NerretModel.from_backbone(save_backbone(tmp_path / "backbone"), 2)
    with pytest.raises(ValueError, match="no document head"):
        model.embed_texts(model.hidden_states(IDS), SPANS)
