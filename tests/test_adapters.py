"""A peft adapter and a document head: saved beside the head, loaded and merged again."""

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


def _adapted(folder: Path, method: str) -> NerretModel:
    """A model under an adapter with random weights, not yet merged; the adapter is saved."""
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
def test_merged_vectors_are_those_under_the_adapter(tmp_path: Path, method: str) -> None:
    adapted = _adapted(tmp_path, method)
    expected = adapted(IDS, spans=SPANS)
    documents = adapted.embed_texts(expected.states, SPANS)
    bare = NerretModel.from_backbone(tmp_path / "backbone", 2, head=adapted.head, pooling="mean", document_size=8)
    bare.document_head.load_state_dict(adapted.document_head.state_dict())
    assert torch.cosine_similarity(bare(IDS, spans=SPANS).embeddings, expected.embeddings).min() < 0.999

    bare.merge_adapter(tmp_path / "adapter")
    found = bare(IDS, spans=SPANS)
    torch.testing.assert_close(found.embeddings, expected.embeddings, atol=1e-5, rtol=0)
    torch.testing.assert_close(bare.embed_texts(found.states, SPANS), documents, atol=1e-5, rtol=0)
    for form in ("head", "whole"):
        bare.save_pretrained(tmp_path / form, head_only=form == "head")
        again = NerretModel.from_pretrained(tmp_path / form)
        torch.testing.assert_close(again(IDS, spans=SPANS).embeddings, found.embeddings, atol=1e-6, rtol=0)
        torch.testing.assert_close(
            again.embed_texts(found.states, SPANS), bare.embed_texts(found.states, SPANS), atol=1e-6, rtol=0
        )
    assert not (tmp_path / "whole" / "adapter").exists()
    again = NerretModel.from_pretrained(tmp_path / "head")
    again.save_pretrained(tmp_path / "again")  # the adapter goes with it
    kept = NerretModel.from_pretrained(tmp_path / "again")
    torch.testing.assert_close(kept(IDS, spans=SPANS).embeddings, found.embeddings, atol=1e-6, rtol=0)


def test_pefts_own_loader_reads_the_adapter_of_a_checkpoint(tmp_path: Path) -> None:
    model = _adapted(tmp_path, "bert lora")
    expected = model(IDS, spans=SPANS).embeddings
    bare = NerretModel.from_backbone(tmp_path / "backbone", 2, head=model.head, pooling="mean")
    bare.merge_adapter(tmp_path / "adapter").save_pretrained(tmp_path / "head", head_only=True)
    own = NerretModel.from_backbone(tmp_path / "backbone", 2, head=model.head, pooling="mean")
    own.backbone = PeftModel.from_pretrained(own.backbone, tmp_path / "head", subfolder="adapter")
    torch.testing.assert_close(own.eval()(IDS, spans=SPANS).embeddings, expected, atol=1e-6, rtol=0)


def test_another_or_a_missing_adapter_is_refused(tmp_path: Path) -> None:
    _adapted(tmp_path, "bert lora")
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
    with pytest.raises(ValueError, match="SHA-256"):
        NerretModel.from_pretrained(tmp_path / "head")
    weights.unlink()
    with pytest.raises(OSError, match="adapter_model"):
        NerretModel.from_pretrained(tmp_path / "head")


def test_a_model_without_document_head_says_so(tmp_path: Path) -> None:
    model = NerretModel.from_backbone(save_backbone(tmp_path / "backbone"), 2)
    with pytest.raises(ValueError, match="no document head"):
        model.embed_texts(model.hidden_states(IDS), SPANS)
