"""The training corpus keeps its own rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modeling_nerret.training.data.corpus import (
    CorpusError,
    CorpusText,
    CorpusType,
    parse,
    read_corpus_texts,
    read_corpus_types,
    read_domain,
)
from modeling_nerret.training.data.corpus_check import corpus_faults, frame_of, main, shared_runs


def _type(name: str, parents: list[str], wordings: list[str]) -> CorpusType:
    return CorpusType(name, wordings, "", [], parents, "core")


TYPES = {
    "place": _type("place", [], ["place", "spot"]),
    "city": _type("city", ["place"], ["city", "spot"]),
    "port": _type("port", ["city", "place"], ["port"]),
}


def test_the_corpus_has_no_fault_and_is_as_large_and_as_wide_as_promised() -> None:
    types = read_corpus_types()
    texts = read_corpus_texts(types)
    assert list(corpus_faults(types, texts)) == []
    assert len(types) >= 1000 and len({entry.domain for entry in types.values()}) >= 50
    assert len(texts) >= 8000
    assert len({text.text[start:end].lower() for text in texts for start, end, _ in text.mentions}) >= 8000


def test_marks_become_spans_with_all_parents_general_to_specific() -> None:
    text, mentions = parse("Ships left [Genoa|port] for [Oran|city].", TYPES)
    assert text == "Ships left Genoa for Oran."
    assert [(text[start:end], label) for start, end, label in mentions] == [
        ("Genoa", "place"), ("Genoa", "city"), ("Genoa", "port"), ("Oran", "place"), ("Oran", "city"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("marked_text", "message"),
    [
        ("In [Oslo|town].", "unknown type 'town'"),
        ("In [Oslo.", "not closed"),
        ("In [[Oslo|city] East|city].", "nested"),
        ("In [ Oslo|city].", "a space"),
    ],
)
def test_bad_marks_are_told(marked_text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        parse(marked_text, TYPES)


def test_faults_of_a_domain_are_told_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_text("lowercase: rain in [Oslo|city] all day\nsong: la la\n")
    with pytest.raises(CorpusError, match=r"(?s)d\.txt:1: a lowercase text has capitals.*d\.txt:2: the line begins"):
        read_domain(path, TYPES)


def test_faults_of_types_are_told_and_those_of_other_domains_may_be_left_out(tmp_path: Path) -> None:
    line = {"id": "city", "wordings": ["city"], "definition": "", "examples": ["Oslo"], "parents": ["land"]}
    (tmp_path / "towns.types.jsonl").write_text(json.dumps(line) + '\n{"id": "port"}\n')
    with pytest.raises(CorpusError) as caught:
        read_corpus_types(tmp_path)
    for part in (
        "towns.types.jsonl:1: 'city': give two to five wordings",
        "unknown parent 'land'",
        ":2: the fields are id;",
    ):
        assert part in str(caught.value)
    assert "city" in read_corpus_types(tmp_path, domain="chess")


def test_a_writer_gets_a_report_of_one_domain(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--domain", "law"]) == 0
    report = capsys.readouterr().out
    assert report.startswith("law: ") and "manners {" in report and "different entities: none" in report
    with pytest.raises(SystemExit):
        main(["--domain", "lore"])


def _text(text: str, *mentions: tuple[int, int, str], name: str = "d-0") -> CorpusText:
    return CorpusText(name, text, "news", list(mentions))


def test_faults_are_found() -> None:
    overlap = _text("New York City", (0, 8, "place"), (4, 13, "place"))
    orphan = _text("Oslo", (0, 4, "city"), name="d-1")
    frames = [_text(f"Off to {name}!", (7, 7 + len(name), "place"), name=name) for name in ("A", "Bo", "Cy", "Di")]
    faults = "\n".join(corpus_faults(TYPES, [overlap, orphan, orphan, *frames]))
    for part in (
        "crosses the mention",
        "lacks the parent types ['place']",
        "occurs 2 times",
        "'off to _!' occurs 4",
        "'port' has 0",
    ):
        assert part in faults
    assert frame_of(frames[1]) == "off to _!"


def test_eight_shared_words_are_found(tmp_path: Path) -> None:
    line = {"id": "o-1", "text": "And one two three, four five six seven EIGHT nine"}
    (tmp_path / "other.jsonl").write_text(json.dumps(line))
    assert list(shared_runs([_text("one two three four five six seven")], tmp_path)) == []
    assert len(list(shared_runs([_text("so one two three four five six seven eight")], tmp_path))) == 1
