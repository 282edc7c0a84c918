"""Corpus files as users have them: every format, every kind of damage, read as a stream."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from modeling_nerret.documents import Document
from modeling_nerret.index.readers import BadLine, read_corpus


def read(path: Path, **options: str) -> list[Document | BadLine]:
    return list(read_corpus(str(path), **{"split": "line"} | options))


def reasons(path: Path) -> list[str]:
    return [f"{line.where}: {line.reason}" for line in read(path) if isinstance(line, BadLine)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": true, "text": "Ada"}', "a non-empty string or whole number; it has True"),
        ('{"id": 1.5, "text": "Ada"}', "a non-empty string or whole number; it has 1.5"),
        ('{"id": ["a"], "text": "Ada"}', "a non-empty string or whole number; it has ['a']"),
        ('{"id": "", "text": "Ada"}', "a non-empty string or whole number; it has ''"),
        ('{"id": "a", "text": null}', 'needs a "text", a string; it has NoneType'),
        ('{"id": "a", "text": "Ada \\ud800"}', "is not valid Unicode at character 4"),
        ('{"id": "a", "text": "Ada", "x": "\\ud800"}', "field 'x' is not valid Unicode"),
        ('{"id": "a", "text": "Ada", "x": 1' + "0" * 5000 + "}", "this JSON cannot be read"),
        ('{"id": "a", "text": "Ada", "x": ' + "[" * 90_000 + "]" * 90_000 + "}", "nested too deeply"),
        ('{"id": "a", "text": "Ada", "x": 1, "x": 2}', "the field 'x' stands twice in one object"),
        ('{"id": "a", "text": "Ada", "x": {"y": 1, "y": 2}}', "the field 'y' stands twice in one object"),
        ('{"id": "a", "text": "Ada",}', "this is not JSON"),
        ('{"id": "a", "text": "Ada"} {"id": "b", "text": "Ada"}', "holds one object, but more follows at character 28"),
        ("null", "a line is an object"),
        ("5", "a line is an object"),
        ('"Ada"', "a line is an object"),
        ('[{"id": "a", "text": "Ada"}]', "a line is an object"),
        ('{"id": "a", "text": "Ada"', "this is not JSON"),
        ("\x00", "this is not JSON"),
    ],
)
def test_a_broken_line_is_reported_with_its_number(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(f'\n{{"id": "good", "text": "Ada"}}\n{line}\n{{"id": 7, "text": "Ada"}}\n', encoding="utf-8")
    ids = [document.id for document in read(path) if isinstance(document, Document)]
    (message,) = reasons(path)
    assert ids == ["good", "7"] and message.startswith("corpus.jsonl, line 3: ") and reason in message


def test_a_repeated_id_is_a_broken_line(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps({"id": name, "text": "Ada"}) + "\n" for name in ("a", 1, "b", "1", "a")))
    assert [message.split(": ")[0][-1] for message in reasons(path)] == ["4", "5"]
    assert "'1' stands on an earlier line too" in reasons(path)[0]


def test_nested_metadata_and_path_like_ids_are_data(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    record = {"id": "../../x", "text": "Ada", "author": {"name": "O'Hara", "born": [1900, None]}, "n": None}
    path.write_text(json.dumps(record))
    (document,) = read(path)
    assert isinstance(document, Document) and document.id == "../../x"
    assert document.metadata == {"author": {"name": "O'Hara", "born": [1900, None]}, "n": None}


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.txt", "corpus.csv"])
def test_empty_files_hold_no_documents(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert read(tmp_path / name) == []


def test_a_table_without_rows_holds_no_documents(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,text\n")
    parquet.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "b.parquet")
    assert read(tmp_path / "a.csv") == read(tmp_path / "b.parquet") == []


def test_the_error_for_a_missing_column_lists_the_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,body\n1,Ada\n")
    parquet.write_table(pa.table({"body": ["Ada"]}), tmp_path / "b.parquet")
    for name, columns in (("a.csv", "id, body"), ("b.parquet", "body")):
        with pytest.raises(ValueError, match=f"no column 'text'; the columns are {columns}: name one with --text-col"):
            read(tmp_path / name)


def test_csv_rows_that_are_too_short_too_long_or_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "corpus.csv"
    path.write_bytes(b'\xef\xbb\xbfid,text,year\n1,Ada\n2,"Par\nis",1900,more\n3,\xff,1\n4\n5,"Par\nis",1900\n')
    documents = [document for document in read(path) if isinstance(document, Document)]
    assert documents == [Document("5", "Par\nis", {"year": "1900"})]
    messages = [message.removeprefix("corpus.csv, ") for message in reasons(path)]
    assert messages[0] == "line 2: it has 2 cells, the header has 3"
    assert messages[1].startswith("lines 3 to 4: it has 4 cells, the header has 3")
    assert messages[2].startswith("line 5: the bytes from 2 are not valid UTF-8; name the encoding")
    assert messages[3] == "line 6: it has 1 cells, the header has 3"


def test_parquet_keeps_kinds_and_skips_nulls(tmp_path: Path) -> None:
    table = pa.table({"id": [5, 6], "text": ["Ada", None], "day": [date(2020, 5, 1)] * 2, "tags": [["a"], []]})
    parquet.write_table(table, tmp_path / "corpus.parquet")
    document, bad_line = read(tmp_path / "corpus.parquet")
    assert document == Document("5", "Ada", {"day": "2020-05-01", "tags": ["a"]}) and isinstance(bad_line, BadLine)


@pytest.mark.parametrize("size", [10, 60])
def test_a_truncated_gzip_file_is_reported(tmp_path: Path, size: int) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(b'{"id": %d, "text": "Ada"}\n' % n for n in range(99)))[:size])
    with pytest.raises(OSError, match="is damaged or cut off after line"):
        read(path)


def test_a_file_whose_content_does_not_fit_its_name_is_refused(tmp_path: Path) -> None:
    for name in ("corpus.parquet", "corpus.jsonl.gz"):
        (tmp_path / name).write_text("Ada")
        with pytest.raises(OSError, match=r"damaged"):
            read(tmp_path / name)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfAda\r\n")
    (tmp_path / "b.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "Ada"}\n')
    assert [read(tmp_path / name)[0].text for name in ("a.txt", "b.jsonl")] == ["Ada", "Ada"]  # type: ignore[union-attr]


def test_truncated_standard_input_ends_in_a_broken_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(b'{"text": "Ada"}\n{"text": "Lon'))
    monkeypatch.setattr("sys.stdin", stream)
    first, second = read_corpus("-")
    assert isinstance(first, Document) and isinstance(second, BadLine) and second.where == "standard input, line 2"


@pytest.mark.slow
def test_a_corpus_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    with path.open("w") as file:
        for number in range(20_000):
            file.write('{"id": 7, "te\n' if number % 100 == 50 else f'{{"id": {number}, "text": "{"Ada " * 400}"}}\n')
    tracemalloc.start()
    broken_lines = sum(isinstance(line, BadLine) for line in read_corpus(str(path)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert broken_lines == 200 and peak < path.stat().st_size / 6
