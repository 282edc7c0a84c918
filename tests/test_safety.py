"""Damaged, foreign and changed checkpoints are refused; the error says what came and what is accepted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, BitsAndBytesConfig

from modeling_nerret import MentionProbe, NerretModel
from modeling_nerret.cli import main
from modeling_nerret.manifest import MANIFEST
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.weights import sha256_of_weights
from tests.small_corpus import write_corpus
from tests.tiny import save_backbone, save_checkpoint


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a `backbone` and two checkpoints made from it: `checkpoint` (self-contained) and `head`."""
    folder = tmp_path_factory.mktemp("safety")
    NerretModel.from_pretrained(save_checkpoint(folder)).save_pretrained(folder / "head", head_only=True)
    return folder


@pytest.fixture
def copies(checkpoints: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage; its head-only checkpoint names the copied backbone, and it has no manifests."""
    shutil.copytree(checkpoints, tmp_path / "made")
    for path in (tmp_path / "made").rglob(MANIFEST):
        path.unlink()
    _configure(tmp_path / "made" / "head", backbone=str(tmp_path / "made" / "backbone"))
    return tmp_path / "made"


def _configure(folder: Path, **fields: Any) -> None:
    """Set fields of the folder's config.json."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def _spoil(folder: Path, name: str, number: float) -> None:
    """Write a number into a weight; 0 removes the weight."""
    weights = load_file(folder / "model.safetensors")
    if number:
        weights[name].view(-1)[0] = number
    else:
        del weights[name]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_changed_backbone_weights(copies: Path) -> None:
    name = "encoder.layer.3.output.dense.bias"  # a weight that is not even used
    _spoil(copies / "backbone", name, 1.0)
    with pytest.raises(ValueError, match=r"have SHA-256 .* but this head was trained on"):
        AutoModel.from_pretrained(copies / "head")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layer": 9}, "must be from 0 to 3"),
        ({"layer": "seven"}, "layer is 'seven'; it must be a whole number"),
        ({"value_size": 64}, r"head\.0\.weight is \(24, 32\), but the configuration needs \(24, 64\)"),
        ({"hidden_size": 9}, r"head\.3\.bias is \(16,\), but the configuration needs \(9,\)"),
        ({"pooling": "cls"}, "accepted are 'end', 'mean'"),
        ({"pooling": "end"}, r"gives other vectors .*its config\.json or model"),
        ({"hidden_size": 9}, r"config\.json and its weights do not belong together"),
        ({"layers": 3}, "unknown field 'layers' .*did you mean 'layer'"),
        ({"backbone": None}, "names no backbone"),
    ],
)
def test_configuration_that_does_not_fit(fields: dict, message: str, copies: Path) -> None:
    _configure(copies / "head", **fields)
    with pytest.raises(ValueError, match=message):
        NerretModel.from_pretrained(copies / "head")


def test_layer_that_contradicts_the_backbone_inside(copies: Path) -> None:
    _configure(copies / "checkpoint", layer=1)
    with pytest.raises(ValueError, match="layer is 1, but cut_config has 2 blocks"):
        NerretModel.from_pretrained(copies / "checkpoint")


@pytest.mark.parametrize("form", ["head", "checkpoint"])
def test_weights_that_are_not_numbers(form: str, copies: Path) -> None:
    _spoil(copies / form, "head.3.weight", float("nan"))
    with pytest.raises(ValueError, match=r"3\.weight holds NaN or infinite"):
        NerretModel.from_pretrained(copies / form)


def test_backbone_weights_that_are_not_numbers(copies: Path) -> None:
    _spoil(copies / "checkpoint", "backbone.encoder.layer.1.output.dense.bias", float("nan"))
    with pytest.raises(ValueError, match="vectors with NaN or infinite numbers"):
        NerretModel.from_pretrained(copies / "checkpoint")


@pytest.mark.parametrize("form", ["head", "checkpoint", "backbone"])
def test_truncated_weights(form: str, copies: Path) -> None:
    path = copies / form / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(OSError, match="not whole, or no safetensors"):
        NerretModel.from_backbone(copies / form, 2) if form == "backbone" else NerretModel.from_pretrained(
            copies / form
        )


@pytest.mark.parametrize("form", ["head", "checkpoint"])
def test_foreign_weights(form: str, copies: Path) -> None:
    save_file({"stranger": torch.zeros(3)}, copies / form / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"lacks \d+ weights, such as .*it holds others instead, such as stranger"):
        NerretModel.from_pretrained(copies / form)


def test_backbone_that_lacks_a_weight(copies: Path) -> None:
    _spoil(copies / "backbone", "encoder.layer.0.attention.self.query.weight", 0)
    with pytest.raises(ValueError, match=r"lacks 1 weights, such as encoder\.layer\.0\.attention\.self\.query"):
        NerretModel.from_backbone(copies / "backbone", 2)


def test_a_library_that_gives_other_vectors_is_noticed(copies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers.models.bert import modeling_bert

    forward = modeling_bert.BertSelfOutput.forward
    monkeypatch.setattr(modeling_bert.BertSelfOutput, "forward", lambda self, x, y: forward(self, x, y) + 0.5 * x)
    for form in ("head", "checkpoint"):
        with pytest.raises(ValueError, match="gives other vectors here than when it was saved"):
            load_checkpoint(str(copies / form))
        assert NerretModel.from_pretrained(copies / form, golden_vector=None).config.layer == 2


def test_a_head_only_checkpoint_uses_the_tokenizer_of_its_backbone(copies: Path) -> None:
    checkpoint, head = load_checkpoint(str(copies / "checkpoint")), load_checkpoint(str(copies / "head"))
    assert head.tokenizer("ada in london") == checkpoint.tokenizer("ada in london")


@pytest.mark.parametrize("spoil", ["size", "weights", "nan"])
def test_detector_that_does_not_fit(spoil: str, copies: Path) -> None:
    path = copies / "checkpoint" / MentionProbe.config_name
    if spoil == "size":
        path.write_text(json.dumps(json.loads(path.read_text()) | {"size": 9}))
    elif spoil == "nan":
        weights = load_file(path.with_suffix(".safetensors"))
        save_file(weights | {"width": weights["width"] * float("nan")}, path.with_suffix(".safetensors"))
    else:
        path.with_suffix(".safetensors").write_bytes(b"none")
    with pytest.raises((ValueError, OSError), match=r"is no MentionProbe|holds NaN|not whole"):
        load_checkpoint(str(copies / "checkpoint"))


def test_only_safetensors_are_loaded(tmp_path: Path) -> None:
    folder = Path(save_backbone(tmp_path / "b"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(
        OSError, match=r"holds no model\.safetensors but pytorch_model\.bin; nerret loads safetensors only"
    ):
        NerretModel.from_backbone(folder, 2)


def test_weights_in_gguf_are_refused_with_the_lines_that_convert_them(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "tiny.Q4_1.gguf").write_bytes(b"GGUF")
    lines = [
        "from transformers import AutoModel, AutoTokenizer, GgufConfig",
        f"AutoModel.from_pretrained({str(tmp_path)!r}, gguf_file='tiny.Q4_1.gguf', "
        "quantization_config=GgufConfig(dequantize=True)).save_pretrained('NEW')",
        f"AutoTokenizer.from_pretrained({str(tmp_path)!r}, gguf_file='tiny.Q4_1.gguf').save_pretrained('NEW')",
    ]
    for place in (tmp_path, tmp_path / "tiny.Q4_1.gguf"):
        with pytest.raises(OSError, match=r"holds no model\.safetensors but tiny\.Q4_1\.gguf") as caught:
            NerretModel.from_backbone(place, 2)
        assert str(caught.value).splitlines()[1:] == lines
        for line in lines:
            compile(line, "message", "exec")
    corpus = write_corpus(tmp_path)
    assert main(["probe", str(tmp_path), str(corpus)]) == 1
    assert "GgufConfig(dequantize=True)" in capsys.readouterr().err
    with pytest.raises(OSError, match=r"small\.jsonl is a file; name its folder"):
        NerretModel.from_backbone(corpus, 2)


@pytest.mark.parametrize("name", ["./backbone", "../a/backbone", "~/backbone", "/a", "a/b/c"])
def test_a_folder_that_is_not_there_is_not_asked_for_on_the_hub(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "tiny.gguf").touch()
    monkeypatch.setattr("modeling_nerret.weights.ask_hub", lambda request: pytest.fail("the Hub was asked"))
    with pytest.raises(OSError, match="does not exist"):
        NerretModel.from_backbone(name, 2)
    with pytest.raises(OSError, match="is a file; name its folder"):
        NerretModel.from_backbone("tiny.gguf", 2)


def test_a_backbone_that_has_moved_is_named_by_an_option(copies: Path) -> None:
    head, place = copies / "head", copies / "elsewhere"
    query = load_checkpoint(str(head)).model(torch.tensor([[2, 5, 3]])).embeddings
    (copies / "backbone").rename(place)
    for load in (AutoModel.from_pretrained, NerretModel.from_pretrained, load_checkpoint):
        with pytest.raises(OSError, match=r"backbone' does not exist\. If its folder has moved.*backbone='FOLDER'"):
            load(str(head))
        loaded_model = load(str(head), backbone=str(place))
        model = getattr(loaded_model, "model", loaded_model)
        assert torch.equal(model(torch.tensor([[2, 5, 3]])).embeddings, query)
    encoder = SentenceTransformer(str(head), trust_remote_code=True, config_kwargs={"backbone": str(place)})
    assert encoder.encode("ada").shape == (16,)
    encoder.save(str(copies / "again"))  # and so it is mended for good
    assert load_checkpoint(str(copies / "again")).model.config.backbone == str(place)
    _spoil(place, "encoder.layer.3.output.dense.bias", 1.0)
    with pytest.raises(ValueError, match="this head was trained on"):
        load_checkpoint(str(head), backbone=str(place))


def test_sha256_of_one_file_and_of_shards(tmp_path: Path) -> None:
    folder = Path(save_backbone(tmp_path / "b"))
    digest = sha256_of_weights(folder)
    AutoModel.from_pretrained(folder).save_pretrained(tmp_path / "shards", max_shard_size="20kB")
    assert len(list((tmp_path / "shards").glob("model-*.safetensors"))) > 1
    shards_digest = sha256_of_weights(tmp_path / "shards")
    save_file({"another": torch.zeros(1)}, tmp_path / "shards" / "consolidated.safetensors")
    # transformers ignores the file just added
    assert digest != shards_digest == sha256_of_weights(tmp_path / "shards")
    next((tmp_path / "shards").glob("model-*.safetensors")).unlink()
    with pytest.raises(OSError, match=r"which its model\.safetensors\.index\.json names"):
        sha256_of_weights(tmp_path / "shards")


def test_code_in_the_repository_of_a_backbone_is_never_run(tmp_path: Path) -> None:
    folder = Path(save_backbone(tmp_path / "b"))
    proof = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(proof)!r}, 'w')\n")
    _configure(folder, auto_map={"AutoConfig": "evil.Config", "AutoModel": "evil.Model"})
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            json.loads((folder / "tokenizer_config.json").read_text())
            | {"auto_map": {"AutoTokenizer": [None, "evil.T"]}}
        )
    )
    model = NerretModel.from_backbone(folder, 2)  # a known architecture: the library's own code is used
    model.save_pretrained(tmp_path / "head", head_only=True)
    load_checkpoint(str(tmp_path / "head"))
    _configure(folder, model_type="evil")
    with pytest.raises(ValueError, match="code from its own repository, which nerret never executes"):
        NerretModel.from_backbone(folder, 2)
    assert not proof.exists()


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "least"), [("load_in_8bit", 0.99), ("load_in_4bit", 0.95)])
def test_quantised_backbone_under_a_float_head(tmp_path: Path, bits: str, least: float) -> None:
    # On a CPU, 4 bits need blocks of 64 numbers
    folder = save_backbone(tmp_path / "backbone", hidden_size=64, intermediate_size=128)
    exact, ids = NerretModel.from_backbone(folder, 2), torch.randint(4, 60, (2, 9))
    for name, head_only in (("head", True), ("whole", False)):
        exact.save_pretrained(tmp_path / name, head_only=head_only)
    options = {"quantization_config": BitsAndBytesConfig(**{bits: True})}
    model = NerretModel.from_pretrained(tmp_path / "head", **options)
    assert model.quantized and model.head[0].weight.dtype == torch.float32
    assert torch.cosine_similarity(model(ids).embeddings, exact.eval()(ids).embeddings).min() > least
    with pytest.raises(ValueError, match="use head_only=True"):
        model.save_pretrained(tmp_path, head_only=False)
    with pytest.raises(ValueError, match="save it with head_only=True"):
        NerretModel.from_pretrained(tmp_path / "whole", **options)


@pytest.mark.parametrize(("name", "weight"), [("model", "head.0.bias"), ("detector", "width")])
def test_weights_of_whole_numbers_are_refused(name: str, weight: str, copies: Path) -> None:
    path = copies / "checkpoint" / f"{name}.safetensors"
    weights = load_file(path)
    save_file(weights | {weight: weights[weight].view(torch.int32)}, path, metadata={"format": "pt"})
    (copies / "checkpoint" / "checksums.json").unlink(missing_ok=True)
    with pytest.raises(ValueError, match=rf"{name}\.safetensors.*{weight} is of type I32"):
        load_checkpoint(str(copies / "checkpoint"))
