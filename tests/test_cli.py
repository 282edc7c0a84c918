"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import gzip
import io
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from modeling_nerret.cli import main
from modeling_nerret.cli.display import excerpt
from modeling_nerret.index.hits import Hit, Mention
from modeling_nerret.spans import Span

LINES = [
    {"id": "a", "text": "Ada was born in London.", "year": 1815},
    {"id": "b", "text": "The river in Paris.", "year": 1900},
    {"id": "c", "text": "She wrote in the city.", "year": 1950},
]


def write_lines(path: Path) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    return str(path)


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    return write_lines(tmp_path / "corpus.jsonl")


@pytest.fixture(scope="module")
def original(tiny_checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the lines above; tests use copies of it, which cost less than making it again."""
    folder = tmp_path_factory.mktemp("cli")
    corpus = write_lines(folder / "corpus.jsonl")
    assert main(["index", corpus, str(folder / "index"), "--model", tiny_checkpoint]) == 0
    return folder / "index"


@pytest.fixture
def index(original: Path, tmp_path: Path) -> str:
    return str(shutil.copytree(original, tmp_path / "index"))


def test_index_skips_documents_that_are_there(index: str, corpus: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["index", corpus, index]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "0 documents added, 0 replaced, 3 unchanged" in err


def test_a_changed_document_is_indexed_again(index: str, corpus: str, capsys: pytest.CaptureFixture) -> None:
    Path(corpus).write_text(json.dumps(LINES[0] | {"text": "Ada wrote notes."}) + "\n" + json.dumps(LINES[1]) + "\n")
    assert main(["index", corpus, index]) == 0
    assert "0 documents added, 1 replaced, 1 unchanged" in capsys.readouterr().err


def test_json_hits_can_be_piped(index: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["search", index, "city", "-k", "2", "--json"]) == 0
    hits = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(hits) == 2 and all({"id", "score", "text", "mentions"} <= set(hit) for hit in hits)
    for hit in hits:
        for mention in hit["mentions"]:
            assert hit["text"][mention["start"] : mention["end"]] == mention["text"]
            assert set(mention) == {"start", "end", "text", "score"}


def test_table_shows_documents_and_marks_mentions(index: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["search", index, "city"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["score", "document", "text"]
    assert "[" in out and "]" in out


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [(["year=1900"], {"b"}), (["year>=1900", "year<1950"], {"b"}), (["year != 1900"], {"a", "c"})],
)
def test_where_filters_by_metadata(
    index: str, conditions: list[str], expected: set[str], capsys: pytest.CaptureFixture
) -> None:
    flags = [flag for condition in conditions for flag in ("--where", condition)]
    assert main(["search", index, "city", "--json", *flags]) == 0
    assert {json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()} == expected


def test_delete_and_info(index: str, capsys: pytest.CaptureFixture) -> None:
    assert main(["delete", index, "a", "missing"]) == 1
    assert "1 of 2 documents removed" in capsys.readouterr().err
    assert main(["info", index]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["documents"] == "2" and int(lines["bytes"]) > 0


def test_detect_reads_standard_input(
    tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Ada in London\n\nParis\n"))
    assert main(["detect", "--json", "--model", tiny_checkpoint]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["text"] for record in records] == ["Ada in London", "Paris"]
    for record in records:
        for mention in record["mentions"]:
            assert record["text"][mention["start"] : mention["end"]] == mention["text"]


class Unsure:
    """A detector that is sure of a name, less of a part of it, and not at all of a phrase."""

    reads_states = False

    def propose(self, documents: list, windows: list, states: object) -> list[list[Span]]:
        return [[Span(0, 8, 0.9), Span(5, 8, 0.8), Span(12, 16, 0.1)] for _ in windows]


@pytest.mark.parametrize(("options", "texts"), [([], ["New York"]), (["--all"], ["New York", "ork", "city"])])
def test_detect_shows_what_is_sure_or_all(
    options: list[str],
    texts: list[str],
    tiny_checkpoint: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr("modeling_nerret.detectors.load_detector", lambda name, device: Unsure())
    command = ["detect", "New York, a city", "--model", tiny_checkpoint, *options]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=3)[3] for line in lines] == texts
    assert main([*command, "--json"]) == 0
    (record,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert [mention["text"] for mention in record["mentions"]] == texts
    assert record["mentions"][0]["score"] == 0.9


def test_the_best_of_mentions_inside_each_other_is_marked() -> None:
    mentions = [Mention(6, 12, "school", 0.3), Mention(6, 16, "school bus", 0.7), Mention(13, 16, "bus", 0.5)]
    line = excerpt(Hit("a", 0.7, "a big school bus in town", mentions), plain=True)
    assert line.plain == "a big [school bus] in town"


def test_models_lists_the_default(capsys: pytest.CaptureFixture) -> None:
    assert main(["models"]) == 0
    assert capsys.readouterr().out.startswith("nerret-minilm")


def _write(path: Path, kind: str) -> list[str]:
    """Write the three texts as a file of this kind; returns the options that `nerret index` needs for it."""
    texts = [line["text"] for line in LINES]
    if kind == "jsonl.gz":
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in LINES)
    elif kind == "txt":
        path.write_text("\r\n".join(texts) + "\r\n\r\n", encoding="utf-8", newline="")
        return ["--split", "line"]
    elif kind == "csv":
        rows = [f'{number},"{text}"' for number, text in enumerate(texts)]
        path.write_text("id,body\n" + "\n".join(rows), encoding="utf-8")
        return ["--text-column", "body"]
    else:
        parquet.write_table(pa.table({"body": texts, "year": [1, 2, 3]}), path)
        return ["--text-column", "body"]
    return []


@pytest.mark.parametrize("kind", ["jsonl.gz", "txt", "csv", "parquet"])
def test_every_kind_of_corpus_file_is_indexed(
    kind: str, tmp_path: Path, tiny_checkpoint: str, capsys: pytest.CaptureFixture
) -> None:
    path, index = tmp_path / f"corpus.{kind}", str(tmp_path / "index")
    flags = _write(path, kind)
    assert main(["index", str(path), index, "--model", tiny_checkpoint, *flags]) == 0
    capsys.readouterr()
    main(["search", index, "city", "--json"])
    texts = {json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()}
    assert texts == {line["text"] for line in LINES}


def test_a_corpus_comes_from_standard_input(
    tmp_path: Path, tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    stream = io.TextIOWrapper(io.BytesIO("".join(json.dumps(line) + "\n" for line in LINES).encode()))
    monkeypatch.setattr("sys.stdin", stream)
    assert main(["index", "-", str(tmp_path / "index"), "--model", tiny_checkpoint]) == 0
    assert "3 documents added" in capsys.readouterr().err


BROKEN = [
    (b'{"id": "x", "text": "Ada"\n', "line 2: this is not JSON"),
    (b'{"id": "x", "body": "Ada"}\n', "line 2: there is no 'text'; the fields are id, body"),
    (b'["Ada"]\n', "line 2: a line is an object"),
    (b'{"id": "x", "text": "Ada\xff"}\n', "line 2: the bytes from 24 are not valid UTF-8"),
    (b'{"id": "x", "text": ""}\n', "line 2: document 'x' has an empty text"),
]


@pytest.mark.parametrize(("line", "message"), BROKEN)
def test_a_broken_line_is_reported_and_stops_the_command_unless_skipped(
    line: bytes, message: str, tmp_path: Path, tiny_checkpoint: str, capsys: pytest.CaptureFixture
) -> None:
    path, index = tmp_path / "corpus.jsonl", str(tmp_path / "index")
    path.write_bytes(json.dumps(LINES[0]).encode() + b"\n" + line + json.dumps(LINES[1]).encode() + b"\n")
    assert main(["index", str(path), index, "--model", tiny_checkpoint]) == 1
    err = capsys.readouterr().err
    assert message in err and "--on-error skip" in err and "Traceback" not in err
    assert not Path(index).exists()
    assert main(["index", str(path), index, "--model", tiny_checkpoint, "--on-error", "skip"]) == 0
    err = capsys.readouterr().err
    assert message in err and "2 documents added" in err and "1 broken lines skipped" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "{tmp}/nowhere", "city"], "is no nerret index"),
        (["info", "{tmp}"], "is no nerret index"),
        (["delete", "{tmp}/nowhere", "a"], "is no nerret index"),
        (["index", "{tmp}/nothing.jsonl", "{tmp}/i"], "it is not there"),
        (["index", "{tmp}/corpus.png", "{tmp}/i"], "accepted are .jsonl"),
        (["index", "{corpus}", "{tmp}/i", "--model", "no-such-model"], "no model 'no-such-model'"),
        (["index", "{corpus}", "{tmp}/i", "--detector", "magic"], "accepted are probe"),
        (["search", "{index}", ""], "a type query is a few words"),
        (["search", "{index}", "city", "--where", "year~3"], "no document has a field 'year~3'"),
        pytest.param(  # loads the default model
            ["search", "{index}", "city", "--model", "nerret-minilm"], "was made with the model", marks=pytest.mark.slow
        ),
    ],
)
def test_failures_are_one_line_with_a_remedy(
    arguments: list[str], message: str, tmp_path: Path, corpus: str, index: str, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "corpus.png").write_bytes(b"")
    command = [argument.format(tmp=tmp_path, corpus=corpus, index=index) for argument in arguments]
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.startswith("nerret: ") and err.count("\n") == 1
    assert not (tmp_path / "i").exists()


@pytest.mark.parametrize("arguments", [["search", "i", "city", "-k", "0"], ["search", "i"], ["fly"], []])
def test_bad_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no nerret index"):
        main(["--debug", "info", str(tmp_path)])
