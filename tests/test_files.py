"""Files that are documents: texts, pages, mails, documents of Office programs, and datasets."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeling_nerret.documents import Document
from modeling_nerret.index.readers import BadLine, docx_file, read_corpus, record
from modeling_nerret.index.readers.html_file import html_fields
from modeling_nerret.index.readers.mail_file import mail_fields
from tests import small_files


def read(path: Path, **options: Any) -> tuple[list[Document], list[str]]:
    """Documents, and faults as `place: reason`."""
    records = list(read_corpus(str(path), **options))
    documents = [item for item in records if isinstance(item, Document)]
    return documents, [f"{item.where}: {item.reason}" for item in records if isinstance(item, BadLine)]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# text


@pytest.mark.parametrize(
    ("split", "texts", "numbers"),
    [
        ("file", ["Ada\nOslo\n\n \nGraz"], "1"),
        ("paragraph", ["Ada\nOslo", "Graz"], "26"),
        ("line", ["Ada", "Oslo", "Graz"], "236"),
    ],
)
def test_a_text_is_a_document_as_a_whole_or_cut(tmp_path: Path, split: str, texts: list[str], numbers: str) -> None:
    documents, faults = read(write(tmp_path / "a.txt", "\r\nAda\r\nOslo\r\n\r\n \r\nGraz\r\n"), split=split)
    assert not faults and [document.text for document in documents] == texts
    assert [document.id.rpartition(":")[2] for document in documents] == list(numbers)
    assert {document.metadata["path"] for document in documents} == {str(tmp_path / "a.txt")}


@pytest.mark.parametrize("split", ["file", "paragraph"])
def test_a_damaged_or_endless_text_is_named(tmp_path: Path, split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, (fault,) = read(write(tmp_path / "a.txt", b"Ada\nG\xf6ttingen\n"), split=split)
    assert "line 2: the bytes from 1 are not valid UTF-8" in fault
    monkeypatch.setattr(record, "LONGEST_TEXT", 10)
    _, faults = read(write(tmp_path / "a.txt", "Ada\n" * 9), split="file")
    assert faults == ["a.txt: it has over 10 characters; cut it with --split paragraph or --split line"]


def test_zstandard_is_unpacked_and_its_damage_named(tmp_path: Path) -> None:
    lines = b"".join(b'{"text": "Ada %d"}\n' % number for number in range(5_000))
    data = pa.Codec("zstd").compress(lines, asbytes=True)
    documents, _ = read(write(tmp_path / "a.jsonl.zst", data + data))
    assert [document.text for document in documents] == [f"Ada {number}" for number in range(5_000)] * 2
    for content in (data[:-4], data[: len(data) // 2], b"Ada"):
        with pytest.raises(OSError, match="is damaged or cut off after line"):
            read(write(tmp_path / "a.jsonl.zst", content))


def test_markdown_has_front_matter_or_a_heading(tmp_path: Path) -> None:
    content = "---\nTitle: 'A walk'\ndate: 2020-05-01\nid: 7\npath: x\n---\n\n# Graz\n\nWe **went**.\n"
    (document,), _ = read(write(tmp_path / "a.md", content))
    assert document.text == "# Graz\n\nWe **went**."
    path = str(tmp_path / "a.md")
    assert document.metadata == {"title": "A walk", "date": "2020-05-01", "id": "7", "path": path}
    (document,), _ = read(write(tmp_path / "a.md", "---\ntags:\n  - sea\n---\n# Graz #\n"))
    assert document.metadata["title"] == "Graz" and document.text.startswith("---\ntags:")


# pages and mails


def test_a_page_is_what_a_reader_sees() -> None:
    fields = html_fields(small_files.PAGE.encode())
    assert fields.pop("text") == "Triceratops was big.\n\nSo\nwhat?\n\na\tb\nc"
    assert fields == {
        "title": "Big & small",
        "author": "Ada",
        "date": "2020-05-01",
        "url": "https://example.org/d",
    }


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("<p>a <svg><p>b", "a\n\nb"),  # what is never closed hides nothing
        ("<p>a<noscript>no</noscript>b<svg><title>no</title></svg>", "ab"),
        ("<pre>a  b\n  c</pre>", "a  b\n  c"),
        ("x &lt;b&gt; y &#x1F996; z", "x <b> y 🦖 z"),
        ("<div>" * 5_000 + "deep", "deep"),
        ("Ada < Bob", "Ada < Bob"),
        ("<p title='a>b' don't>it's</p>", "it's"),
        ('<p x="y>Ada</p>', "Ada"),
        ("a<!-- b --><!-->c", "ac"),
        ("<p>Ada <b", "Ada <b"),
        ("<script>if (a < b) { '<p>' }</script\n>Ada", "Ada"),
    ],
)
def test_pages_as_people_write_them(content: str, text: str) -> None:
    assert html_fields(content.encode()) == {"text": text}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ('<meta charset="iso-8859-1"><p>Göttingen – “x”'.encode("windows-1252"), "Göttingen – “x”"),
        ("<p>Göttingen".encode("utf-16"), "Göttingen"),
        ('<meta http-equiv="content-type" content="text/html; charset=shift_jis"><p>駅'.encode("shift_jis"), "駅"),
        ("\ufeff<p>Göttingen".encode(), "Göttingen"),
    ],
)
def test_encodings_of_pages(data: bytes, text: str) -> None:
    assert html_fields(data)["text"] == text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("<p>Göttingen".encode("latin-1"), "are not valid UTF-8, and it declares no other encoding"),
        ('<meta charset="klingon">', "its encoding 'klingon' is unknown"),
        ('<meta charset="zlib">', "its encoding 'zlib' is unknown"),
        (b"G\0r\0a\0z\0" * 40, "full of NUL bytes"),
    ],
)
def test_a_page_of_another_encoding_is_refused(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        html_fields(data.encode() if isinstance(data, str) else data)


@pytest.mark.parametrize(
    "part", ["<!--", "<a ", "<", "<![CDATA[", "</", "<script", "<p\n", "<a='", '<a=">"', "<svg>", "<pre>\n "]
)
def test_a_damaged_page_costs_no_more_than_its_length(part: str) -> None:
    start = time.process_time()
    html_fields(part.encode() * 30_000)
    assert time.process_time() - start < 5  # measured are up to 0.3; Python's own parser takes minutes


@given(st.text(st.sampled_from("<>/!-?&#;x=\"'[] \n\tpbrsvgtdéא🦖"), max_size=200))
def test_any_text_is_a_page(text: str) -> None:
    assert isinstance(html_fields(text.encode())["text"], str)


def test_a_page_without_text_is_named(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.html", "<script>draw()</script>")) == ([], ["a.html: it has no text"])


def test_a_mail_has_subject_body_and_headers() -> None:
    fields = mail_fields(small_files.MAIL.encode("latin-1"))
    assert fields == {
        "title": "Grüße",
        "author": "Ada <ada@example.org>",
        "to": "bob@example.org",
        "date": "2020-05-04T10:00:00+02:00",
        "text": "Grüße\n\nWe go to Göttingen.",
    }


def test_a_mail_with_parts_names_its_attachments() -> None:
    from email.message import EmailMessage

    mail = EmailMessage()
    mail["From"] = "ada@example.org"
    mail.set_content("<p>Off to <b>Graz</b>", subtype="html")
    mail.add_attachment(b"x", maintype="image", subtype="png", filename="a.png")
    fields = mail_fields(mail.as_bytes())
    assert fields["text"] == "Off to Graz" and fields["attachments"] == ["a.png"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"Ada went to Graz.", "it is no mail"),
        (b"From: a\nContent-Type: text/plain; charset=utf-8\n\nG\xf6ttingen", "not valid utf-8 at byte 1"),
        (b"From: a\nContent-Type: text/plain; charset=klingon\n\nx", "the encoding 'klingon' of its body is unknown"),
    ],
)
def test_a_damaged_mail_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mail_fields(data)


# documents of Office programs


def test_a_word_document_keeps_tables_notes_boxes_and_metadata(tmp_path: Path) -> None:
    cell = small_files.paragraph
    body = (
        f"{cell('Ada &amp; Bob')}<w:sdt><w:sdtContent>{cell('a form')}</w:sdtContent></w:sdt>"
        f"<w:tbl><w:tr><w:tc>{cell('a')}</w:tc><w:tc>{cell('b')}{cell('c')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{cell('d')}</w:tc></w:tr></w:tbl>"
        "<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
        "<w:r><w:tab/><w:t>x</w:t><w:br/><w:t>y</w:t></w:r></w:p>"
    )
    (document,), _ = read(write(tmp_path / "a.docx", small_files.docx(body)))
    assert document.text == "Ada & Bob\n\na form\n\na\tb\nc\nd\n\nnew\tx\ny"
    path = str(tmp_path / "a.docx")
    assert document.metadata == {"title": "Plan", "author": "Ada", "date": "2020-05-01T10:00:00Z", "path": path}


def test_word_documents_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = small_files.docx(small_files.paragraph("Ada"))
    for content, message in (
        (small_files.SEALED, "it is encrypted with a password"),
        (b"Ada", "it is no Word file, or a damaged one"),
        (good[: len(good) // 2], "it is no Word file, or a damaged one"),
        (small_files.docx("<w:p>"), "it is damaged"),
        (good.replace(b"word/document.xml", b"word/documenx.xml"), "it is no Word file"),
    ):
        with pytest.raises(OSError, match=message):
            read(write(tmp_path / "a.docx", content))
    monkeypatch.setattr("modeling_nerret.index.readers.office.LARGEST", 10)
    with pytest.raises(OSError, match="unpacked it has over 10 bytes"):
        docx_file.docx_fields(write(tmp_path / "a.docx", good))


def test_a_pdf_is_a_document_a_page(tmp_path: Path) -> None:
    small_files.pdf(tmp_path / "a.pdf", ["Ada in Oslo", "", "picture", "Graz"])
    documents, (fault,) = read(tmp_path / "a.pdf")
    assert [(document.text, document.metadata["page"]) for document in documents] == [("Ada in Oslo", 1), ("Graz", 4)]
    first, second = documents
    assert first.id.endswith(":1") and second.id.endswith(":4")
    assert {first.metadata[name] for name in ("title", "author")} == {"Report", "Ada"}
    assert first.metadata["date"].startswith("2020-05-01T10:00") and fault.startswith("a.pdf, page 3: no text, only a")


def test_a_pdf_that_cannot_be_read_is_one_error(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = tmp_path / "a.pdf"
    small_files.pdf(path, ["Ada"], password="secret")
    with pytest.raises(OSError, match="it is encrypted with a password"):
        read(path)
    small_files.pdf(path, ["picture"])
    with pytest.raises(OSError, match="none of its 1 pages has text"):
        read(path)
    for content in (b"Ada", b"%PDF-1.4\ngarbage"):
        with pytest.raises(OSError, match="it is no PDF, or a damaged one"):
            read(write(path, content))
    assert capfd.readouterr() == ("", "")


def test_a_workbook_is_a_document_a_row(tmp_path: Path) -> None:
    day = datetime(2020, 5, 1)
    rows = [[], ["text", "day", "n"], ["Ada", day, None], [], ["Oslo", None, 3]]
    small_files.xlsx(
        tmp_path / "a.xlsx", {"One": rows, "None": [], "Two": [["id", "text"], [7, "Graz"], [8, "a", "b"]]}
    )
    documents, (fault,) = read(tmp_path / "a.xlsx")
    assert [(document.text, document.metadata) for document in documents] == [
        ("Ada", {"day": "2020-05-01T00:00:00"}),
        ("Oslo", {"n": 3}),
        ("Graz", {}),
    ]
    assert documents[0].id.endswith(":One!3") and documents[2].id == "7"
    assert fault == "a.xlsx, sheet 'Two', row 3: it has 3 cells, the header has 2"


def test_a_sheet_without_text_is_named(tmp_path: Path) -> None:
    small_files.xlsx(tmp_path / "a.xlsx", {"One": [["text"], ["Ada"]], "Notes": [["x"], [1]]})
    documents, (fault,) = read(tmp_path / "a.xlsx")
    assert len(documents) == 1 and fault.startswith(
        "a.xlsx, sheet 'Notes': there is no column 'text'; the columns are x"
    )
    with pytest.raises(ValueError, match=r"a.xlsx, sheet 'One': there is no column 'body'"):
        read(tmp_path / "a.xlsx", text_column="body")
    for content in (b"Ada", small_files.SEALED, (tmp_path / "a.xlsx").read_bytes()[:-100]):
        with pytest.raises(OSError, match=r"it is (no Excel file|encrypted)"):
            read(write(tmp_path / "b.xlsx", content))


# datasets


def save(folder: Path, texts: list[str]) -> None:
    """Write a dataset as `Dataset.save_to_disk` does."""
    folder.mkdir(parents=True)
    table = pa.table({"text": texts})
    with pa.OSFile(str(folder / "data-0.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=1)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-0.arrow"}]}))
    (folder / "dataset_info.json").write_text("{}")


def test_datasets_and_their_splits_are_read(tmp_path: Path) -> None:
    save(tmp_path / "d" / "train", ["Ada", "Oslo"])
    save(tmp_path / "d" / "test", ["Graz"])
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    documents, _ = read(tmp_path / "d")
    assert [(document.text, document.metadata) for document in documents] == [
        ("Ada", {"split": "train"}),
        ("Oslo", {"split": "train"}),
        ("Graz", {"split": "test"}),
    ]
    assert [document.id.partition(":")[2] for document in documents] == ["train/1", "train/2", "test/1"]
    documents, _ = read(tmp_path / "d" / "test")
    assert [document.text for document in documents] == ["Graz"] and documents[0].id.startswith("test@")


def test_a_damaged_dataset_is_one_error(tmp_path: Path) -> None:
    save(tmp_path / "d", ["Ada", "Oslo"])
    path, content = tmp_path / "d" / "data-0.arrow", (tmp_path / "d" / "data-0.arrow").read_bytes()
    for size in (0, 20, len(content) - 8, len(content) - 9):
        path.write_bytes(content[:size])
        with pytest.raises(OSError, match=r"data-0.arrow is damaged after row"):
            read(tmp_path / "d")
    (tmp_path / "d" / "state.json").write_text('{"_data_files": [{"filename": "../d/data-0.arrow"}]}')
    with pytest.raises(OSError, match="is no file of its own"):
        read(tmp_path / "d")


# columns, libraries, pipes


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_several_columns_are_joined(tmp_path: Path, name: str) -> None:
    rows = [{"title": "Trip", "body": "Off to Graz.", "note": "x"}, {"title": "", "body": "Oslo", "note": ""}]
    if name == "a.jsonl":
        write(tmp_path / name, "".join(json.dumps(row) + "\n" for row in rows))
    elif name == "a.csv":
        write(tmp_path / name, "title,body,note\nTrip,Off to Graz.,x\n,Oslo,\n")
    else:
        import pyarrow.parquet as parquet

        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / name)
    documents, _ = read(tmp_path / name, text_column="title, body")
    assert [document.text for document in documents] == ["Trip\n\nOff to Graz.", "Oslo"]
    assert documents[0].metadata == {"title": "Trip", "note": "x"}
    if name != "a.jsonl":
        with pytest.raises(ValueError, match="there is no column 'more'; the columns are title, body, note"):
            read(tmp_path / name, text_column="title,more")
    with pytest.raises(ValueError, match="names no column"):
        read(tmp_path / name, text_column="title,")


def test_a_missing_library_is_one_line_that_says_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modeling_nerret.index.readers.kinds.find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r"a .pdf file needs the package pypdf; install it with: pip install '.\[files\]'"
    ):
        read(write(tmp_path / "a.pdf", "x"))
