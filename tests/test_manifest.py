"""Every file of a checkpoint is compared with its SHA-256 before it is read, by whoever reads it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

from modeling_nerret import MentionProbe, NerretModel, checkpoint_path
from modeling_nerret.files import read_json, regular_file
from modeling_nerret.loading import load_tokenizer
from modeling_nerret.manifest import KINDS, MANIFEST, kind_of, read_manifest
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.pretrained.type_names import TypeNames
from modeling_nerret.weights import weight_files
from tests.tiny import save_backbone, save_checkpoint, wordpiece


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `backbone`, `checkpoint` (self-contained) and `head` (head-only)."""
    folder = tmp_path_factory.mktemp("manifest")
    path = save_checkpoint(folder)
    NerretModel.from_pretrained(path).save_pretrained(folder / "head", head_only=True)
    TypeNames(["city"], [[]], np.ones((1, 16))).save(path)
    return folder


@pytest.fixture
def checkpoint(originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals / "checkpoint", tmp_path / "checkpoint"))


def _append(path: Path) -> None:
    """Damage that no parser would notice."""
    path.write_bytes(path.read_bytes() + (b"\n" if path.suffix == ".json" else b"\0"))


OWN_FILES = (*KINDS["detector"], *KINDS["types"])
FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", *OWN_FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_refused_by_name(name: str, checkpoint: Path) -> None:
    _append(checkpoint / name)
    with pytest.raises(OSError, match=rf"/{name} is not whole, or was changed.*delete checksums\.json"):
        load_checkpoint(str(checkpoint))
    (checkpoint / MANIFEST).unlink()  # as the message says
    if name.endswith(".json"):
        assert load_checkpoint(str(checkpoint)).model.config.layer == 2


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(name: str, checkpoint: Path) -> None:
    (checkpoint / name).unlink()
    with pytest.raises(OSError, match=name):
        load_checkpoint(str(checkpoint))


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors.index.json",
        "adapter_config.json",
        "adapter/adapter_model.safetensors",
        "added_tokens.json",
        "chat_template.jinja",
    ],
)
def test_a_file_that_does_not_belong_to_the_checkpoint_is_refused(name: str, checkpoint: Path) -> None:
    (checkpoint / name).parent.mkdir(exist_ok=True)
    (checkpoint / name).write_text("{}")
    with pytest.raises(OSError, match=rf"{name} does not belong to this checkpoint"):
        load_checkpoint(str(checkpoint))


def test_files_that_no_loader_reads_may_come_and_go(checkpoint: Path) -> None:
    for name in ("README.md", ".gitattributes", "notes.txt", "metrics.json"):
        (checkpoint / name).write_text("anything")
    assert load_checkpoint(str(checkpoint)).detector is not None


@pytest.mark.parametrize(
    ("load", "name"),
    [
        (AutoModel.from_pretrained, "model.safetensors"),
        (MentionProbe.from_pretrained, "detector.json"),
        (lambda folder: load_tokenizer(folder, None), "tokenizer.json"),
        (lambda folder: SentenceTransformer(str(folder), trust_remote_code=True), "tokenizer.json"),
        (lambda folder: SentenceTransformer(str(folder), trust_remote_code=True), "modules.json"),
    ],
)
def test_every_loader_checks_what_it_reads(load: Callable[[Path], Any], name: str, checkpoint: Path) -> None:
    _append(checkpoint / name)
    with pytest.raises(OSError, match=name):
        load(checkpoint)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_a_head_knows_the_configuration_and_tokenizer_of_its_backbone(name: str, tmp_path: Path) -> None:
    backbone = Path(save_backbone(tmp_path / "backbone"))
    model = NerretModel.from_backbone(backbone, 2, head_size=8, hidden_size=8)
    model.save_pretrained(tmp_path / "first", head_only=True)
    NerretModel.from_pretrained(tmp_path / "first").save_pretrained(tmp_path / "second")
    assert load_checkpoint(str(tmp_path / "second")).model.config.layer == 2
    _append(backbone / name)
    for folder in ("first", "second"):
        with pytest.raises(OSError, match=rf"{name} is not whole, or was changed.*use the revision of the backbone"):
            load_checkpoint(str(tmp_path / folder))


def test_the_manifest_itself_is_checked(checkpoint: Path) -> None:
    content = (checkpoint / MANIFEST).read_text()
    changes = (content[:-5], content.replace("a", "b", 1), content.replace('"config.json"', '"../config.json"'), "[]")
    for damage in changes:
        (checkpoint / MANIFEST).write_text(damage)
        with pytest.raises(OSError, match=rf"{MANIFEST} (is damaged|is not valid JSON|holds a JSON list)"):
            load_checkpoint(str(checkpoint))


def test_saving_again_renews_the_manifest(checkpoint: Path) -> None:
    model = NerretModel.from_pretrained(checkpoint)
    model.config.match_score = 0.25
    model.save_pretrained(checkpoint)
    tokenizer = wordpiece()
    tokenizer.model_max_length = 63  # so that a file changes
    tokenizer.save_pretrained(checkpoint)
    assert load_checkpoint(str(checkpoint)).model.config.match_score == 0.25
    encoder = SentenceTransformer(str(checkpoint), trust_remote_code=True)
    encoder.save_pretrained(str(checkpoint), create_model_card=False)
    encoder.save_pretrained(str(checkpoint), create_model_card=False)
    assert SentenceTransformer(str(checkpoint), trust_remote_code=True).tokenizer.model_max_length == 63
    manifest = read_manifest(checkpoint)
    assert manifest and {"config_sentence_transformers.json", "tokenizer.json", "detector.json"} <= set(manifest.files)


def test_the_vocabulary_of_a_tokenizer_that_was_saved_later_is_compared(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    NerretModel.from_backbone(save_backbone(tmp_path / "b"), 2, head_size=8, hidden_size=8).save_pretrained(folder)
    wordpiece().save_pretrained(folder)
    assert load_checkpoint(str(folder)).detector is None
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace('"paris":', '"perls":'))  # a word that the test text does not have
    with pytest.raises(ValueError, match=r"vocabulary of this checkpoint's tokenizer \(tokenizer\.json"):
        load_checkpoint(str(folder))


def test_weights_of_an_earlier_save_are_not_taken_for_the_new_ones(checkpoint: Path) -> None:
    model = NerretModel.from_pretrained(checkpoint)
    with torch.no_grad():
        model.head[3].bias.add_(1)
    for size in ("20kB", "1GB"):
        model.save_pretrained(checkpoint, max_shard_size=size)
        assert (NerretModel.from_pretrained(checkpoint).head[3].bias == model.head[3].bias).all()
        assert (checkpoint / "model.safetensors").exists() is (size == "1GB")


def test_the_built_in_checkpoint_lists_all_its_files() -> None:
    folder = Path(checkpoint_path())
    manifest = read_manifest(folder)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    assert manifest and set(manifest.files) == names
    assert {"config.json", "tokenizer.json", "vocab.txt"} <= set(manifest.backbone)
    assert kind_of("README.md") is None


def test_only_regular_files_inside_the_folder_are_opened(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    stranger = tmp_path / "outside.json"
    stranger.write_text("{}")
    path = tmp_path / "folder" / "config.json"
    for target in ("/dev/zero", "/dev/null", "nothing", stranger):
        path.unlink(missing_ok=True)
        path.symlink_to(target)
        with pytest.raises(OSError, match=r"config\.json is"):
            regular_file(path, tmp_path / "folder")
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="no regular file but a folder, a pipe or a device"):
        read_json(path)


def test_links_of_the_hugging_face_cache_are_followed(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "models--a--b" / "blobs", tmp_path / "models--a--b" / "snapshots" / "0123"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (blobs / "aa").write_text("{}")
    (snapshot / "config.json").symlink_to("../../blobs/aa")
    assert read_json(regular_file(snapshot / "config.json", snapshot)) == {}


@pytest.mark.parametrize("form", ["checkpoint", "head"])
def test_files_of_a_repository_are_compared(
    form: str, originals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "models--someone--model"
    snapshot, blobs = repository / "snapshots" / ("0" * 40), repository / "blobs"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    shutil.copytree(originals / form, blobs)
    for path in blobs.iterdir():
        (snapshot / path.name).symlink_to(Path("../../blobs") / path.name)
    source = {"cache_dir": tmp_path, "local_files_only": True}
    assert NerretModel.from_pretrained("someone/model", **source).config.layer == 2
    _append(blobs / "model.safetensors")
    with pytest.raises(OSError, match=r"model\.safetensors is not whole, or was changed"):
        NerretModel.from_pretrained("someone/model", **source)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "weights.bin", "", 5, "a/b.safetensors"])
def test_an_index_of_shards_names_only_safetensors_beside_it(name: Any, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(OSError, match="only safetensors in the same folder are read"):
        weight_files(tmp_path)


@pytest.mark.parametrize("content", ["[]", "{", "\udcff", "[" * 100_000, '{"a": 1}x'])
def test_settings_that_are_no_json_object_are_one_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(OSError, match=r"config\.json (is not valid JSON|holds a JSON list)"):
        read_json(tmp_path / "config.json")


def test_an_upload_is_of_the_complete_checkpoint(
    tiny_checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads: list[tuple[str, dict[str, Any]]] = []
    model = NerretModel.from_pretrained(tiny_checkpoint)
    monkeypatch.setattr(NerretModel, "push_to_hub", lambda self, name, **options: uploads.append((name, options)))
    model.save_pretrained(tmp_path / "a", push_to_hub=True, repo_id="someone/model", private=True)
    assert uploads == [("someone/model", {"private": True})] and (tmp_path / "a" / MANIFEST).exists()
    with pytest.raises(ValueError, match="in this form without push_to_hub"):
        model.save_pretrained(tmp_path / "b", push_to_hub=True, head_only=True)
    assert not model.config.head_only and not (tmp_path / "b").exists()
