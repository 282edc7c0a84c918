"""Models of detectors: safetensors of their own folder alone, no code of a repository, one sentence for all else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForTokenClassification, LlamaConfig, LlamaForCausalLM

from modeling_nerret import TokenClassifier
from modeling_nerret.cli import main
from modeling_nerret.detection import propose_mentions
from modeling_nerret.detectors.generative import GenerativeExtractor
from modeling_nerret.detectors.gliner import check_gliner
from modeling_nerret.documents import Document
from modeling_nerret.windows import make_windows
from tests.test_mentions import check
from tests.tiny import SIZES, byte_bpe, save_backbone, wordpiece

INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifier")
    torch.manual_seed(3)
    labels = {0: "O", 1: "B-X", 2: "I-X"}
    BertForTokenClassification(BertConfig(vocab_size=len(wordpiece()), id2label=labels, **SIZES)).save_pretrained(
        folder
    )
    wordpiece().save_pretrained(folder)
    return folder


@pytest.fixture
def folder(classifiers: Path, tmp_path: Path) -> Path:
    """A folder of a token classifier, to be spoilt."""
    return Path(shutil.copytree(classifiers, tmp_path / "model"))


def _pickle_only(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _index(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        _pickle_only(folder)
        shutil.copy(folder / "pytorch_model.bin", folder.parent / "outside.safetensors")
        target = name.format(outside=folder.parent / "outside.safetensors")
        (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": {"classifier.weight": target}}))

    return spoil


def _link(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")
    (folder / "model.safetensors").symlink_to(folder.parent / "outside.safetensors")


def _settings(**fields: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return spoil


def _not_numbers(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["classifier.bias"][0] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def _encoder(folder: Path) -> None:
    shutil.rmtree(folder)
    save_backbone(folder)


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "only pickled weights": (_pickle_only, r"holds no model\.safetensors but pytorch_model\.bin"),
    "an index of pickled weights": (_index("pytorch_model.bin"), "only safetensors in the same folder"),
    "an index of weights above": (_index("../outside.safetensors"), "only safetensors in the same folder"),
    "an index of weights elsewhere": (_index("{outside}"), "only safetensors in the same folder"),
    "a link out of the folder": (_link, "link out of its folder"),
    "truncated weights": (_truncate, "cannot be read"),
    "code": (_settings(model_type="own", auto_map={"AutoConfig": "code.Config"}), "never runs code"),
    "a damaged configuration": (lambda folder: (folder / "config.json").write_text("{"), "not valid JSON"),
    "no heads": (_settings(num_attention_heads=0), "num_attention_heads is 0; it must be a whole number"),
    "labels without end": (_settings(num_labels=10**9), r"config\.json: num_labels is 1000000000"),
    "layers without end": (_settings(num_hidden_layers=10**9), r"config\.json: num_hidden_layers is"),
    "a vocabulary without end": (_settings(vocab_size=10**8), "asks for .* numbers, but"),
    "a number that is none": (_settings(layer_norm_eps=float("nan")), r"config\.json: layer_norm_eps is nan"),
    "a type that is none": (_settings(model_type=["bert"]), "is no token classifier"),
    "a data type that is none": (_settings(dtype="Tensor"), "is no token classifier"),
    "a padding token that is none": (_settings(pad_token_id=10**8), "is no token classifier"),
    "weights that are not numbers": (_not_numbers, "holds NaN"),
    "other sizes": (_settings(hidden_size=64), "is no token classifier"),
    "quantised weights": (_settings(quantization_config={"quant_method": "bitsandbytes"}), "quantised"),
    "an adapter": (lambda folder: (folder / "adapter_config.json").write_text("{}"), "merge the adapter"),
    "an encoder without a classifier": (
        _encoder,
        r"is no token classifier .*lacks 2 weights, such as classifier\.bias",
    ),
    "an image model": (lambda folder: _settings(model_type="vit")(folder), "is no token classifier"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_classifier_that_is_none_is_told_in_one_sentence(
    fault: str, folder: Path, capsys: pytest.CaptureFixture[str], tiny_checkpoint: str
) -> None:
    spoil, message = FAULTS[fault]
    spoil(folder)
    with pytest.raises((OSError, ValueError), match=message) as caught:
        TokenClassifier(str(folder))
    assert "\n" not in str(caught.value)
    capsys.readouterr()
    assert main(["detect", "Ada", "--model", tiny_checkpoint, "--detector", f"hf:{folder}"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("nerret: ") and error.count("\n") == 1


def test_kernels_that_a_configuration_names_are_not_taken(folder: Path) -> None:
    _settings(_attn_implementation="someone/kernel", attn_implementation="someone/kernel")(folder)
    assert TokenClassifier(str(folder)).pipeline.model.config._attn_implementation in ("eager", "sdpa")


def test_a_classifier_is_no_language_model(classifiers: Path) -> None:
    with pytest.raises(ValueError, match="is no causal language model"):
        GenerativeExtractor(str(classifiers))


@pytest.mark.parametrize("name", ["no/such-model", "no such model", "../nowhere", "-", "no/such/model"])
def test_a_model_that_does_not_exist_is_told_in_one_sentence(name: str) -> None:
    with pytest.raises(OSError, match=r"the detector's model .* was not found .* give a local folder") as caught:
        TokenClassifier(name)
    assert "\n" not in str(caught.value)


def _gliner(folder: Path, weights: str = "model.safetensors", **fields: Any) -> str:
    (folder / "gliner_config.json").write_text(json.dumps(fields))
    (folder / weights).touch()
    return str(folder)


@pytest.mark.parametrize(
    ("weights", "fields", "message"),
    [
        ("pytorch_model.bin", {}, "holds no model.safetensors but pytorch_model.bin"),
        (INDEX, {}, "is no file of|names no weights|is not valid JSON"),
        (
            "model.safetensors",
            {"encoder_config": {"auto_map": {"AutoModel": "a/b--code.Model"}}},
            "code from a repository",
        ),
        ("model.safetensors", {"encoder_config": {"_attn_implementation": "someone/kernel"}}, "names 'someone/kernel'"),
        ("model.safetensors", {"labels_decoder": "no/such", "labels_decoder_config": None}, "was not found"),
    ],
)
def test_gliner_checkpoints_that_are_not_loaded(weights: str, fields: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError), match=message) as caught:
        check_gliner(_gliner(tmp_path, weights, **fields))
    assert "\n" not in str(caught.value)


def test_a_gliner_checkpoint_with_an_encoder_that_needs_code_is_not_loaded(tmp_path: Path) -> None:
    encoder, checkpoint = tmp_path / "encoder", tmp_path / "gliner"
    save_backbone(encoder)
    checkpoint.mkdir()
    assert check_gliner(_gliner(checkpoint, model_name=str(encoder), encoder_config=None)) == checkpoint
    _settings(auto_map={"AutoModel": "code.Model"})(encoder)
    with pytest.raises(ValueError, match="code from a repository"):
        check_gliner(_gliner(checkpoint, model_name=str(encoder)))


def test_a_classifier_is_no_gliner(classifiers: Path) -> None:
    with pytest.raises(ValueError, match=r"is no GLiNER checkpoint: it has no gliner_config\.json"):
        check_gliner(str(classifiers))


UNUSUAL = [
    "ada\n\nlondon\tparis",
    "Lon\u00addon 😀Pe\u0301rez❤️",
    "x" * 5000 + " in london",
    "→" * 3000,
    "the river " * 90,
]


def test_every_detector_keeps_all_promises_and_reads_forms(
    classifiers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = SIZES | {"max_position_embeddings": 2048}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(byte_bpe()), **sizes)).save_pretrained(tmp_path)
    byte_bpe().save_pretrained(tmp_path)
    generative = GenerativeExtractor(str(tmp_path))
    texts: list[str] = []

    def write(pieces: list[str]) -> list[str]:
        texts.extend(pieces)
        return [f"##{piece}##" for piece in pieces]

    monkeypatch.setattr(generative, "write", write)
    documents = [Document(str(number), text) for number, text in enumerate(UNUSUAL)]
    windows = make_windows(wordpiece(), UNUSUAL, 32)
    for detector in (generative, TokenClassifier(str(classifiers))):
        proposals = propose_mentions(detector, documents, windows, None)
        assert any(proposals)
        for window, spans in zip(windows, proposals, strict=True):
            check(window.text, spans)
    assert texts[:2] == ["ada ; london ; paris", "London  ; Pérez ; "]
    assert not any("x" * 300 in text for text in texts)
    ((names, *_), *_) = (proposals := propose_mentions(generative, documents, windows, None))
    assert UNUSUAL[0][names.start : names.end] == "ada" and len(proposals[0]) == 3
