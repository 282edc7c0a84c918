"""Small files of every kind that `nerret index` reads, made in memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
CORE = (
    '<p xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>Plan</dc:title>'
    "<dc:creator>Ada</dc:creator><dcterms:created>2020-05-01T10:00:00Z</dcterms:created></p>"
)
SEALED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)  # how encrypted files of Office begin
PAGE = """<!doctype html><html><head><title>Big &amp; small</title><meta name="author" content="Ada">
<meta property="article:published_time" content="2020-05-01"><link rel="canonical" href="https://example.org/d">
<style>p { color: red }</style></head><body><p>Triceratops was
<b>big</b>.</p><p>So<br>what?</p><table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>
<script>var x = "<p>no";</script></body></html>"""
MAIL = """From: Ada <ada@example.org>\r\nTo: bob@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r
Date: Mon, 4 May 2020 10:00:00 +0200\r\nContent-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: 8bit\r\n\r\nWe go to Göttingen.\r\n"""


def docx(body: str, core: str = CORE) -> bytes:
    """A Word document with this body."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("word/document.xml", f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>')
        archive.writestr("docProps/core.xml", core)
    return stream.getvalue()


def paragraph(text: str) -> str:
    """A paragraph of a Word document."""
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def pdf(path: Path, texts: Sequence[str], password: str = "") -> None:
    """Write a PDF with a page for each text; "picture" stands for a page that is a picture."""
    pypdf = pytest.importorskip("pypdf")
    from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, NumberObject

    def mapping(**values: Any) -> DictionaryObject:
        return DictionaryObject({NameObject(f"/{name}"): value for name, value in values.items()})

    writer = pypdf.PdfWriter()
    for text in texts:
        page = writer.add_blank_page(200, 200)
        if text == "picture":
            image = DecodedStreamObject()
            image.set_data(b"\0\0\0")
            image.update(
                mapping(
                    Type=NameObject("/XObject"),
                    Subtype=NameObject("/Image"),
                    Width=NumberObject(1),
                    Height=NumberObject(1),
                    ColorSpace=NameObject("/DeviceRGB"),
                    BitsPerComponent=NumberObject(8),
                )
            )
            page[NameObject("/Resources")] = mapping(XObject=mapping(I=writer._add_object(image)))
            continue
        font = mapping(Type=NameObject("/Font"), Subtype=NameObject("/Type1"), BaseFont=NameObject("/Helvetica"))
        page[NameObject("/Resources")] = mapping(Font=mapping(F=font))
        content = DecodedStreamObject()
        content.set_data(f"BT /F 12 Tf 10 100 Td ({text}) Tj ET".encode("latin-1"))
        page[NameObject("/Contents")] = ArrayObject([writer._add_object(content)])
    writer.add_metadata({"/Title": "Report", "/Author": "Ada", "/CreationDate": "D:20200501100000Z"})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    writer.write(path)


def xlsx(path: Path, sheets: dict[str, Sequence[Sequence[Any]]]) -> None:
    """Write a workbook with these rows of sheets."""
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        for row in rows:
            sheet.append(row)
    workbook.save(path)
