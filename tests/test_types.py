"""What an index holds: the tree of types, its command and its picture."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import type_tree
from modeling_nerret import EntityRetriever, checkpoint_path
from modeling_nerret.cli import main
from modeling_nerret.index.type_picture import draw_types
from modeling_nerret.index.type_tree import Sample, TypeGroup, TypeTree, make_tree
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint
from modeling_nerret.pretrained.type_names import TypeNames

NAMES = ["person", "writer", "politician", "place", "river", "work"]
PARENTS: list[list[str]] = [[], ["person"], ["person"], [], ["place"], []]
TEXTS = [
    {"id": "a", "text": "Ada was born in London. Ada wrote notes in the city."},
    {"id": "b", "text": "The river in Paris, the river of London."},
    {"id": "c", "text": "Notes <b>&amp;</b> in Paris."},
]


@pytest.fixture
def bank() -> TypeNames:
    return TypeNames(NAMES, PARENTS, np.eye(len(NAMES), 16))


def _sample(*mentions: tuple[int, str, dict[str, float]]) -> Sample:
    """Mentions: key of the document, text, and how near each is to some names."""
    vectors = np.zeros((len(mentions), 16), np.float32)
    for row, (_, _, parts) in enumerate(mentions):
        for name, part in parts.items():
            vectors[row, NAMES.index(name)] = part
    return Sample([key for key, _, _ in mentions], [text for _, text, _ in mentions], vectors)


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """The tiny checkpoint with a bank of its own names."""
    folder = tmp_path_factory.mktemp("types") / "checkpoint"
    shutil.copytree(tiny_checkpoint, folder)
    rows = np.random.default_rng(0).normal(size=(len(NAMES), 16))
    TypeNames(NAMES, PARENTS, rows).save(folder)
    return load_checkpoint(str(folder))


@pytest.fixture(scope="module")
def index(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("index") / "index"
    EntityRetriever(path, checkpoint).add(TEXTS)
    return str(path)


def test_a_mention_counts_for_the_most_special_likely_type_and_those_above(bank: TypeNames) -> None:
    sample = _sample(
        (1, "Poe", {"writer": 1}),
        (1, "Poe", {"writer": 1}),
        (2, "someone", {"writer": 1, "politician": 1}),  # one of the two, so a person
        (2, "the Nile", {"river": 0.9}),
        (3, "it", {"writer": 1, "river": 1, "work": 1}),  # near to nothing in particular
    )
    tree = make_tree(bank, sample, 3, 5)
    assert [(path, group.documents, group.mentions) for path, group in tree.walk()] == [
        (("person",), 2, 3),
        (("person", "writer"), 1, 2),
        (("place",), 1, 1),
        (("place", "river"), 1, 1),
    ]
    assert tree.nameless == 1 and tree.types[0].kinds[0].examples == ["Poe"]
    assert tree.as_dict()["types"][1]["kinds"][0]["examples"] == ["the Nile"]


def test_numbers_of_a_sample_are_scaled_to_the_whole(bank: TypeNames) -> None:
    mentions = [(key, f"name {key}", {"writer": 1.0}) for key in range(30)] + [(99, "x", {"river": 1.0})] * 10
    tree = make_tree(bank, _sample(*mentions), 1_000, 4_000)
    person, place = tree.types
    assert (person.mentions, place.mentions, tree.sample) == (3_000, 1_000, 40)
    assert person.documents == round(1_000 * (1 - 0.999**3_000)) == 950  # three mentions a document, spread by chance
    assert make_tree(bank, _sample(), 0, 0) == TypeTree([], 0, 0, 0, 0)


def test_a_type_of_two_parents_stands_once_and_counts_for_both() -> None:
    bank = TypeNames(["work", "building", "mosque"], [[], [], ["work", "building"]], np.eye(3, 16))
    vectors = np.eye(3, 16, dtype=np.float32)[[1, 2, 2]]
    tree = make_tree(bank, Sample([1, 2, 3], ["hall", "Blue Mosque", "Hagia Sophia"], vectors), 3, 3)
    paths = [path for path, _ in tree.walk()]
    assert paths == [("building",), ("building", "mosque"), ("work",)]
    assert [group.mentions for _, group in tree.walk()] == [3, 2, 2]


def test_examples_are_different_and_rather_sure_names(bank: TypeNames) -> None:
    texts = [("this river", 1.0), ("Po", 1.0), ("PO", 0.9), ("Rhine", 0.8), ("Don", 0.9)]
    tree = make_tree(bank, _sample(*((1, text, {"river": length}) for text, length in texts)), 1, 5)
    assert tree.types[0].kinds[0].examples == ["Po", "Don", "Rhine"]


def test_rare_types_and_junk_do_not_crowd_the_tree(bank: TypeNames) -> None:
    direction = dict.fromkeys(["writer", "river", "work"], 0.1)  # junk: as near to one as to another
    mentions = [(1, "Po", {"river": 1.0})] * 400 + [(1, "Poe", {"writer": 1.0})] + [(2, "junk", direction)] * 300
    tree = make_tree(bank, _sample(*mentions), 2, len(mentions))
    assert [path for path, _ in tree.walk()] == [("place",), ("place", "river")]
    assert tree.nameless == 300


def test_an_index_s_types_count_no_more_than_it_holds(index: str, checkpoint: Checkpoint) -> None:
    retriever = EntityRetriever(index, checkpoint)
    tree = retriever.types()
    assert tree.documents == 3 and tree.mentions == retriever.info()["mentions"] == tree.sample
    assert sum(group.mentions for group in tree.types) + tree.nameless == tree.mentions
    assert all(group.documents <= 3 and 1 <= len(group.examples) <= 3 for _, group in tree.walk())
    assert retriever.types() == tree and retriever.types(2).sample == 2
    for limit in (0, 1.5, True):
        with pytest.raises(ValueError, match="limit is"):
            retriever.types(limit)  # type: ignore[arg-type]


def test_the_benchmark_makes_a_table(
    corpus: Path, checkpoint: Checkpoint, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (corpus.parent / "types.json").write_text(json.dumps({corpus.stem: {"person": "person", "city": "place"}}))
    (corpus.parent / "labels.json").write_text(json.dumps({"person": ["person"], "place": ["place"], "age": []}))
    monkeypatch.setattr(type_tree, "LABELS", corpus.parent / "labels.json")
    options = ["--data", str(corpus.parent), "--sets", corpus.stem, "--model", str(checkpoint.folder)]
    assert type_tree.main(options) == 0
    names, row, mean = (line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines())
    assert row[0] == corpus.stem and mean[0] == "mean" and len(names) == len(row) == len(mean) == 11
    (corpus.parent / "labels.json").write_text("{}")
    with pytest.raises(ValueError, match="none of the mentions"):
        type_tree.main(options)


def test_the_labels_of_the_benchmark_are_names_of_the_shipped_bank() -> None:
    labels = json.loads(type_tree.LABELS.read_text(encoding="utf-8"))
    names = TypeNames.load(checkpoint_path(), 256).names
    assert not {name for group in labels.values() for name in group} - {*names}


def test_a_model_without_names_says_how_to_write_them(tiny_checkpoint: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no names of types.*training\.type_names"):
        EntityRetriever(tmp_path / "index", tiny_checkpoint).types()


def test_the_command_prints_the_tree(index: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["types", index]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["documents", "mentions", "type", "such", "as"]
    assert lines[-1].startswith("3 documents, ") and lines[-1].endswith("near to no type")
    assert main(["types", index, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows and set(rows[0]) == {"type", "path", "documents", "mentions", "examples"}
    assert all(row["path"][-1] == row["type"] for row in rows) and len(rows) == len(lines) - 3


def test_the_command_says_what_is_wrong(index: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["types", str(tmp_path)]) == 1
    assert "is no nerret index" in capsys.readouterr().err
    assert main(["types", index, "--picture", "types.png"]) == 1
    assert "it must end in .svg" in capsys.readouterr().err


def test_the_picture_is_a_drawing_of_any_text(index: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["types", index, "--picture", str(tmp_path / "types.svg")]) == 0
    assert ElementTree.parse(tmp_path / "types.svg").getroot().tag.endswith("svg")
    strange = TypeGroup("a <b> & c", 1, 1, ["x" * 200, "\x00\ud800"])
    picture = draw_types(TypeTree([strange] * 100, 1, 100, 0, 1), "</svg>\n")
    words = ["".join(element.itertext()) for element in ElementTree.fromstring(picture).iter()]
    assert "a <b> & c" in words and sum(word == "a <b> & c" for word in words) == 60
    assert ElementTree.fromstring(draw_types(TypeTree([], 0, 0, 0, 0), "empty")) is not None
