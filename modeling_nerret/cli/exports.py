"""An answer for other programs: CSV, Markdown, a page of HTML, and a workbook."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..index.citations import cite
from ..index.excerpts import surroundings
from ..index.hit_table import Cell, Copies, cell, rows
from ..index.hits import Hit, remove_overlaps
from ..index.plain_text import one_line, visible
from .streams import print_csv

if TYPE_CHECKING:
    from ..index.hits import Answer

LONGEST_CELL = 32_767  # characters that Excel allows
LONGEST_TEXT = 20_000  # characters of a document that the page shows as a whole
AROUND = 200  # characters on either side of the best mention
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")
# Nothing is loaded and no script runs, whatever the documents hold
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
body { color: #222; background: #fff }
article { border-top: 1px solid #ddd; padding: .75rem 0 } h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin: 0 }
.about { color: #555; font-size: .85rem; overflow-wrap: anywhere } mark { background: #ffe28a; color: inherit }
.whole { white-space: pre-wrap; overflow-wrap: anywhere } summary { cursor: pointer; color: #555; font-size: .85rem }
"""


def print_table(hits: Sequence[Hit], columns: Sequence[str], copies: Copies) -> None:
    """Print hits as CSV, with the names of the columns first."""
    print_csv([columns, *rows(hits, columns, copies)])


def print_markdown(note: str, hits: Sequence[Hit], columns: Sequence[str], copies: Copies) -> None:
    """Print hits as a Markdown table, below what the answer promises."""
    if note:
        print(f"{_MARKDOWN.sub(_BACKSLASH, one_line(note))}\n")
    print(_line(columns))
    print(_line(["---"] * len(columns), is_plain=True))
    for hit, cells in zip(hits, rows(hits, columns, copies), strict=True):
        address = cite(hit.metadata).address
        texts = [_MARKDOWN.sub(_BACKSLASH, one_line(str(value))) for value in cells]
        if "title" in columns and "link" not in columns and address and cells[columns.index("title")]:
            place = columns.index("title")
            texts[place] = f"[{texts[place]}](<{_quoted(address)}>)"
        print(_line(texts, is_plain=True))


def write_page(path: Path, answer: Answer, hits: Sequence[Hit], columns: Sequence[str], copies: Copies) -> None:
    """Write hits of an answer as one page of HTML that needs no other file; every text of a document is escaped.

    Raises:
        OSError: the file cannot be written.
    """
    articles = "\n".join(_article(hit, columns, len(copies.get(hit.id, ()))) for hit in hits)
    title = escape(visible(answer.query))
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n<p>{escape(answer.note)}</p>\n"
        f"{articles}\n</body></html>\n"
    )
    path.write_text(page, encoding="utf-8")


def write_workbook(path: Path, hits: Sequence[Hit], columns: Sequence[str], copies: Copies) -> None:
    """Write hits as a workbook of Excel. Texts are cells of text, which it never takes for formulas.

    It needs openpyxl, for which `forms.check_output` looks before the search.

    Raises:
        OSError: the file cannot be written.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet("hits")
    table: list[list[Cell]] = [[*columns], *rows(hits, columns, copies)]
    for line in table:
        cells = []
        for value in line:
            entry = WriteOnlyCell(sheet, _fitting(value))
            if isinstance(value, str):
                entry.data_type = "s"
            cells.append(entry)
        sheet.append(cells)
    workbook.save(path)


_BACKSLASH = r"\\\1"


def _line(texts: Iterable[str], is_plain: bool = False) -> str:
    return f"| {' | '.join(text if is_plain else _MARKDOWN.sub(_BACKSLASH, text) for text in texts)} |"


def _quoted(address: str) -> str:
    """An address without the characters that would end it in Markdown."""
    return re.sub(r"[<>|\\\s]", lambda match: f"%{ord(match[0]):02X}", one_line(address))


def _fitting(value: Cell) -> Cell:
    """A cell that Excel can hold."""
    if isinstance(value, int) and abs(value) >= 10**15:
        return str(value)  # it would lose digits
    text = "\n".join(map(visible, value.split("\n"))) if isinstance(value, str) else ""
    return f"{text[: LONGEST_CELL - 1]}…" if len(text) > LONGEST_CELL else text or value


def _article(hit: Hit, columns: Sequence[str], copies: int) -> str:
    """A hit on the page."""
    citation = cite(hit.metadata)
    title = escape(visible(citation.title or hit.id))
    if citation.address:
        title = f'<a href="{escape(citation.address)}" rel="noreferrer">{title}</a>'
    facts = [f"{100 * hit.probability:.0f} %" if hit.probability is not None else f"{hit.score:.3f}"]
    facts += [citation.date, citation.link, hit.id if citation.title else ""]
    facts += [f"{name}: {cell(hit, name, '', {})}" for name in columns]
    if copies:
        facts.append(f"and {copies} almost equal")
    about = " · ".join(escape(one_line(str(fact))) for fact in facts if fact)
    best = hit.best
    start, end = surroundings(hit.text, *((best.start, best.end) if best else (0, 0)), AROUND)
    passage = f"{'… ' if start else ''}{_marked(hit, start, end)}{' …' if end < len(hit.text) else ''}"
    whole = ""
    if (start, end) != (0, len(hit.text)):
        rest = " …" if len(hit.text) > LONGEST_TEXT else ""
        text = f"{_marked(hit, 0, min(len(hit.text), LONGEST_TEXT))}{rest}"
        whole = f'<details><summary>whole text</summary><div class="whole">{text}</div></details>'
    return f'<article><h2>{title}</h2><div class="about">{about}</div><p>{passage}</p>{whole}</article>'


def _marked(hit: Hit, start: int, end: int) -> str:
    """A part of a hit's text as HTML, with its mentions marked."""
    pieces, position = [], start
    for mention in remove_overlaps(hit.mentions):
        if start <= mention.start and mention.end <= end:
            pieces += [_escaped(hit.text[position : mention.start]), f"<mark>{_escaped(mention.text)}</mark>"]
            position = mention.end
    return "".join([*pieces, _escaped(hit.text[position:end])])


def _escaped(text: str) -> str:
    return escape("\n".join(map(visible, text.replace("\t", "    ").split("\n"))))
