"""What a caller asks for is done, or refused in words: attention, precision, window, outputs, embeddings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer, pipeline

from modeling_nerret import NerretModel, checkpoint_path
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.st_nerret import NerretTransformer
from tests.tiny import save_backbone

IDS = torch.tensor([[2, 7, 8, 9, 3]])
TEXT = "Ada was born in London, the city by the river."


@pytest.fixture(scope="module")
def head(tiny_checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The head-only form of the tiny checkpoint."""
    folder = tmp_path_factory.mktemp("requests") / "head"
    NerretModel.from_pretrained(tiny_checkpoint).save_pretrained(folder, head_only=True)
    return str(folder)


@pytest.fixture
def restore_dtype() -> Iterator[None]:
    yield
    torch.set_default_dtype(torch.float32)


LOADERS: list[Callable[..., Any]] = [
    AutoModel.from_pretrained,
    NerretModel.from_pretrained,
    lambda name, **options: load_checkpoint(name, **options).model,
    lambda name, **options: SentenceTransformer(name, trust_remote_code=True, model_kwargs=options)[0].model,
]


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("form", ["head", "tiny_checkpoint"])
def test_attention_and_precision(load: Callable[..., Any], form: str, request: pytest.FixtureRequest) -> None:
    name = request.getfixturevalue(form)
    for attention in ("eager", "sdpa"):
        assert load(name, attn_implementation=attention).backbone.config._attn_implementation == attention
    for options in ({"dtype": torch.bfloat16}, {"torch_dtype": torch.bfloat16}, {"dtype": "bfloat16"}):
        model = load(name, **options)
        assert model.dtype == torch.bfloat16 and model.head[0].weight.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_torchs_default_dtype_changes_nothing(
    dtype: torch.dtype, tiny_checkpoint: str, head: str, tmp_path: Path, restore_dtype: None
) -> None:
    def vectors(name: str) -> list[np.ndarray]:
        checkpoint = load_checkpoint(name)
        encoder = Encoder(checkpoint.model, checkpoint.tokenizer, load_checkpoint(tiny_checkpoint).detector)
        document = next(iter(encoder.encode([Document("1", TEXT)])))
        module = SentenceTransformer(name, trust_remote_code=True, device="cpu")
        return [encoder.embed_queries(["river"]), document.vectors, module.encode(["river"])]

    expected = [vectors(name) for name in (tiny_checkpoint, head)]
    torch.set_default_dtype(dtype)
    for name, arrays in zip((tiny_checkpoint, head), expected, strict=True):
        for vector, array in zip(vectors(name), arrays, strict=True):
            assert vector.dtype == np.float32 and np.array_equal(vector, array)
    model = NerretModel.from_backbone(save_backbone(tmp_path / "b"), 2, head_size=8, hidden_size=8)
    assert model.head[0].weight.dtype == torch.float32 and model(IDS).embeddings.dtype == torch.float32
    model.save_pretrained(tmp_path / "model")
    copy = NerretModel.from_pretrained(tmp_path / "model")
    torch.testing.assert_close(copy(IDS).embeddings, model(IDS).embeddings, atol=1e-6, rtol=0)


def test_the_window_of_the_module_can_be_shortened(tiny_checkpoint: str, tmp_path: Path) -> None:
    encoder = SentenceTransformer(tiny_checkpoint, trust_remote_code=True)
    assert encoder.max_seq_length == 64
    encoder.encode("river " * 20)
    encoder.max_seq_length = 16
    assert encoder.max_seq_length == 16 and encoder.preprocess([{"text": TEXT * 3, "start": 0, "end": 3}])[
        "input_ids"
    ].shape == (1, 16)
    with pytest.raises(ValueError, match="exceeds 16 tokens"):
        encoder.encode("river " * 20)
    for value in (65, 7, "16", None, 16.0, True):
        with pytest.raises(ValueError, match="must be a whole number from 8 to 64"):
            encoder.max_seq_length = value
    encoder.save_pretrained(str(tmp_path / "saved"), create_model_card=False)
    assert SentenceTransformer(str(tmp_path / "saved"), trust_remote_code=True).max_seq_length == 64


def test_outputs_of_the_module(tiny_checkpoint: str) -> None:
    encoder = SentenceTransformer(tiny_checkpoint, trust_remote_code=True, device="cpu")
    tokens = encoder.encode(["river city", "ada"], output_value="token_embeddings")
    assert [len(vectors) for vectors in tokens] == [4, 3]  # with the special tokens
    mention = encoder.encode({"text": "river city", "start": 0, "end": 5})
    np.testing.assert_allclose(tokens[0][1].numpy(), mention, atol=1e-6)
    outputs = encoder.encode(["river city"], output_value=None)[0]
    np.testing.assert_allclose(outputs["sentence_embedding"].numpy(), encoder.encode("river city"), atol=1e-6)
    with pytest.raises(ValueError, match="output_value is 'pooled'; accepted are 'sentence_embedding'"):
        encoder.encode(["ada"], output_value="pooled")


def test_gradient_checkpointing_and_embeddings(tiny_checkpoint: str) -> None:
    model = NerretModel.from_pretrained(tiny_checkpoint)
    model.backbone.requires_grad_(True)
    gradients = []
    for enable in (False, True):
        if enable:
            model.gradient_checkpointing_enable()
        model.zero_grad()
        model.train()(IDS, spans=torch.tensor([[0, 1, 3]]))
        model.eval()
        model.backbone.train()
        torch.manual_seed(0)
        model(IDS).embeddings[0, 0].backward()
        gradients.append(model.get_input_embeddings().weight.grad.clone())
    assert model.is_gradient_checkpointing and torch.allclose(*gradients, atol=1e-7)
    assert model.get_input_embeddings() is model.backbone.get_input_embeddings()
    replacement = torch.nn.Embedding(*model.get_input_embeddings().weight.shape)
    model.set_input_embeddings(replacement)
    assert model.backbone.get_input_embeddings() is replacement
    with pytest.raises(ValueError, match="its backbone's"):
        model.resize_token_embeddings(99)


def test_inputs_that_the_model_would_ignore_are_refused(tiny_checkpoint: str) -> None:
    model = NerretModel.from_pretrained(tiny_checkpoint)
    assert isinstance(model(IDS, return_dict=False), tuple)
    for options in ({"output_hidden_states": True}, {"inputs_embeds": torch.zeros(1, 5, 32)}, {"position_ids": IDS}):
        with pytest.raises(ValueError, match=f"does not take {next(iter(options))}"):
            model(IDS, **options)


def test_the_built_in_checkpoint_by_path_and_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    path = checkpoint_path()
    tokens = AutoTokenizer.from_pretrained(path)("dinosaur bones", return_tensors="pt")
    with torch.no_grad():
        expected = AutoModel.from_pretrained(path)(**tokens).embeddings[0].numpy()
        assert np.array_equal(NerretModel.from_pretrained("nerret-minilm")(**tokens).embeddings[0].numpy(), expected)
    encoders = [SentenceTransformer(path, trust_remote_code=True, device="cpu")]
    encoders.append(SentenceTransformer(modules=[NerretTransformer.load("nerret-minilm")], device="cpu"))
    for encoder in encoders:
        np.testing.assert_allclose(encoder.encode("dinosaur bones"), expected, atol=1e-6)
    np.testing.assert_allclose(pipeline("feature-extraction", model=path)("dinosaur bones")[0], expected, atol=1e-6)
    with pytest.raises(ValueError, match="no built-in checkpoint 'other'; built in are nerret-minilm"):
        checkpoint_path("other")


def test_the_path_of_the_built_in_checkpoint_imports_no_library() -> None:
    code = (
        "import sys; from modeling_nerret import checkpoint_path; checkpoint_path();"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
