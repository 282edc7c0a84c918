"""Corpora as users have them: every kind of file, every kind of damage, streamed."""

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

from modeling_nerret.index.readers import BadLine, read_corpus
from modeling_nerret.documents import Document


def read(path: Path, **options: str) -> list[Document | BadLine]:
    return list(read_corpus(str(path), **options))


def reasons(path: Path) -> list[str]:
    return [f"{one.where}: {one.reason}" for one in read(path) if isinstance(one, BadLine)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id": true, "text": "Ada"}', "a non-empty string or whole number; it has True"),
        ('{"id": 1.5, "text": "Ada"}', "a non-empty string or whole number; it has 1.5"),
        ('{"id": ["a"], "text": "Ada"}', "a non-empty string or whole number; it has ['a']"),
        ('{"id": "", "text": "Ada"}', "a non-empty string or whole number; it has ''"),
        ('{"id": "a", "text": null}', 'needs a "text", a string; it has NoneType'),
        ('{"id": "a", "text": "Ada \\ud800"}', "is not valid Unicode at character 4"),
        ('{"id": "a", "text": "Ada", "x": "\\ud800"}', "its metadata is not valid Unicode"),
        ('{"id": "a", "text": "Ada", "x": 1' + "0" * 400 + "}", "its metadata cannot be stored"),
        ('{"id": "a", "text": "Ada", "x": ' + "[" * 90_000 + "]" * 90_000 + "}", "nested too deeply"),
        ('{"id": "a", "text": "Ada", "mentions": 5}', "mentions are a list, not int"),
        ('{"id": "a", "text": "Ada", "mentions": [{"start": 0.5, "end": 2}]}', "a mention is"),
        ('{"id": "a", "text": "Ada"', "this is not JSON"),
        ("\x00", "this is not JSON"),
    ],
)
def test_each_broken_line_is_told_with_its_number(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(f'\n{{"id": "good", "text": "Ada"}}\n{line}\n{{"id": 7, "text": "Ada"}}\n', encoding="utf-8")
    good = [one.id for one in read(path) if isinstance(one, Document)]
    (told,) = reasons(path)
    assert good == ["good", "7"] and told.startswith("corpus.jsonl, line 3: ") and reason in told


def test_an_id_that_stands_twice_is_a_broken_line(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps({"id": name, "text": "Ada"}) + "\n" for name in ("a", 1, "b", "1", "a")))
    assert [told.split(": ")[0][-1] for told in reasons(path)] == ["4", "5"]
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


def test_a_missing_column_is_told_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,body\n1,Ada\n")
    parquet.write_table(pa.table({"body": ["Ada"]}), tmp_path / "b.parquet")
    for name, columns in (("a.csv", "id, body"), ("b.parquet", "body")):
        with pytest.raises(ValueError, match=f"no column 'text'; the columns are {columns}: name one with --text-col"):
            read(tmp_path / name)


def test_csv_rows_that_are_too_short_too_long_or_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "corpus.csv"
    path.write_bytes(b'\xef\xbb\xbfid,text,year\n1,Ada\n2,"Par\nis",1900,more\n3,\xff,1\n4\n')
    documents = [one for one in read(path) if isinstance(one, Document)]
    assert [(one.id, one.text, one.metadata) for one in documents] == [
        ("1", "Ada", {"year": None}),
        ("2", "Par\nis", {"year": "1900"}),
    ]
    assert [told.split(": ", 1)[1] for told in reasons(path)] == [
        "document '3' is not valid Unicode at character 0",
        "document '4' needs a \"text\", a string; it has NoneType",
    ]


def test_parquet_keeps_kinds_and_skips_nulls(tmp_path: Path) -> None:
    table = pa.table({"id": [5, 6], "text": ["Ada", None], "day": [date(2020, 5, 1)] * 2, "tags": [["a"], []]})
    parquet.write_table(table, tmp_path / "corpus.parquet")
    document, bad = read(tmp_path / "corpus.parquet")
    assert document == Document("5", "Ada", {"day": date(2020, 5, 1), "tags": ["a"]}) and isinstance(bad, BadLine)


@pytest.mark.parametrize("cut", [10, 60])
def test_a_cut_off_gzip_is_told(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(b'{"id": %d, "text": "Ada"}\n' % n for n in range(99)))[:cut])
    with pytest.raises(OSError, match="is damaged or cut off after line"):
        read(path)


def test_what_only_has_the_name_of_its_kind(tmp_path: Path) -> None:
    for name in ("corpus.parquet", "corpus.jsonl.gz"):
        (tmp_path / name).write_text("Ada")
        with pytest.raises(OSError, match=r"damaged"):
            read(tmp_path / name)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfAda\r\n")
    (tmp_path / "b.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "Ada"}\n')
    assert [read(tmp_path / name)[0].text for name in ("a.txt", "b.jsonl")] == ["Ada", "Ada"]  # type: ignore[union-attr]


def test_standard_input_that_breaks_off_ends_in_a_broken_line(monkeypatch: pytest.MonkeyPatch) -> None:
    piped = io.TextIOWrapper(io.BytesIO(b'{"text": "Ada"}\n{"text": "Lon'))
    monkeypatch.setattr("sys.stdin", piped)
    first, second = read_corpus("-")
    assert isinstance(first, Document) and isinstance(second, BadLine) and second.where == "standard input, line 2"


def test_a_corpus_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    with path.open("w") as file:
        for number in range(20_000):
            file.write('{"id": 7, "te\n' if number % 100 == 50 else f'{{"id": {number}, "text": "{"Ada " * 400}"}}\n')
    tracemalloc.start()
    bad = sum(isinstance(one, BadLine) for one in read_corpus(str(path)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bad == 200 and peak < path.stat().st_size / 6
