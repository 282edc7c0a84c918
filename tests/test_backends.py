"""Backends: OpenVINO in the place of torch."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_nerret import EntityRetriever
from modeling_nerret.backends.cache import cache_home, exported_folder
from modeling_nerret.backends.states import check_backend, load_states
from modeling_nerret.cli import main
from modeling_nerret.pretrained.checkpoints import load_checkpoint

TEXTS = ["Ada Lovelace met Charles Babbage in London.", "Oslo", "Triceratops lived in Montana. " * 30]


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NERRET_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def backend() -> str:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    pytest.importorskip("openvino", reason="pip install '.[openvino]'")
    return "openvino"


@pytest.mark.slow
def test_an_index_of_one_backend_is_searched_with_another(tmp_path: Path, tiny_checkpoint: str, backend: str) -> None:
    documents = [{"id": str(number), "text": text} for number, text in enumerate(TEXTS)]
    fast = EntityRetriever(tmp_path / "fast", tiny_checkpoint, backend=backend)
    exact = EntityRetriever(tmp_path / "exact", tiny_checkpoint)
    assert fast.add(documents).windows == exact.add(documents).windows
    ids = torch.tensor([[2, 7, 8, 9, 3], [2, 7, 3, 0, 0]])
    mask = (ids > 0).long()
    states, reference = (index.checkpoint.model.hidden_states(ids, mask) for index in (fast, exact))
    assert torch.cosine_similarity(states, reference, dim=-1)[mask.bool()].min() > 0.98
    vectors, exact_vectors = (index.encoder.embed_queries(["city", "an animal"]) for index in (fast, exact))
    assert ((vectors * exact_vectors).sum(1) > 0.95).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert len(EntityRetriever(tmp_path / "fast").search("city", k=3)) == 3  # with torch
    assert len(EntityRetriever(tmp_path / "exact", backend=backend).search("city", k=3)) == 3


def test_an_export_is_read_again_and_a_changed_one_made_anew() -> None:
    exports: list[Path] = []

    def export(folder: Path) -> None:
        exports.append(folder)
        (folder / "states").write_text("weights")

    folder = exported_folder("openvino", ("checkpoint", "version"), export)
    assert exported_folder("openvino", ("checkpoint", "version"), export) == folder and len(exports) == 1
    assert exported_folder("openvino", ("checkpoint", "newer"), export) != folder and len(exports) == 2
    (folder / "states").write_text("weight")
    assert exported_folder("openvino", ("checkpoint", "version"), export) == folder and len(exports) == 3
    assert (folder / "states").read_text() == "weights" and not list(cache_home().glob(".*"))


def test_a_backbone_that_is_exported_wrong_is_refused(
    tiny_checkpoint: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_checkpoint(tiny_checkpoint).model
    states, module = model.hidden_states, f"modeling_nerret.backends.{backend}_backend"
    monkeypatch.setattr(f"{module}.export", lambda model, folder: None)
    monkeypatch.setattr(f"{module}.load", lambda folder: lambda ids, mask: -states(ids, mask))
    with pytest.raises(ValueError, match=f"kind bert cannot be exported for the backend {backend} .*cosine.* torch"):
        load_states(model, backend, "another fingerprint")
    assert not list(cache_home().glob(".*"))


def test_a_failed_export_leaves_nothing_behind() -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        exported_folder("openvino", ("a", "b"), fail)
    assert not list(cache_home().glob(".*")) and not list(cache_home().glob("*/half"))


def test_what_a_backend_cannot_do_is_refused(
    tiny_checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="'tensorrt'; accepted are torch, openvino"):
        check_backend("tensorrt")
    with pytest.raises(ValueError, match="CPU only, not on 'cuda'; torch does"):
        check_backend("openvino", "cuda")
    with pytest.raises(ValueError, match="does not take dtype"):
        load_checkpoint(tiny_checkpoint, backend="openvino", dtype="bfloat16")
    checkpoint = load_checkpoint(tiny_checkpoint)
    with pytest.raises(ValueError, match="loaded with the backend torch; load it with 'openvino'"):
        EntityRetriever(tmp_path / "index", checkpoint, backend="openvino")
    monkeypatch.setattr(type(checkpoint.model), "quantized", True)
    with pytest.raises(ValueError, match="a quantised backbone cannot run with the backend openvino"):
        load_states(checkpoint.model, "openvino", "")


def test_a_missing_package_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    for package in ("openvino", "modeling_nerret.backends.openvino_backend"):
        monkeypatch.setitem(sys.modules, package, None)
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("Ada")
    assert main(["index", str(corpus), str(tmp_path / "index"), "--backend", "openvino"]) == 1
    assert "pip install '.[openvino]'" in capsys.readouterr().err
    assert not (tmp_path / "index").exists()
