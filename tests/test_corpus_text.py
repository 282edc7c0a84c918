"""The training corpus keeps its own rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modeling_nerret.training.corpus.build import CorpusError, parse, read_domain, read_types
from modeling_nerret.training.corpus.check import HERE, faults, frame_of, read_built, shared

TYPES: dict[str, dict] = {
    "place": {"parents": [], "wordings": ["place", "spot"]},
    "city": {"parents": ["place"], "wordings": ["city", "spot"]},
    "port": {"parents": ["city", "place"], "wordings": ["port"]},
}


def test_the_corpus_has_no_fault() -> None:
    types, documents = read_built()
    assert list(faults(types, documents)) == []


def test_the_corpus_is_as_large_and_as_wide_as_promised() -> None:
    types, documents = read_built()
    assert len(types) >= 1000 and len({entry["domain"] for entry in types.values()}) >= 50
    assert len(documents) >= 8000
    assert len({d["text"][m["start"] : m["end"]].lower() for d in documents for m in d["mentions"]}) >= 8000


def test_built_files_are_those_of_the_source() -> None:
    source = HERE / "source"
    types = read_types(source)
    for path in source.glob("*.txt"):
        built = [json.loads(line) for line in (HERE / f"{path.stem}.jsonl").read_text(encoding="utf-8").splitlines()]
        assert built == read_domain(path, types), f"{path.name} has changed: run python -m training.corpus.build"


def test_marks_become_spans_with_all_parents_general_to_specific() -> None:
    text, mentions = parse("Ships left [Genoa|port] for [Oran|city].", TYPES)
    assert text == "Ships left Genoa for Oran."
    assert [(text[m["start"] : m["end"]], m["type"]) for m in mentions] == [
        ("Genoa", "place"), ("Genoa", "city"), ("Genoa", "port"), ("Oran", "place"), ("Oran", "city"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("marked", "message"),
    [
        ("In [Oslo|town].", "unknown type 'town'"),
        ("In [Oslo.", "not closed"),
        ("In [[Oslo|city] East|city].", "nested"),
        ("In [ Oslo|city].", "a space"),
    ],
)
def test_bad_marks_are_told(marked: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        parse(marked, TYPES)


def test_a_lowercase_text_must_be_lower_case(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text("lowercase: rain in [Oslo|city] all day\nsong: la la\n")
    with pytest.raises(CorpusError, match=r"(?s)d\.txt:1: a lowercase text has capitals.*d\.txt:2: the line begins"):
        read_domain(path, TYPES)


def _document(text: str, *mentions: tuple[int, int, str], name: str = "d-0") -> dict:
    return {"id": name, "text": text, "mentions": [{"start": a, "end": b, "type": t} for a, b, t in mentions]}


def test_faults_are_found() -> None:
    crossing = _document("New York City", (0, 8, "place"), (4, 13, "place"))
    orphan = _document("Oslo", (0, 4, "city"), name="d-1")
    frames = [_document(f"Off to {name}!", (7, 7 + len(name), "place"), name=name) for name in ("A", "Bo", "Cy", "Di")]
    told = "\n".join(faults(TYPES, [crossing, orphan, orphan, *frames]))
    for part in (
        "crosses the mention",
        "lacks the types ['place']",
        "stands 2 times",
        "'off to _!' stands 4",
        "'port' has 0",
    ):
        assert part in told
    assert frame_of(frames[1]) == "off to _!"


def test_eight_shared_words_are_found(tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text(json.dumps(_document("And one two three, four five six seven EIGHT nine")))
    assert list(shared([_document("one two three four five six seven")], tmp_path)) == []
    assert len(list(shared([_document("so one two three four five six seven eight")], tmp_path))) == 1
