"""The static Space: its model, its data, its ranking, and what its builder refuses."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from modeling_nerret import EntityRetriever
from modeling_nerret.cli import main
from modeling_nerret.detection import GivenSpans
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.hub_card import push
from modeling_nerret.hub_card.contents import contents
from modeling_nerret.hub_card.space_build import PAGE, build_space
from modeling_nerret.hub_card.space_corpus import CORPUS, VECTORS, write_corpus
from modeling_nerret.index.answers.promises import best_length
from modeling_nerret.pretrained.calibration import Calibration
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint
from tests.space_page import ask_page

TEXTS = [
    "🦕 Ada wrote notes in London, the city by the river.",
    "Born in Paris, she ran; the runners of Malmö ran as well.",
    "Straße und Fluss: nothing here is English.",
    "The notes were lost.",
    "!",
]
DOCUMENTS = [Document(f"text-{number}", text) for number, text in enumerate(TEXTS)]
QUERIES = ["city", "Running  notes", "malmo", "strasse", "the", "unheard-of"]


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint: str) -> Checkpoint:
    checkpoint = load_checkpoint(tiny_checkpoint)
    checkpoint.model.config.feedback_documents = 2
    nonsense = tuple(np.linspace(-0.5, 0.5, checkpoint.model.config.hidden_size + 1).tolist())
    return replace(checkpoint, calibration=Calibration(9.0, -6.0, 1.1, (-3.0, 1.0, 0.5, 2.0), nonsense))


@pytest.fixture(scope="module")
def space(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("space")
    write_corpus(checkpoint, folder, DOCUMENTS)
    return folder


def test_the_page_ranks_marks_and_promises_as_the_package(checkpoint: Checkpoint, space: Path, tmp_path: Path) -> None:
    retriever = EntityRetriever(tmp_path / "index", checkpoint)
    retriever.add(DOCUMENTS)
    vectors = dict(zip(QUERIES, retriever.encoder.embed_queries(QUERIES), strict=True))
    assert checkpoint.calibration is not None
    for (query, vector), answer in zip(vectors.items(), ask_page(space, vectors), strict=True):
        hits = retriever.search(query, k=len(TEXTS))
        scores = {hit.id: hit.score for hit in hits}
        assert answer["ids"] == [hit.id for hit in hits], query
        np.testing.assert_allclose(answer["scores"], list(scores.values()), atol=1e-4)
        for marks, hit in zip(answer["marks"], hits, strict=True):
            assert set(marks) <= {mention.text for mention in hit.mentions}
            assert bool(marks) == bool(hit.mentions)
        absent = checkpoint.calibration.absent(hits[0].score, vector, is_unknown=False)
        belief = checkpoint.calibration.believe(np.array([hit.score for hit in hits]), absent)
        np.testing.assert_allclose(answer["chances"], belief.probabilities, atol=1e-3)
        assert answer["length"] == best_length(belief)


def test_the_data_hold_every_mention_of_the_index(checkpoint: Checkpoint, space: Path, tmp_path: Path) -> None:
    corpus, tensors = json.loads((space / CORPUS).read_text(encoding="utf-8")), load_file(space / VECTORS)
    assert [(text["id"], text["text"]) for text in corpus["documents"]] == [(text.id, text.text) for text in DOCUMENTS]
    retriever = EntityRetriever(tmp_path / "index", checkpoint)
    retriever.add(DOCUMENTS)
    spans = {(number, span) for number, text in enumerate(TEXTS) for span in _spans(retriever, number, text)}
    assert {(number, (start, end)) for number, start, end in corpus["mentions"]} == spans
    assert tensors["mentions"].dtype == np.int16 and len(tensors["mentions"]) == len(spans)
    vectors = tensors["mentions"] * tensors["mentions.scales"][:, None]  # (mentions, hidden_size)
    lengths = np.linalg.norm(vectors, axis=1)
    assert (lengths > 0).all() and (lengths < 1.001).all()


def _spans(retriever: EntityRetriever, number: int, text: str) -> list[tuple[int, int]]:
    """Mentions of a document, counted in UTF-16 units."""
    document = retriever.lookup([f"text-{number}"], spans=True)[f"text-{number}"]
    spans = document.mentions or ()
    return [(_units(text[: span.start]), _units(text[: span.end])) for span in spans]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.slow
def test_onnx_gives_the_packages_vectors(checkpoint: Checkpoint, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="pip install '.[space]'")
    model = pytest.importorskip("modeling_nerret.hub_card.onnx_model", reason="pip install '.[space]'")
    model.write_onnx(checkpoint, tmp_path / "model.onnx")
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, GivenSpans())
    queries = ["a", "city", "city in the notes, born by Ada and Paris in London by the river"]
    assert model.compare_vectors(encoder, tmp_path / "model.onnx", queries) < 1e-5
    strange_vectors = np.roll(encoder.embed_queries(queries), 1, axis=1)
    encoder.embed_queries = lambda queries: strange_vectors  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="ONNX gives other vectors"):
        model.compare_vectors(encoder, tmp_path / "model.onnx", queries)


def test_large_weights_are_halved_and_computed_with_in_full() -> None:
    onnx = pytest.importorskip("onnx", reason="pip install '.[space]'")
    model = pytest.importorskip("modeling_nerret.hub_card.onnx_model", reason="pip install '.[space]'")
    generator = np.random.default_rng(0)
    weights = {"table": (200, 64), "dense": (64, 64), "bias": (64,)}
    arrays = {name: generator.normal(size=shape).astype(np.float32) for name, shape in weights.items()}
    make = onnx.helper.make_node
    nodes = [
        make("Gather", ["table", "ids"], ["rows"]),
        make("MatMul", ["rows", "dense"], ["product"]),
        make("Add", ["product", "bias"], ["vector"]),
    ]
    value = onnx.helper.make_tensor_value_info
    inputs, outputs = [value("ids", 7, [3])], [value("vector", 1, [3, 64])]
    parts = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = onnx.helper.make_model(onnx.helper.make_graph(nodes, "graph", inputs, outputs, parts))
    before = graph.ByteSize()
    (vector,) = onnx.reference.ReferenceEvaluator(model.halve(graph)).run(None, {"ids": np.array([0, 7, 199])})
    halves = {name: array.astype(np.float16).astype(np.float32) for name, array in arrays.items()}
    expected = halves["table"][[0, 7, 199]] @ halves["dense"] + arrays["bias"]
    np.testing.assert_allclose(vector, expected, atol=1e-4)
    assert graph.ByteSize() < 0.55 * before


def test_a_space_says_what_runs_it(tmp_path: Path) -> None:
    readme = (PAGE / "README.md").read_text(encoding="utf-8")
    assert push._sdk(PAGE) == "static" and len(readme.split("short_description: ")[1].split("\n")[0]) <= 60
    (tmp_path / "README.md").write_text("# a model\n")
    with pytest.raises(ValueError, match="must be one of gradio, docker, static"):
        push._sdk(tmp_path)


def test_all_kinds_of_files_of_a_space_are_uploaded(tmp_path: Path) -> None:
    names = ["model.onnx", "vectors.safetensors", "corpus.json", "tokenizer.json", "vendor/onnxruntime.wasm"]
    names += [path.name for path in PAGE.iterdir() if not path.name.startswith("package")]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(PAGE / name, tmp_path / name) if (PAGE / name).exists() else (tmp_path / name).write_bytes(b"")
    assert {path.as_posix() for path in contents(tmp_path).files} == set(names) and not contents(tmp_path).omissions


def test_the_lock_file_has_checksums_and_no_address() -> None:
    text = (PAGE / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    assert "://" not in text
    assert all(entry["integrity"].startswith("sha512-") for name, entry in packages.items() if name)
    versions = {name.removeprefix("node_modules/"): entry["version"] for name, entry in packages.items() if name}
    wishes = json.loads((PAGE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert wishes.items() <= versions.items()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("", "npm is missing.*install Node.js"),
        ("echo 'npm error code EINTEGRITY' >&2; exit 1", "could not fetch.*EINTEGRITY"),
        ("exit 0", "have no file onnxruntime-web"),
    ],
)
def test_what_npm_cannot_fetch_is_explained(
    script: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "npm"
    if script:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if script else str(tmp_path))
    with pytest.raises(OSError, match=message):
        build_space("nerret-minilm", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_full_folder_and_missing_packages_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["space", "nerret-minilm", str(tmp_path.parent)]) == 1
    assert "exists already" in capsys.readouterr().err
    monkeypatch.setattr("modeling_nerret.hub_card.space_build.fetch_packages", lambda source, folder: folder)
    monkeypatch.setattr("modeling_nerret.hub_card.space_build.copy_files", lambda packages, files, folder: None)
    monkeypatch.setattr("modeling_nerret.hub_card.space_build.load_checkpoint", lambda name: None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "modeling_nerret.hub_card.onnx_model", raising=False)
    assert main(["space", "nerret-minilm", str(tmp_path / "out")]) == 1
    assert "pip install '.[space]'" in capsys.readouterr().err and not (tmp_path / "out").exists()
