"""Open types for names in licensed texts: whose texts they are, what they mean, and that none is lost or misplaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modeling_nerret.spans import Span
from modeling_nerret.training import own_sets
from modeling_nerret.training.data import Data, read_source

TEXT = "Ada Lovelace met Babbage in London"


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Data:
    """A folder with one small set, to three of whose texts open types were given."""
    types, data = tmp_path / "open_types", tmp_path / "data"
    types.mkdir(), data.mkdir()
    names = {"Ada Lovelace": (0, ["chess player", "countess"]), "Babbage": (17, ["inventor of engines"])}
    mentions = [
        {"start": at, "end": at + len(name), "name": name, "types": found} for name, (at, found) in names.items()
    ]
    lines = [{"id": f"small-{number}", "text": TEXT, "mentions": []} for number in range(4)]
    (data / "small.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (types / "small.jsonl").write_text(
        "".join(json.dumps({"id": f"small-{number}", "mentions": mentions}) + "\n" for number in (3, 0, 1))
    )
    monkeypatch.setattr(own_sets, "OPEN_TYPES", types)
    return Data.of([str(data)])


def test_an_open_type_that_the_corpus_knows_is_that_type_with_its_parents(given: Data) -> None:
    (source,) = read_source({"name": "open", "weight": 0.5}, given)
    assert [text.id for text in source.texts] == ["small-3", "small-0", "small-1"] and source.weight == 0.5
    for text in source.texts:
        ada, babbage = Span(0, 12), Span(17, 24)
        assert text.text == TEXT and {"chess player", "athlete", "person", "countess"} <= set(text.mentions[ada])
        assert text.mentions[babbage] == ("inventor of engines",)
    assert source.wordings["inventor of engines"] == ["inventor of engines"]
    (corpus,) = read_source({"name": "corpus"}, given)
    assert source.wordings["chess player"] == corpus.wordings["chess player"]


def test_a_rare_open_type_is_left_out_and_its_mention_stays(given: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_sets, "FEWEST", 4)  # all types stand three times
    (source,) = read_source({"name": "open"}, given)
    kept = {Span(0, 12): (), Span(17, 24): ()}
    assert source.wordings == {} and [text.mentions for text in source.texts] == [kept] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"the set 'open' needs small.jsonl, which is not in .*; say where with --data DIR"),
        ("Ada  Lovelace met Babbage", "the text 'small-3' is not the one to whose names open types were given"),
    ],
)
def test_texts_that_the_types_were_not_given_to_are_refused(given: Data, text: str | None, message: str) -> None:
    path = given.folder / "small.jsonl"
    if text is None:
        path.unlink()
    else:
        path.write_text(json.dumps({"id": "small-3", "text": text, "mentions": []}) + "\n")
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        read_source({"name": "open"}, given)


def test_the_committed_open_types_are_well_formed() -> None:
    seen = set()
    for path in sorted(own_sets.OPEN_TYPES.glob("*.jsonl")):
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            assert line["id"] not in seen and line["mentions"], line
            seen.add(line["id"])
            ends = [0, *(one["end"] for one in line["mentions"])]
            for one, before in zip(line["mentions"], ends, strict=False):
                assert before <= one["start"] and one["end"] - one["start"] == len(one["name"]), line
                assert one["types"] and len(set(one["types"])) == len(one["types"]), line
                assert all(name == " ".join(name.casefold().split()) for name in one["types"]), line
    assert len(seen) > 9000
