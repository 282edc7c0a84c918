"""Open types for names in licensed texts: whose texts they are, what they mean, and that none is lost or misplaced."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modeling_nerret.spans import Span
from modeling_nerret.training.data import open_sets
from modeling_nerret.training.data.corpus import CORPUS, read_corpus_types
from modeling_nerret.training.data.own_sets import corpus_source
from modeling_nerret.training.data.sets import Data, read_sources
from modeling_nerret.training.data.source import Source
from modeling_nerret.training.recipes import SetEntry

TEXT = "Ada Lovelace met Babbage in London"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Data:
    """A folder with one small set; three of its texts have open types."""
    types, folder = tmp_path / "open_types", tmp_path / "data"
    types.mkdir(), folder.mkdir()
    names = {"Ada Lovelace": (0, ["chess player", "countess"]), "Babbage": (17, ["inventor of engines"])}
    mentions = [
        {"start": start, "end": start + len(name), "name": name, "types": labels}
        for name, (start, labels) in names.items()
    ]
    lines = [{"id": f"small-{number}", "text": TEXT, "mentions": []} for number in range(4)]
    (folder / "small.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (types / "small.jsonl").write_text(
        "".join(json.dumps({"id": f"small-{number}", "mentions": mentions}) + "\n" for number in (3, 0, 1))
    )
    monkeypatch.setattr(open_sets, "OPEN_TYPES", types)
    return Data.of([str(folder)])


def test_an_open_type_that_the_corpus_knows_is_that_type_with_its_parents(data: Data) -> None:
    (source,) = read_sources(SetEntry("open", 0.5), data)
    assert [text.id for text in source.texts] == ["small-3", "small-0", "small-1"] and source.weight == 0.5
    for text in source.texts:
        ada, babbage = Span(0, 12), Span(17, 24)
        assert text.text == TEXT and {"chess player", "athlete", "person", "countess"} <= set(text.mentions[ada])
        assert text.mentions[babbage] == ("inventor of engines",)
    assert source.wordings["inventor of engines"] == ["inventor of engines"]
    entry = read_corpus_types()["chess player"]
    assert source.wordings["chess player"] == [*entry.wordings, entry.definition]


def test_a_rare_open_type_is_left_out_and_its_mention_stays(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_sets, "FEWEST", 4)  # all types stand three times
    (source,) = read_sources(SetEntry("open"), data)
    mentions = {Span(0, 12): (), Span(17, 24): ()}
    assert source.wordings == {} and [text.mentions for text in source.texts] == [mentions] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"the set 'open' needs small.jsonl, which is not in .*; say where with --data DIR"),
        ("Ada  Lovelace met Babbage", "the text 'small-3' differs from the one that got open types"),
    ],
)
def test_texts_that_the_types_were_not_given_to_are_refused(data: Data, text: str | None, message: str) -> None:
    path = data.folder / "small.jsonl"
    if text is None:
        path.unlink()
    else:
        path.write_text(json.dumps({"id": "small-3", "text": text, "mentions": []}) + "\n")
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        read_sources(SetEntry("open"), data)


def test_the_committed_open_types_are_well_formed() -> None:
    ids = set()
    for path in sorted(open_sets.OPEN_TYPES.glob("*.jsonl")):
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            assert line["id"] not in ids and line["mentions"], line
            ids.add(line["id"])
            frontier = 0
            for name in line["mentions"]:
                assert frontier <= name["start"] and name["end"] - name["start"] == len(name["name"]), line
                assert name["types"] and len(set(name["types"])) == len(name["types"]), line
                assert all(label == " ".join(label.casefold().split()) for label in name["types"]), line
                frontier = name["end"]
    assert len(ids) > 9000


@pytest.fixture(scope="module")
def corpus() -> Source:
    return corpus_source(1.0)


def test_the_corpus_is_read_from_its_source(corpus: Source) -> None:
    """Each line of its source is a text, domains in order; no built files lie beside it."""
    lines = [
        f"{path.stem}-{number}"
        for path in sorted((CORPUS / "source").glob("*.txt"))
        for number in range(sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip()))
    ]
    assert [text.id for text in corpus.texts] == lines
    assert not [path.name for path in CORPUS.iterdir() if path.suffix in (".jsonl", ".py")]


def test_the_corpus_has_types_for_one_broad_word(corpus: Source) -> None:
    """A mention of a type that is called by a broad word, and no other, also has the broad type."""
    wordings = {name: phrases for name, phrases in corpus.wordings.items() if name not in corpus.broad}
    players = {name for name, phrases in wordings.items() if "player" in " ".join(phrases)}
    labels = [types for text in corpus.texts for types in text.mentions.values()]
    assert "player" in corpus.broad and corpus.wordings["player"] == ["player"]
    assert all("player" in types for types in labels if "chess player" in types)
    assert all(not players.isdisjoint(types) for types in labels if "player" in types)
    assert corpus.broad.isdisjoint(wording for phrases in wordings.values() for wording in phrases)


def test_parents_children_and_namesakes_of_the_corpus_are_related(corpus: Source) -> None:
    relatives = corpus.related_types
    assert "company" in relatives["logistics company"] and "logistics company" in relatives["company"]
    assert not any(name in names for name, names in relatives.items())
