"""The bank of type names: what a file of them must hold, what is nearest to a vector, and who writes and reads it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from modeling_nerret import EntityRetriever
from modeling_nerret.detection import GivenSpans
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.manifest import MANIFEST, read_manifest, write_manifest
from modeling_nerret.pretrained.built_in import DEFAULT
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.pretrained.type_names import FILE, TypeNames
from modeling_nerret.spans import Span
from modeling_nerret.training import type_names as training_type_names

NAMES = ["person", "writer", "poet"]
PARENTS: list[list[str]] = [[], ["person"], ["writer"]]


@pytest.fixture
def bank() -> TypeNames:
    return TypeNames(NAMES, PARENTS, np.eye(3, 16, dtype=np.float32), np.array([0.5, 0.25, 0]))


@pytest.fixture
def checkpoint(tiny_checkpoint: str, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, whose vectors have 16 numbers."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint"))


def test_a_bank_survives_its_file(bank: TypeNames, tmp_path: Path) -> None:
    bank.save(tmp_path)
    copy = TypeNames.load(tmp_path, 16)
    assert (copy.names, copy.parents) == (tuple(NAMES), ((), ("person",), ("writer",)))
    assert np.array_equal(copy.vectors, bank.vectors) and copy.vectors.dtype == np.float32
    assert np.array_equal(copy.background, bank.background)
    assert len(copy) == 3
    manifest = read_manifest(tmp_path)
    assert manifest is not None and list(manifest.files) == [FILE]


def test_the_nearest_names_do_not_depend_on_a_vector_s_length(bank: TypeNames) -> None:
    vectors = np.array([[0.9, 0.1, 0.3], [0, 2, 1]], np.float32) @ np.eye(3, 16, dtype=np.float32)
    places, cosines = bank.nearest(vectors * [[0.01], [7]], 2)
    assert places.tolist() == [[0, 2], [1, 2]]
    assert cosines[1].tolist() == pytest.approx([2 / 5**0.5, 1 / 5**0.5])
    assert bank.nearest(vectors, 9)[0].shape == (2, 3)  # no more than there are
    assert bank.nearest(np.zeros((0, 16), np.float32), 2)[0].shape == (0, 2)
    assert np.isfinite(bank.nearest(np.zeros((1, 16), np.float32), 2)[1]).all()


def test_a_hub_is_near_to_the_names_nearest_to_it(bank: TypeNames) -> None:
    vectors = np.array([[3, 4, 0], [0, 0, 2], [-1, -1, -1]], np.float32) @ np.eye(3, 16, dtype=np.float32)
    assert bank.hubness(vectors, 2).tolist() == pytest.approx([0.7, 0.5, 0])  # never below 0
    assert bank.hubness(vectors, 9).tolist() == pytest.approx([1.4 / 3, 1 / 3, 0])  # no more than there are
    assert bank.hubness(np.zeros((0, 16), np.float32)).shape == (0,)


def test_a_hub_scores_less(bank: TypeNames, checkpoint: Path, tmp_path: Path) -> None:
    def ranks(folder: str) -> dict[str, float]:
        retriever = EntityRetriever(tmp_path / folder, load_checkpoint(str(checkpoint)), GivenSpans())
        retriever.add([{"id": "a", "text": "The river.", "mentions": [{"start": 4, "end": 9}]}])
        return dict(retriever.rank("city", mode="vector"))

    plain = ranks("plain")
    bank.save(checkpoint)
    assert ranks("bank") == plain
    former = load_checkpoint(str(checkpoint)).fingerprint
    path = checkpoint / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hubness": 0.5}))
    write_manifest(checkpoint, "model")
    document = Document("a", "The river.", mentions=(Span(4, 9),))
    files = load_checkpoint(str(checkpoint))
    (item,) = Encoder(files.model, files.tokenizer, GivenSpans()).encode([document])
    factor = 1 - 0.5 * bank.hubness(item.vectors)[0]
    assert factor < 0.99
    assert ranks("hubs")["a"] == pytest.approx(plain["a"] * factor, abs=1e-3)
    assert files.fingerprint != former
    TypeNames(NAMES, PARENTS, np.eye(3, 16, 1, dtype=np.float32)).save(checkpoint)
    assert load_checkpoint(str(checkpoint)).fingerprint != files.fingerprint  # an index of other vectors


def test_a_mention_looks_like_what_it_is_nearer_to_than_mentions_usually_are(bank: TypeNames) -> None:
    vector = np.array([0.6, 0.6, 0.5]) @ np.eye(3, 16)
    assert bank.names[bank.nearest(vector[None], 1)[0][0, 0]] == "person"  # to which every mention is near
    assert bank.looks_like(vector) == bank.looks_like(0.01 * vector) == ["poet"]
    assert bank.looks_like(np.eye(3, 16)[1]) == ["writer"]
    assert TypeNames(NAMES, PARENTS, np.eye(3, 16)).looks_like(vector, 3) == ["person", "writer", "poet"]
    assert bank.looks_like(np.eye(16)[9]) == []  # like nothing that has a name


@pytest.mark.parametrize(
    ("names", "parents", "message"),
    [
        (["a", "a", "b"], PARENTS, "'a' occurs twice"),
        (["a", " ", "b"], [[], [], []], "must be texts"),
        (["a", 3, "b"], [[], [], []], "must be texts"),
        (NAMES, [[], []], "2 lists of parents for 3 names"),
        (NAMES, [[], ["author"], []], "'writer' has the unknown parent 'author'"),
        (NAMES, [["poet"], ["person"], ["writer"]], "its own ancestor"),
        (NAMES, [["person"], [], []], "its own ancestor"),
        (NAMES, "abc", "lists of names"),
        (NAMES, [[], "person", []], "lists of names"),
        ("abc", PARENTS, "a list of texts"),
    ],
)
def test_names_and_parents_that_make_no_tree_are_refused(names: Any, parents: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TypeNames(names, parents, np.eye(3, 16, dtype=np.float32))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.eye(2, 16), r"\(2, 16\).*3 names"),
        (np.eye(3, 16)[None], r"\(1, 3, 16\)"),
        (np.full((3, 16), np.nan), "NaN or infinite"),
        (np.eye(3, 16) * [[1], [1], [0]], "'poet' has a vector of length 0"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(vectors: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TypeNames(NAMES, PARENTS, vectors.astype(np.float32))


@pytest.mark.parametrize(("background", "message"), [(np.zeros(2), r"\(2,\)"), (np.array([0, np.inf, 0]), "infinite")])
def test_a_background_that_does_not_fit_is_refused(background: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TypeNames(NAMES, PARENTS, np.eye(3, 16), background)


def _write(folder: Path, vectors: np.ndarray, name: str = "vectors", **metadata: str) -> None:
    save_file({name: vectors, "background": np.zeros(3, np.float32)}, folder / FILE, metadata)


def test_files_that_hold_something_else_are_refused_by_name(tmp_path: Path) -> None:
    vectors, parents = np.eye(3, 16, dtype=np.float16), json.dumps(PARENTS)
    for content, message in (
        ({"names": json.dumps(NAMES)}, "has no parents"),
        ({"names": "[", "parents": parents}, "no JSON"),
        ({"names": "[" * 100_000, "parents": parents}, "no JSON"),
        ({"names": json.dumps(NAMES[:2]), "parents": parents}, "3 lists of parents for 2 names"),
    ):
        _write(tmp_path, vectors, **content)
        with pytest.raises(ValueError, match=rf"{FILE}.*{message}"):
            TypeNames.load(tmp_path, 16)
    texts = {"names": json.dumps(NAMES), "parents": parents}
    _write(tmp_path, vectors, **texts)
    with pytest.raises(ValueError, match=rf"{FILE}.*16 numbers.*needs 8"):
        TypeNames.load(tmp_path, 8)
    _write(tmp_path, vectors.astype(np.int32), **texts)
    with pytest.raises(ValueError, match=rf"{FILE}.*I32"):
        TypeNames.load(tmp_path, 16)
    _write(tmp_path, vectors, "others", **texts)
    with pytest.raises(ValueError, match=rf"{FILE}.*others"):
        TypeNames.load(tmp_path, 16)
    (tmp_path / FILE).write_bytes(b"no safetensors")
    with pytest.raises(OSError, match=FILE):
        TypeNames.load(tmp_path, 16)


def test_a_checkpoint_reads_its_bank_when_it_is_asked(bank: TypeNames, checkpoint: Path) -> None:
    former = load_checkpoint(str(checkpoint))
    assert former.type_names is None
    bank.save(checkpoint)
    copy = load_checkpoint(str(checkpoint))
    assert copy.fingerprint == former.fingerprint  # vectors are the same, so indexes stay valid
    assert copy.type_names is not None and copy.type_names.names == bank.names
    assert copy.type_names is copy.type_names
    path = checkpoint / FILE
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(OSError, match=rf"/{FILE} is not whole, or was changed"):
        load_checkpoint(str(checkpoint))
    (checkpoint / MANIFEST).unlink()
    path.write_bytes(b"no safetensors")
    stranger = load_checkpoint(str(checkpoint))  # a search does not need it
    with pytest.raises(OSError, match=FILE):
        stranger.type_names  # noqa: B018 - reading it is the test
    path.unlink()
    assert load_checkpoint(str(checkpoint)).type_names is None


def test_a_bank_that_the_manifest_does_not_list_is_refused(bank: TypeNames, checkpoint: Path, tmp_path: Path) -> None:
    bank.save(tmp_path)
    shutil.copy(tmp_path / FILE, checkpoint)
    with pytest.raises(OSError, match=rf"{FILE} does not belong to this checkpoint"):
        load_checkpoint(str(checkpoint)).type_names  # noqa: B018
    (checkpoint / MANIFEST).unlink()
    assert load_checkpoint(str(checkpoint)).type_names is not None


def test_a_copied_retriever_has_the_bank_too(bank: TypeNames, checkpoint: Path, tmp_path: Path) -> None:
    bank.save(checkpoint)
    retriever = EntityRetriever(tmp_path / "index", model=str(checkpoint))
    assert retriever.checkpoint.type_names is not None


def test_the_corpus_gives_a_trained_checkpoint_its_bank(checkpoint: Path) -> None:
    assert training_type_names.main([str(checkpoint)]) == 0
    copy = load_checkpoint(str(checkpoint))
    names = copy.type_names
    assert names is not None and len(names) > 1_600
    expected = Encoder(copy.model, copy.tokenizer, GivenSpans()).embed_queries(names.names[:9])
    assert np.abs(names.vectors[:9] - expected).max() < 1e-3


def test_the_built_in_checkpoint_knows_names_of_types() -> None:
    copy = load_checkpoint(DEFAULT)
    names = copy.type_names
    assert names is not None and len(names) > 1_600 and (copy.folder / FILE).stat().st_size < 1_500_000
    queries = ["dinosaur", "politician", "disease"]
    vectors = Encoder(copy.model, copy.tokenizer, GivenSpans()).embed_queries(queries)
    nearest, cosines = names.nearest(vectors, 1)
    assert [names.names[place] for place in nearest[:, 0]] == queries and cosines.min() > 0.999
