"""Annotated text in all forms that training reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_nerret.spans import Span
from modeling_nerret.training.data.readers import read
from modeling_nerret.training.data.sets import Data, read_sources
from modeling_nerret.training.data.tags import tag_spans
from modeling_nerret.training.recipes import SetEntry


def _write(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


CONLL = """-DOCSTART- -X- O O

# id 5239 domain=en
Ada NNP B-NP B-PER
Lovelace NNP I-NP E-PER
met VBD O O
Bob NNP O S-PER

Rome\tB-CITY
Paris\tB-CITY
"""


def test_conll_sentences_become_texts_whose_spans_are_the_mentions(tmp_path: Path) -> None:
    first, second = read(_write(tmp_path / "a.conll", CONLL), {"PER": "person"})
    assert first.text == "Ada Lovelace met Bob"
    assert first.mentions == {Span(0, 12): ("person",), Span(17, 20): ("person",)}
    assert second.text == "Rome Paris" and second.mentions == {Span(0, 4): ("CITY",), Span(5, 10): ("CITY",)}


def test_a_recipe_may_take_only_some_texts_of_a_set(tmp_path: Path) -> None:
    _write(tmp_path / "a.csv", "".join(f"type {number},name {number}\n" for number in range(10)))
    (source,) = read_sources(SetEntry("a.csv", texts=4), Data(tmp_path))
    assert [text.text for text in source.texts] == ["name 0", "name 2", "name 5", "name 7"]
    assert list(source.wordings) == ["type 0", "type 2", "type 5", "type 7"]
    (whole,) = read_sources(SetEntry("a.csv", texts=99), Data(tmp_path))
    assert len(whole.texts) == len(whole.wordings) == 10


@pytest.mark.parametrize("types", ["[]", '{"a": ["x"]}', '{"a": {"PER": 3}}', "{"])
def test_a_types_file_of_another_form_is_refused(types: str, tmp_path: Path) -> None:
    _write(
        tmp_path / "a.jsonl",
        '{"text": "Ada", "mentions": [{"start": 0, "end": 3, "type": "PER"}]}\n{"text": "x", "mentions": []}',
    )
    (source,) = read_sources(SetEntry("a"), Data(tmp_path))
    assert list(source.wordings) == ["PER"]
    _write(tmp_path / "types.json", types)
    with pytest.raises(ValueError, match=r"types\.json (is not JSON|must be)"):
        read_sources(SetEntry("a"), Data(tmp_path))


def test_what_an_entry_asks_for_in_vain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'corpus' have names already; remove names"):
        read_sources(SetEntry("corpus", names={"PER": "person"}), Data(tmp_path))
    lines = ['{"text": "x", "mentions": []}', '{"text": "Ada", "mentions": [{"start": 0, "end": 3, "type": "PER"}]}']
    _write(tmp_path / "a.jsonl", "\n".join(lines))
    with pytest.raises(ValueError, match="none of the 1 texts that are taken of the set 'a' has a mention"):
        read_sources(SetEntry("a", texts=1), Data(tmp_path))


def test_tags_without_prefixes_join_neighbours_of_one_label(tmp_path: Path) -> None:
    (text,) = read(_write(tmp_path / "a.bio", "New location-city\nYork location-city\nis O\nbig O\n"))
    assert text.mentions == {Span(0, 8): ("location-city",)}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.conll", "Ada B-PER\nmet\n", r"a\.conll, line 2: 'met' is not a token with a tag"),
        ("a.conll", "Ada B-PER\n\nmet PERSON\n", r"a\.conll, line 3: the tag 'PERSON' is neither O nor B-"),
        ("a.jsonl", '{"text": "Ada", "mentions": []}\n{"text": \n', r"a\.jsonl, line 2 is not JSON"),
        ("a.jsonl", '{"text": "Ada"}', r'line 1: there is no list "mentions"'),
        ("a.jsonl", '{"text": "Ada", "mentions": [{"start": 0}]}', r"line 1: the mention .* is not"),
        ("a.jsonl", '{"text": "Ada", "mentions": [{"start": 0, "end": 9, "type": "p"}]}', r"line 1: span \[0, 9\)"),
        ("a.jsonl", '{"type": "dinosaur", "examples": "Triceratops"}', r"line 1: expected"),
        ("a.csv", "dinosaur,Triceratops\nalone\n", r"line 2: expected a type and names"),
        ("a.toml", 'dinosaur = ["Triceratops"', r"a\.toml: "),
        ("a.txt", "Ada", r"a\.txt: unknown form of file; accepted are \.jsonl"),
    ],
)
def test_malformed_files_are_refused_with_their_place(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(read(_write(tmp_path / name, content)))


def test_other_encodings_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_bytes("Zoë B-PER\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"a\.conll is not UTF-8"):
        list(read(str(tmp_path / "a.conll")))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.toml", 'dinosaur = ["Iguanodon", "Bruno"]\n"film role" = ["Bruno"]\n'),
        ("a.csv", "type,name\ndinosaur,Iguanodon\ndinosaur,Bruno\nfilm role,Bruno\n"),
        (
            "a.jsonl",
            '{"type": "dinosaur", "examples": ["Iguanodon", "Bruno"]}\n{"type": "film role", "examples": ["Bruno"]}\n',
        ),
    ],
)
def test_examples_are_texts_of_their_own_with_all_their_types(tmp_path: Path, name: str, content: str) -> None:
    first, second = read(_write(tmp_path / name, content))
    assert first.text == "Iguanodon" and first.mentions == {Span(0, 9): ("dinosaur",)}
    assert second.mentions == {Span(0, 5): ("dinosaur", "film role")}


TOKENS = [["Ada", "met", "Bob"], ["notes"]]


@pytest.mark.parametrize("form", ["saved", "parquet", "strings", "spans"])
def test_datasets_of_hugging_face(tmp_path: Path, form: str) -> None:
    names = datasets.ClassLabel(names=["O", "B-PER", "I-PER"])
    features = datasets.Features({"tokens": datasets.List(datasets.Value("string")), "ner_tags": datasets.List(names)})
    rows = {"tokens": TOKENS, "ner_tags": [[1, 0, 1], [0]]}
    if form == "strings":
        dataset = datasets.Dataset.from_dict({"tokens": TOKENS, "tags": [["B-PER", "O", "B-PER"], ["O"]]})
    elif form == "spans":
        spans = [[{"start": 0, "end": 3, "label": "PER"}, {"start": 8, "end": 11, "label": "PER"}], []]
        dataset = datasets.Dataset.from_dict({"text": [" ".join(row) for row in TOKENS], "entities": spans})
    else:
        dataset = datasets.Dataset.from_dict(rows, features)
    folder = tmp_path / "set"
    if form == "parquet":
        folder.mkdir()
        dataset.to_parquet(folder / "train.parquet")
    else:
        dataset.save_to_disk(folder)
    first, second = read(f"hf:{folder}:train", {"PER": "person"})
    assert first.text == "Ada met Bob" and first.mentions == {Span(0, 3): ("person",), Span(8, 11): ("person",)}
    assert second.mentions == {}


def test_a_dataset_without_tags_is_refused(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"tokens": TOKENS, "topic": ["a", "b"]}).save_to_disk(tmp_path / "set")
    with pytest.raises(ValueError, match="has the columns tokens, topic; needed are"):
        list(read(f"hf:{tmp_path / 'set'}"))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["A", "B", None])), max_size=8))
def test_bio_and_bioes_give_the_spans_that_they_were_made_of(pieces: list[tuple[int, str | None]]) -> None:
    spans, bio, bioes, position = [], [], [], 0
    for length, label in pieces:
        if label is not None:
            spans.append((position, position + length, label))
            bio += [f"B-{label}"] + [f"I-{label}"] * (length - 1)
            inner = [f"B-{label}"] + [f"I-{label}"] * (length - 2) + [f"E-{label}"]
            bioes += inner if length > 1 else [f"S-{label}"]
        else:
            bio += ["O"] * length
            bioes += ["O"] * length
        position += length
    assert tag_spans(bio) == spans == tag_spans(bioes)


def test_sets_are_names_inside_the_data_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    line = json.dumps({"text": "Ada", "mentions": [{"start": 0, "end": 3, "type": "old_friend"}]})
    for folder in (tmp_path, data):
        _write(folder / "mine.jsonl", line)
    (source,) = read_sources(SetEntry("mine", 2.0), Data(data))
    assert source.wordings == {"old friend": ["old friend"]} and source.weight == 2.0
    for name in ("../mine", "../mine.jsonl", str(tmp_path / "mine.jsonl")):
        with pytest.raises(ValueError, match="lies outside"):
            read_sources(SetEntry(name), Data(data))


def test_the_set_data_is_what_the_user_names(tmp_path: Path) -> None:
    first = _write(tmp_path / "one.toml", 'friend = ["Ada"]\n')
    second = _write(tmp_path / "two.csv", "city,Rome\n")
    sources = read_sources(SetEntry("data"), Data.of([str(tmp_path), first, second]))
    assert [(source.name, source.weight, list(source.wordings)) for source in sources] == [
        ("one", 0.5, ["friend"]),
        ("two", 0.5, ["city"]),
    ]
    with pytest.raises(ValueError, match="name it with --data"):
        read_sources(SetEntry("data"), Data.of([]))
    with pytest.raises(FileNotFoundError, match="there is no such file or folder, and no example"):
        Data.of([str(tmp_path / "three.csv")])


def test_labels_become_plain_names_and_spans_keep_all_types(tmp_path: Path) -> None:
    mentions = [{"start": 13, "end": 18, "type": label} for label in ("CITY", "PLACE")]
    _write(tmp_path / "tiny.jsonl", json.dumps({"text": "the river in Paris", "mentions": mentions}))
    _write(tmp_path / "types.json", json.dumps({"tiny": {"CITY": "city", "PLACE": "location"}}))
    (source,) = read_sources(SetEntry("tiny", names={"PLACE": "place"}), Data(tmp_path))  # the recipe's names win
    assert source.texts[0].mentions == {Span(13, 18): ("city", "place")}


def test_an_example_is_named_without_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (path,) = Data.of(["beekeeping"]).files
    assert Path(path).name == "beekeeping.jsonl" and len(list(read(path))) == 44
    (tmp_path / "beekeeping").touch()  # a user's file comes first
    assert Data.of(["beekeeping"]).files == ("beekeeping",)


@pytest.mark.parametrize("suffix", [".jsonl", ".conll", ".toml", ".csv"])
def test_pipes_and_devices_are_not_waited_for(suffix: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(ValueError, match="is no regular file"):
            list(read(str(tmp_path / f"{name}{suffix}")))
