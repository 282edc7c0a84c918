"""Converting the published head: the checkpoint computes the same, and other files are refused."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from huggingface_hub.errors import GatedRepoError
from safetensors.torch import save_file
from torch.nn.functional import linear, normalize, silu
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from modeling_nerret import weights
from modeling_nerret.cli import main
from modeling_nerret.detection import GivenSpans
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.pretrained.convert import read_head
from modeling_nerret.spans import Span
from tests.tiny import SIZES, byte_bpe

DOCUMENTS = [
    Document("a", "Ada wrote notes in London.", mentions=(Span(0, 3), Span(19, 25))),
    Document("b", "Göttingen was the city of Gauß.", mentions=(Span(0, 9), Span(26, 30))),
]
Head = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny random Llama with 19 blocks whose V is 1024 wide."""
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(0)
    sizes = SIZES | {"num_hidden_layers": 19, "num_key_value_heads": 2, "head_dim": 512}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(byte_bpe()), **sizes)).save_pretrained(folder)
    byte_bpe().save_pretrained(folder)
    return str(folder)


def _head(value_size: int = 1024) -> Head:
    generator = torch.Generator().manual_seed(1)
    shapes = {"net.0.weight": (500, value_size), "net.0.bias": (500,), "net.3.weight": (500, 500), "net.3.bias": (500,)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def _by_hand(model: torch.nn.Module, head: Head, text: str, end: int) -> torch.Tensor:
    """The head's arithmetic on V of block 17 of the whole model, at the token that covers the last character."""
    inputs = byte_bpe()(text, return_tensors="pt", return_offsets_mapping=True)
    offsets = inputs.pop("offset_mapping")[0].tolist()
    token = next(number for number, (first, last) in reversed(list(enumerate(offsets))) if first < end <= last)
    values: list[torch.Tensor] = []
    hook = model.get_submodule("model.layers.17.self_attn.v_proj").register_forward_hook(
        lambda module, inputs, output: values.append(output)
    )
    with torch.no_grad():
        model(**inputs)
    hook.remove()
    inner = silu(linear(values[0][0, token], head["net.0.weight"], head["net.0.bias"]))
    return normalize(linear(inner, head["net.3.weight"], head["net.3.bias"]), dim=0)


@pytest.mark.parametrize("form", ["pth", "safetensors"])
def test_the_heads_arithmetic_on_hooked_values(form: str, backbone: str, tmp_path: Path) -> None:
    head, file, out = _head(), tmp_path / f"head.{form}", tmp_path / "out"
    torch.save(head, file) if form == "pth" else save_file(head, file)
    assert main(["convert", str(file), "--backbone", backbone, "--layer", "17", str(out)]) == 0
    assert not list(out.glob("*.p*th")) and (out / "model.safetensors").stat().st_size < 3_100_000
    checkpoint = load_checkpoint(str(out))
    assert checkpoint.model.config.backbone_sha256 == weights.sha256_of_weights(backbone)
    whole = AutoModelForCausalLM.from_pretrained(backbone).eval()
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, GivenSpans())
    for encoding in encoder.encode(DOCUMENTS):
        assert len(encoding.mentions) == 2
        for span, vector in zip(encoding.mentions, encoding.vectors, strict=True):
            expected = _by_hand(whole, head, encoding.document.text, span.end)
            assert (torch.from_numpy(vector) - expected).abs().max() < 1e-6
    query = torch.from_numpy(encoder.embed_queries(["city"])[0])
    assert (query - _by_hand(whole, head, "city", 4)).abs().max() < 1e-6


class Evil:
    """A pickle that would make a folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def test_code_in_a_pickle_is_never_run(tmp_path: Path) -> None:
    torch.save(_head() | {"net.0.weight": Evil(tmp_path / "ran")}, tmp_path / "new.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Evil(tmp_path / "ran"), protocol=2))
    for name in ("new.pth", "plain.pth"):
        with pytest.raises(ValueError, match=r"is refused: it holds more than tensors"):
            read_head(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"head.0.weight": torch.ones(3, 3)}, r"holds head\.0\.weight; a published head holds net\.0\.weight"),
        (_head() | {"net.0.gate": torch.ones(3)}, "net.0.gate"),
        (_head() | {"net.3.weight": torch.ones(500, 400)}, r"do not make a head of two layers: .*\(500, 400\)"),
        (_head() | {"net.0.weight": torch.tensor(1.0)}, r"do not make a head of two layers: .*'net\.0\.weight': \(\)"),
        (_head() | {"net.3.bias": torch.full((500,), float("nan"))}, r"3\.bias holds NaN"),
        (_head() | {"net.3.bias": torch.ones(500, dtype=torch.int64)}, "tensors of floating-point numbers"),
        ([torch.ones(3)], "holds list; a published head holds"),
    ],
)
def test_foreign_files_are_refused(weights: Any, message: str, tmp_path: Path) -> None:
    torch.save(weights, tmp_path / "head.pth")
    with pytest.raises(ValueError, match=message):
        read_head(tmp_path / "head.pth")


@pytest.mark.parametrize("name", ["head.pth", "head.safetensors"])
def test_a_damaged_or_missing_file(name: str, tmp_path: Path) -> None:
    torch.save(_head(), tmp_path / name) if name.endswith("pth") else save_file(_head(), tmp_path / name)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-5000])
    with pytest.raises(OSError, match="cannot be read"):
        read_head(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_head(tmp_path / f"no-{name}")


@pytest.mark.parametrize(
    ("width", "layer", "message"),
    [(64, "17", "the head takes 64 numbers, but V of block 17 has 1024"), (1024, "40", "must be from 0 to 18")],
)
def test_a_head_of_another_model(
    width: int, layer: str, message: str, backbone: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    save_file(_head(width), tmp_path / "head.safetensors")
    command = ["convert", str(tmp_path / "head.safetensors"), str(tmp_path / "out"), "--backbone", backbone]
    assert main([*command, "--layer", layer]) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_nothing_is_overwritten(backbone: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    save_file(_head(), tmp_path / "head.safetensors")
    assert main(["convert", str(tmp_path / "head.safetensors"), str(tmp_path), "--backbone", backbone]) == 1
    assert "is not empty; name a new folder" in capsys.readouterr().err


def test_gated_access_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise GatedRepoError("restricted", response=Mock())

    monkeypatch.setattr(weights.HfApi, "model_info", lambda *args, **kwargs: None)
    monkeypatch.setattr(weights, "snapshot_download", refuse)
    save_file(_head(), tmp_path / "head.safetensors")
    assert main(["convert", str(tmp_path / "head.safetensors"), str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert "accept its licence at https://huggingface.co/meta-llama/Llama-3.1-8B and run `hf auth login` once" in error


def test_the_commit_found_in_the_cache_is_pinned(
    backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = tmp_path / "models--meta-llama--Llama-3.1-8B" / "snapshots" / "0123abc"
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to(backbone)
    monkeypatch.setattr(weights, "snapshot_download", lambda *args, **kwargs: str(snapshot))
    save_file(_head(), tmp_path / "head.safetensors")
    assert main(["convert", str(tmp_path / "head.safetensors"), str(tmp_path / "out")]) == 0
    config = load_checkpoint(str(tmp_path / "out")).model.config
    assert (config.backbone, config.backbone_revision) == ("meta-llama/Llama-3.1-8B", "0123abc")
