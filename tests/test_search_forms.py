"""The forms of an answer: tables, CSV, Markdown, HTML, workbooks; near-duplicates; and `nerret open`."""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeling_nerret.cli import main
from modeling_nerret.cli.forms import show_answer
from modeling_nerret.index.citations import cite
from modeling_nerret.index.duplicates import group_duplicates
from modeling_nerret.index.hits import Answer, Hit, Mention
from modeling_nerret.index.retriever import EntityRetriever

METADATA = {
    "Title": "A <b>dig</b>",
    "date": "2020-05-01",
    "url": "https://example.org/?a=1&b='\"",
    "by": {"name": "Ada"},
}
EVIL = "=cmd|'/C calc'!A0 <script>alert(1)</script> [x](javascript:alert(1)) | \x1b[31m Triceratops"


def hit(id: str, text: str, name: str, metadata: dict[str, Any] | None = None) -> Hit:
    start = text.index(name)
    return Hit(id, 0.5, text, [Mention(start, start + len(name), name, 0.5)], metadata or {}, 0.55)


HITS = [hit("a", "The Triceratops was big.", "Triceratops", METADATA), hit("=b", EVIL, "Triceratops", {"title": EVIL})]


def show(hits: list[Hit], **options: Any) -> None:
    settings = {"json": False, "csv": False, "markdown": False, "html": None, "xlsx": None, "columns": None}
    settings |= {"all": False, "k": None, "why": False, "duplicates": False, "copies": {}} | options
    show_answer(Answer(hits, query="dino<saur>"), settings.pop("copies"), argparse.Namespace(**settings))


def test_the_table_shows_title_date_and_link(capsys: pytest.CaptureFixture) -> None:
    show(HITS)
    out = capsys.readouterr().out
    assert "A <b>dig</b> · 2020-05-01 · https://example.org/" in out.replace("\n", "") and "\x1b" not in out
    show([hit("c", "Graz", "Graz")])
    assert capsys.readouterr().out.splitlines()[1].split() == ["55", "%", "c", "[Graz]"]


def test_columns_are_chosen(capsys: pytest.CaptureFixture) -> None:
    show(HITS, columns=["right", "by.name", "mentions"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["right", "by.name", "mentions"] and lines[1].split() == [
        "55",
        "%",
        "Ada",
        "Triceratops",
    ]
    with pytest.raises(
        ValueError, match=r"no column 'autor'; there are right, score, .*metadata Title, by, by.name, date"
    ):
        show(HITS, columns=["autor"], csv=True)


def test_csv_begins_no_formula(capsys: pytest.CaptureFixture) -> None:
    show(HITS, csv=True)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert list(rows[0]) == ["right", "id", "title", "date", "link", "mentions", "text"]
    assert rows[0]["right"] == "0.55" and rows[0]["link"] == METADATA["url"] and rows[1]["id"] == "'=b"
    assert rows[1]["title"].startswith("'=cmd") and "\x1b" not in rows[1]["text"]


@given(st.text("=+-@＝;,\"'\t\r\n ab", max_size=8))
def test_no_cell_of_csv_begins_like_a_formula(text: str) -> None:
    from contextlib import redirect_stdout

    from modeling_nerret.cli.streams import print_csv

    with redirect_stdout(io.StringIO()) as output:
        print_csv([[text, 5]])
    ((cell, number),) = csv.reader(io.StringIO(output.getvalue()))
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝")) and number == "5"
    assert output.getvalue().startswith('"')  # or a semicolon would part it in some spreadsheets


def test_markdown_is_escaped(capsys: pytest.CaptureFixture) -> None:
    show(HITS, markdown=True)
    head, rule, first, second = capsys.readouterr().out.splitlines()
    assert head.startswith("| right | id |") and set(rule) <= set("| -")
    assert len(re.findall(r"(?<!\\)\|", second)) == len(re.findall(r"\|", head))
    assert "<script>" not in second and "](" not in second and r"\<b\>dig" in first


class Tags(HTMLParser):
    """Collects the tags and links of a page."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attributes if name in ("href", "src")]


def test_the_page_is_escaped_and_needs_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    evil = hit("c", "x" * 900 + EVIL + "y" * 900, "Triceratops", {"url": "javascript:alert(1)", "x": "<img src=x>"})
    show([*HITS, evil], html=str(path), columns=["x"])
    page = Tags(path.read_text(encoding="utf-8"))
    assert page.links == [METADATA["url"]] and page.tags <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "a", "div", "article", "mark"),
        *("details", "summary"),
    }
    text = path.read_text(encoding="utf-8")
    assert "<mark>Triceratops</mark>" in text and "default-src &#x27;none&#x27;" in text and "dino&lt;saur&gt;" in text


def test_the_workbook_has_texts_and_no_formulas(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    path = tmp_path / "hits.xlsx"
    show(
        [*HITS, hit("c", "y" * 40_000 + "Graz", "Graz", {"n": 10**20})],
        xlsx=str(path),
        columns=["id", "title", "document", "n"],
    )
    sheet = openpyxl.load_workbook(path).active
    assert {cell.data_type for row in sheet.iter_rows() for cell in row if cell.value is not None} == {"s"}
    assert (
        sheet["B3"].value.startswith("=cmd") and len(sheet["C4"].value) == 32_767 and sheet["D4"].value == str(10**20)
    )


@pytest.mark.parametrize(
    ("metadata", "citation"),
    [
        ({}, ("", "", "")),
        ({"headline": "A", "title": None, "created": 2020}, ("A", "2020", "")),
        ({"TITLE": " A ", "url": "", "path": "/a.pdf", "page": 3}, ("A", "", "/a.pdf, page 3")),
        ({"title": ["a"], "date": {"y": 1}, "link": "x"}, ("", "", "x")),
    ],
)
def test_citations(metadata: dict[str, Any], citation: tuple[str, str, str]) -> None:
    assert cite(metadata) == citation


# near-duplicates

REPORT = " ".join(f"word{number} of the report" for number in range(200))


@pytest.mark.parametrize(
    ("left", "right", "is_equal"),
    [
        ("Ada in Oslo.", "ada, in OSLO", True),
        ("Ada in Oslo.", "Ada in Graz.", False),
        ("!!!", "!!!", False),  # without words
        (REPORT, f"(Reuters) {REPORT} Printed on Monday.", True),
        (REPORT, REPORT.replace("word7 ", "wort7 "), True),
        (REPORT, REPORT[: len(REPORT) // 2], False),
        ("大宮駅のエミー・ネーターは数学者であり続けた", "大宮駅のエミー・ネーターは数学者であり続けた。", True),
    ],
)
def test_texts_that_are_almost_equal(left: str, right: str, is_equal: bool) -> None:
    assert group_duplicates([("a", left), ("b", right)]) == ({"a": ["b"]} if is_equal else {})


@given(st.lists(st.text("ab ", max_size=30), max_size=8))
def test_every_document_is_in_one_group(texts: list[str]) -> None:
    groups = group_duplicates([(str(number), text) for number, text in enumerate(texts)])
    copies = [name for names in groups.values() for name in names]
    assert len(set(copies)) == len(copies) and not set(copies) & set(groups)


def test_copies_are_shown_once_with_their_number(capsys: pytest.CaptureFixture) -> None:
    hits = [HITS[0], hit("c", "THE Triceratops was big!", "Triceratops"), hit("d", "A Triceratops.", "Triceratops")]
    show(hits, copies={"a": ["c"]}, duplicates=True)
    out = capsys.readouterr().out
    assert "almost equal: c" in out and "THE" not in out and "[Triceratops]." in out
    show(hits, copies={"a": ["c"]}, duplicates=True, json=True)
    assert [json.loads(line)["copies"] for line in capsys.readouterr().out.splitlines()] == [["c"], []]
    show(hits, copies={"a": ["c"]}, duplicates=True, csv=True)
    assert [row["copies"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out))] == ["1", "0"]


# the commands


@pytest.fixture
def index(tmp_path: Path, tiny_checkpoint: str) -> str:
    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    text = "Ada was born\x1b in London.\nShe wrote to Babbage."
    retriever.add([{"id": "a", "text": text, "tags": ["x", "y"]}, {"id": "b", "text": text.upper()}])
    return str(tmp_path / "index")


def test_search_and_open_from_the_command_line(index: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["search", index, "city", "--duplicates", "--csv", "--columns", "id,copies"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == '"id","copies"'
    page = tmp_path / "page.html"
    assert main(["search", index, "city", "--html", str(page)]) == 0 and page.exists()
    assert capsys.readouterr().err == f"{page}: 2 documents\n"
    assert main(["open", index, "a"]) == 0
    assert capsys.readouterr().out == "id: a\ntags: x; y\n\nAda was born\\x1b in London.\nShe wrote to Babbage.\n"
    assert main(["open", index, "a", "--mark", "city", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    for mention in record["mentions"]:
        assert record["text"][mention["start"] : mention["end"]] == mention["text"]
    assert main(["open", index, "a", "--mark", "city"]) == 0
    assert capsys.readouterr().out.count("[") <= len(record["mentions"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["open", "{index}", "x"], "has no document 'x'"),
        (["search", "{index}", "city", "--json", "--columns", "id"], "--columns is for tables"),
        (["search", "{index}", "city", "--html", "{index}"], "is a folder; give the name of a file"),
        (["search", "{index}", "city", "--xlsx", "{index}/x/y.xlsx"], "there is no folder"),
        (["search", "{index}", "city", "--columns", "autor"], "there is no column 'autor'"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    arguments: list[str], message: str, index: str, capsys: pytest.CaptureFixture
) -> None:
    assert main([argument.format(index=index) for argument in arguments]) == 1
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1
