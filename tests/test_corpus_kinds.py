"""Every record of a corpus file is a document, or is named with its place: ids, CSV, encodings, JSON, Parquet."""

from __future__ import annotations

import gzip
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from modeling_nerret.documents import Document
from modeling_nerret.index.readers import BadLine, csv_file, json_file, lines, read_corpus


def read(path: Path, **options: Any) -> tuple[list[Document], list[str]]:
    """Documents, and broken lines as `place: reason`."""
    records = list(read_corpus(str(path), **{"split": "line"} | options))
    documents = [record for record in records if isinstance(record, Document)]
    broken_lines = [record for record in records if isinstance(record, BadLine)]
    return documents, [f"{line.where.removeprefix(path.name + ', ')}: {line.reason}" for line in broken_lines]


def texts(path: Path, **options: Any) -> list[str]:
    documents, faults = read(path, **options)
    assert not faults
    return [document.text for document in documents]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# ids


def test_ids_name_the_file_and_the_line_wherever_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    for path in (tmp_path / "a.txt", tmp_path / "b.txt", tmp_path / "sub" / "a.txt"):
        write(path, "Ada\n\nOslo\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.txt").symlink_to("a.txt")
    names = {name: [d.id for d in read(Path(name))[0]] for name in ("a.txt", "b.txt", "sub/a.txt", "link.txt")}
    monkeypatch.chdir(tmp_path / "sub")
    assert names["a.txt"] == [d.id for d in read(Path("../a.txt"))[0]] == names["link.txt"]
    assert len({name for ids in names.values() for name in ids}) == 6
    first, second = names["a.txt"]
    assert first.startswith("a.txt@") and first.endswith(":1") and second == first[:-1] + "3"


def test_ids_of_standard_input_hang_on_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for text in ("Ada", "Oslo", "Ada"):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f'{{"text": "{text}"}}\n'.encode())))
        (document,) = read_corpus("-")
        ids.append(document.id)  # type: ignore[union-attr]
    assert ids[0] == ids[2] != ids[1] and all(name.startswith("stdin@") and name.endswith(":1") for name in ids)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", "id,text\n,Ada\n"), ("a.jsonl", '{"id": null, "text": "Ada"}'), ("a.tsv", "text\nAda")],
)
def test_an_empty_cell_or_null_is_no_id(tmp_path: Path, name: str, content: str) -> None:
    (document,), _ = read(write(tmp_path / name, content))
    assert document.id.startswith(f"{name}@") and document.metadata == {}


def test_fields_called_id_text_or_mentions_are_metadata(tmp_path: Path) -> None:
    record = {"id": "x", "text": "short", "doc": 7, "body": "Ada in Oslo", "mentions": [{"start": 0, "end": 3}]}
    path = write(tmp_path / "a.jsonl", json.dumps(record))
    (document,), _ = read(path, text_column="body", id_column="doc")
    assert (document.id, document.text, document.mentions) == ("7", "Ada in Oslo", ())
    assert document.metadata == {"id": "x", "text": "short", "mentions": [{"start": 0, "end": 3}]}
    (document,), _ = read(path, text_column="body", spans=True)
    assert document.id == "x" and document.mentions[0].end == 3
    assert document.metadata == {"text": "short", "doc": 7}
    _, (fault,) = read(write(path, '{"id": "a", "text": "Ada", "mentions": 5}'), spans=True)
    assert "mentions are a list, not int" in fault


# CSV and TSV


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_delimiter_is_that_of_the_header(tmp_path: Path, delimiter: str, end: str) -> None:
    rows = (("id", "text", "note"), ("1", '"Graz, Wien; Linz|\tx"', '"a ""b"""'), ("2", '"two\nlines"', ""))
    content = end.join(delimiter.join(row) for row in rows) + end
    documents, faults = read(write(tmp_path / "a.csv", content))
    assert not faults and [document.text for document in documents] == ["Graz, Wien; Linz|\tx", "two\nlines"]
    assert documents[0].metadata == {"note": 'a "b"'}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.tsv", "id\ttext\n1\tAda, Oslo; Graz\n", "Ada, Oslo; Graz"),
        ("a.csv", "sep=;\nid;text\n1;Ada\n", "Ada"),
        ("a.csv", 'id, text\n1, "Ada, Oslo"\n', "Ada, Oslo"),
        ("a.csv", "id,text,,\n1,Ada,,\n,,,\n", "Ada"),  # as spreadsheets write
        ("a.csv", "\n\nid,text\n\n1,Ada\n  \n", "Ada"),
        ("a.csv", "text\nAda\n", "Ada"),
        ("a.csv", '"text"\n"Ada\r\nOslo\u2028\rGraz"\n', "Ada\r\nOslo\u2028\rGraz"),
        ("a.csv", 'id,text\n1,Ada said "no"\n', 'Ada said "no"'),
    ],
)
def test_tables_as_programs_write_them(tmp_path: Path, name: str, content: str, expected: str) -> None:
    assert texts(write(tmp_path / name, content)) == [expected]


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        ('2,"Oslo\n', "line 4: the quote that opens in line 4"),
        ('2,"Oslo ""x\n', "line 4: the quote that opens in line 4"),
        ('2,"Os"lo\n', "line 4: text follows a closing quote"),
        ("2,Oslo, wet\n", "line 4: it has 3 cells, the header has 2"),
        ("2\n", "line 4: it has 1 cells, the header has 2"),
        ('2,"Oslo\nis wet",more\n', "lines 4 to 5: it has 3 cells"),
        ('"a\nb","Oslo\n', "lines 4 to 5: the quote that opens in line 5"),
        ("id,text\n", "line 4: it repeats the header"),
        ("2,\n", "line 4: document '2' has an empty text"),
        ("2,\0O\0s\0l\0o\n", "line 4: it is full of NUL bytes"),
    ],
)
def test_a_broken_row_is_named_and_costs_no_other(tmp_path: Path, damage: str, place: str) -> None:
    path = write(tmp_path / "a.csv", f'id,text\n1,"Ada,\nor so"\n{damage}8,"Paris, Lyon"\n9,Rome\n')
    documents, (fault,) = read(path)
    assert [document.id for document in documents] == ["1", "8", "9"] and fault.startswith(place)


def test_a_quote_that_never_closes_takes_no_more_than_a_part_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_file, "LONGEST_ROW", 100)
    path = write(tmp_path / "a.csv", 'text\n"Oslo\n' + "Ada\n" * 200)
    documents, (fault,) = read(path)
    assert len(documents) == 200 and fault.startswith("line 2: the quote that opens in line 2")


def test_the_rest_of_a_broken_cell_is_no_document(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,text\n1,"He said "no", then\nleft, quickly"\n2,Oslo\n')
    documents, faults = read(path)
    assert [document.id for document in documents] == ["2"]
    assert [fault.split(": ")[0] for fault in faults] == ["line 2", "line 3"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,text,text\n1,a,b\n", "two columns are called 'text'"),
        ("text,x,x\n1,a,b\n", "two columns are called 'x'"),
        ('id,"text\n1,a\n', "a.csv, line 1: the quotes of the header do not match"),
        ("id;body\n1;a\n", "there is no column 'text'; the columns are id, body"),
        (b"id,t\xe9xt\n1,a\n", "a.csv, line 1: the bytes from 4 are not valid UTF-8"),
    ],
)
def test_a_header_that_loses_something_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path / "a.csv", content))


# encodings and line ends

CONTENTS = {
    "a.jsonl": '{"text": "Göttingen 🦖"}\n{"text": "Oslo"}\n',
    "a.ndjson": '{"text": "Göttingen 🦖"}\n{"text": "Oslo"}\n',
    "a.json": '[{"text": "Göttingen 🦖"},\n{"text": "Oslo"}]\n',
    "a.csv": "text\nGöttingen 🦖\nOslo\n",
    "a.tsv": "text\nGöttingen 🦖\nOslo\n",
    "a.txt": "Göttingen 🦖\nOslo\n",
}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("is_packed", [False, True])
def test_text_kinds_are_read_in_every_encoding_with_a_mark(
    tmp_path: Path, name: str, encoding: str, is_packed: bool
) -> None:
    mark = "\ufeff" if encoding.endswith("-be") else ""
    content = (mark + CONTENTS[name].replace("\n", "\r\n")).encode(encoding)
    path = tmp_path / (name + ".gz" * is_packed)
    assert texts(write(path, gzip.compress(content) if is_packed else content)) == ["Göttingen 🦖", "Oslo"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
def test_marks_inside_a_file_and_carriage_returns(tmp_path: Path, name: str) -> None:
    content = CONTENTS[name].replace("\n", "\r")
    assert texts(write(tmp_path / name, content)) == ["Göttingen 🦖", "Oslo"]
    rows = CONTENTS[name].split("\n")
    rows[-2] = "\ufeff" + rows[-2]
    assert texts(write(tmp_path / name, "\n".join(rows))) == ["Göttingen 🦖", "Oslo"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
def test_bytes_that_are_no_utf8_are_named_with_a_remedy(tmp_path: Path, name: str) -> None:
    content = (CONTENTS[name] + CONTENTS[name].splitlines()[-1] + "\n").replace(" 🦖", "").encode("latin-1")
    documents, faults = read(write(tmp_path / name, content))
    assert len(documents) == 2 or name == "a.csv"
    (fault,) = faults
    assert "are not valid UTF-8; name the encoding with --encoding" in fault


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_named(tmp_path: Path, name: str, encoding: str) -> None:
    documents, faults = read(
        write(tmp_path / name, CONTENTS[name].replace("ö", "o").replace("🦖", "").encode(encoding))
    )
    assert not documents and "UTF-16 without a byte-order mark" in faults[0]
    with pytest.raises(OSError, match="UTF-16 without a byte-order mark"):
        read(write(tmp_path / "a.json", CONTENTS["a.json"].encode(encoding)))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    "text", ["София Жермен", "Σοφία Ζερμαίν", "गणित की रानी", "อาดา เลิฟเลซ", "آدا لوفليس", "蘇菲·熱爾曼"]
)
def test_no_script_in_utf16_without_a_mark_is_taken_for_utf8(tmp_path: Path, encoding: str, text: str) -> None:
    documents, faults = read(write(tmp_path / "a.txt", f"{text}\n{text}\n".encode(encoding)))
    assert not documents and len(faults) >= 2


def test_some_control_characters_are_no_damage(tmp_path: Path) -> None:
    lines = ["\x1b[1mAda\x1b[0m met \x1b[1mBabbage\x1b[0m", "a\tb\t\tc\t", "Ada\0", "1\x0c"]
    assert texts(write(tmp_path / "a.txt", "\n".join(lines))) == lines


def test_an_array_in_a_file_of_lines_says_what_such_a_file_is_called(tmp_path: Path) -> None:
    _, faults = read(write(tmp_path / "a.jsonl", '[{"text": "Ada"},\n{"text": "Oslo"}]\n'))
    assert "with one JSON value over many lines is called .json" in faults[0]


def test_text_that_ends_inside_a_character(tmp_path: Path) -> None:
    for data in ("Ada\nOslo".encode("utf-16")[:-1], "Ada\nOslö".encode()[:-1]):
        documents, faults = read(write(tmp_path / "a.txt", data))
        assert [document.text for document in documents] == ["Ada"] and faults[0].startswith("line 2: ")


def test_a_line_has_a_longest_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST", 20)
    documents, faults = read(write(tmp_path / "a.txt", "Ada\n" + "x" * 70 + "\nOslo\n"))
    assert [document.text for document in documents] == ["Ada", "Oslo"]
    assert faults == ["line 2: the line is longer than 20 characters"]


def test_unicode_line_separators_end_no_line(tmp_path: Path) -> None:
    text = "Ada\u2028Oslo\u2029x\x85y\x0bz\x0c."
    assert texts(write(tmp_path / "a.txt", text)) == [text]
    assert texts(write(tmp_path / "a.jsonl", json.dumps({"text": text}, ensure_ascii=False))) == [text]


# JSON


@pytest.mark.parametrize("chunk", [1, 7, 65_536])
@pytest.mark.parametrize(
    "content",
    [
        '[{"text": "Ada [\\"x\\"]", "n": -1.5e3},\n {"text": "Oslo", "n": [{"a": true}, null]}]',
        '{"text": "Ada [\\"x\\"]"}\n{"text": "Oslo"}\n',
        '{"text": ["Ada [\\"x\\"]", "Oslo"], "year": [1, 2]}',
        '{"text": {"0": "Ada [\\"x\\"]", "1": "Oslo"}, "year": {"0": 1, "1": 2}}',
        '{"a": {"text": "Ada [\\"x\\"]"}, "b": {"text": "Oslo"}}',
    ],
)
def test_forms_of_json_files(tmp_path: Path, content: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_file, "CHUNK", chunk)
    assert texts(write(tmp_path / "a.json", content)) == ['Ada ["x"]', "Oslo"]


def test_keys_are_ids_unless_they_only_count(tmp_path: Path) -> None:
    documents, _ = read(write(tmp_path / "a.json", '{"x": {"text": "Ada"}, "y": {"text": "Oslo", "id": 7}}'))
    assert [document.id for document in documents] == ["x", "7"]
    (document,), _ = read(write(tmp_path / "a.json", '{"0": {"text": "Ada"}}'))
    assert document.id.startswith("a.json@")


def test_a_record_of_a_json_file_that_is_no_document_is_named_with_its_line(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.json",
        '[{"text": "Ada"},\n null, 12,\n{"x": 1, "x": 2},\n{"text": "Os\udc80lo"}]'.encode("utf-8", "surrogateescape"),
    )
    documents, faults = read(path)
    assert [document.text for document in documents] == ["Ada"]
    assert [fault.split(": ")[0] for fault in faults] == [
        "line 2, record 2",
        "line 2, record 3",
        "line 3, record 4",
        "line 4, record 5",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"text": "Ada"},\n{"text": "Os', "line 2: this is not JSON"),
        ('[{"text": "Ada"},\n{"text": "Oslo"\n{"text": "Graz"}]', "lines 2 to 3: this is not JSON"),
        ('[{"text": "Ada"},\n]', "line 2: this is not JSON"),
        ('[{"text": "Ada"}\n{"text": "Oslo"}]', "line 2: this is not JSON .*expecting , or ]"),
        ('[{"text": "Ada"}]\n[{"text": "Oslo"}]', "line 2: this is not JSON .*more follows"),
        ('{"data": [1], "version": 2}', "holds an object with the fields 'data, version'; accepted is an array"),
        ('{"text": ["Ada"], "year": [1, 2]}', "accepted is an array"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_json_file_that_cannot_be_read_on_is_refused_with_its_line(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises((ValueError, OSError), match=message):
        read(write(tmp_path / "a.json", content))


@pytest.mark.parametrize("name", [*CONTENTS, "a.jsonl.gz", "a.csv.gz"])
def test_empty_files_hold_no_documents(tmp_path: Path, name: str) -> None:
    for content in (b"", b"\n", b"\xef\xbb\xbf"):
        assert read(write(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content)) == ([], [])


# Parquet


def test_parquet_cells_that_are_no_text_are_named_with_their_row(tmp_path: Path) -> None:
    damage = pa.array([b"Ada", b"Os\xfflo", b"Graz"])
    for number, column in enumerate((damage, damage.cast(pa.string(), safe=False))):
        path = tmp_path / f"{number}.parquet"
        parquet.write_table(pa.table({"text": column}), path)
        documents, (fault,) = read(path)
        assert [document.text for document in documents] == ["Ada", "Graz"]
        assert fault.startswith("row 2: ") and "not valid UTF-8 at byte 2" in fault


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([1.0, 2.0, None]), ["1", "2", "made"]),
        (pa.array([1.0, 2.0, float("nan")]), ["1", "2", "made"]),
        (pa.array([Decimal("1.00"), Decimal("2.00"), None]), ["1", "2", "made"]),
        (pa.array([b"a", "ü".encode(), None]), ["a", "ü", "made"]),
        (pa.array(["a", "b", None]).dictionary_encode(), ["a", "b", "made"]),
        (pa.array(["a", "b", "c"], pa.large_string()), ["a", "b", "c"]),
        (pa.array([1.5, 2.0, 1e300]), ["row 1", "2", "row 3"]),
    ],
)
def test_ids_of_parquet_columns(tmp_path: Path, ids: pa.Array, expected: list[str]) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"id": ids, "text": ["Ada", "Oslo", "Graz"]}), path)
    names = []
    for record in read_corpus(str(path)):
        if isinstance(record, BadLine):
            names.append(record.where.removeprefix("a.parquet, "))
        else:
            names.append("made" if record.id.startswith("a.parquet@") else record.id)
    assert names == expected


def test_a_damaged_parquet_file_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": [f"Ada {number}" for number in range(2_000)]}), path, row_group_size=500)
    content = path.read_bytes()
    for size in (0, 3, 10, len(content) // 2, len(content) - 1):
        with pytest.raises(OSError, match="damaged"):
            read(write(path, content[:size]))
    with pytest.raises(OSError, match=r"is damaged"):
        read(write(path, content[:300] + bytes(2_000) + content[2_300:]))


def test_parquet_rows_that_arrow_leaves_out_are_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet.write_table(pa.table({"text": ["Ada", "Oslo"]}), tmp_path / "a.parquet")
    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", lambda file, size: iter(()))
    with pytest.raises(OSError, match=r"damaged after row 0 \(it should have 2 rows\)"):
        read(tmp_path / "a.parquet")


def test_two_parquet_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["Ada"]), pa.array(["Oslo"])], ["id", "text", "text"])
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="two columns are called 'text'"):
        read(tmp_path / "a.parquet")
