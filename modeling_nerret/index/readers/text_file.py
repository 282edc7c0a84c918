"""Text and Markdown: a document a file, a paragraph or a line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from .lines import Line
from .record import Record, check_length, line_range, line_record

FILE, PARAGRAPH, LINE = "file", "paragraph", "line"
SPLITS = (FILE, PARAGRAPH, LINE)
_MATTER = re.compile(r"---[ \t]*\n(?P<fields>.*?\n)---[ \t]*(\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"(?P<name>[A-Za-z][\w -]*):[ \t]*(?P<value>.*)")
_HEADING = re.compile(r"^#[ \t]+(?P<title>[^\n]*?)[ \t#]*$", re.MULTILINE)


def text_records(lines: Iterable[Line], split: str) -> Iterator[Record]:
    """A record for each line or paragraph that is not empty, or one for the whole file if it is not empty.

    A paragraph ends at an empty line; its number is that of its first line.
    """
    if split == LINE:
        for line in lines:
            if _has_content(line):
                yield line_record(line, _fields(line.content))
    elif split == PARAGRAPH:
        for has_content, group in groupby(lines, _has_content):
            if has_content:
                paragraph = list(group)
                fault = next((f"line {line.number}: {line.fault}" for line in paragraph if line.fault), "")
                fields = ValueError(fault) if fault else _fields(_join(paragraph))
                place = line_range(paragraph[0].number, paragraph[-1].number)
                yield Record(paragraph[0].number, place, fields)
    else:
        yield from _whole(lines)


def markdown_records(lines: Iterable[Line], split: str) -> Iterator[Record]:
    """As `text_records`; a whole file's front matter becomes metadata, or else its first heading the title."""
    for record in text_records(lines, split):
        if split == FILE and isinstance(record.fields, dict):
            yield record._replace(fields=_front_matter(record.fields["text"]))
        else:
            yield record


def _whole(lines: Iterable[Line]) -> Iterator[Record]:
    """One record for a file, unless it is empty."""
    parts: list[Line] = []
    length = 0
    for line in lines:
        if line.fault:
            yield Record(1, "", ValueError(f"line {line.number}: {line.fault}"))
            return
        parts.append(line)
        length += len(line.text)
        if fault := check_length(length, "cut it with --split paragraph or --split line"):
            yield Record(1, "", ValueError(fault))
            return
    if any(map(_has_content, parts)):
        yield Record(1, "", _fields(_join(parts)))


def _join(lines: list[Line]) -> str:
    """The text of lines, with LF between them and without empty lines around it."""
    return "\n".join(line.content for line in lines).strip("\n")


def _has_content(line: Line) -> bool:
    return bool(line.fault or line.content.strip())


def _fields(text: str) -> dict[str, Any] | ValueError:
    return {"text": text} if text.strip().strip("\0") else ValueError("it holds NUL bytes only")


def _front_matter(text: str) -> dict[str, Any]:
    """The fields of a Markdown file. Front matter that is more than names and values stays a part of the text."""
    fields: dict[str, Any] = {}
    if match := _MATTER.match(text):
        pairs = [_FIELD.fullmatch(line) for line in match["fields"].splitlines() if line.strip()]
        rest = text[match.end() :].strip("\n")
        if rest.strip() and all(pairs):
            fields = {pair["name"].lower(): pair["value"].strip().strip("\"'") for pair in pairs if pair}
            fields, text = {name: value for name, value in fields.items() if value}, rest
    if "title" not in fields and (heading := _HEADING.search(text)):
        fields["title"] = heading["title"]
    return fields | {"text": text}
