"""JSON lines: an object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from .lines import Line
from .record import Record, first_repeat, line_record


def jsonl_records(lines: Iterable[Line]) -> Iterator[Record]:
    """A record for each line that is not empty."""
    for line in lines:
        if line.fault or line.content.strip():
            yield line_record(line, parse_object(line.content, "line"))


def parse_object(text: str, unit: str) -> dict[str, Any] | ValueError:
    """The object that a text spells, or why it spells none; `unit` is what the text is called in messages.

    Example:
        >>> parse_object('{"text": "Oslo"}', "line")
        {'text': 'Oslo'}
        >>> parse_object('{"text": "Oslo"} {"text": "Graz"}', "line")
        ValueError('this is not JSON (a line holds one object, but more follows at character 18)')
    """
    try:
        value = json.loads(text, object_pairs_hook=distinct)
    except json.JSONDecodeError as error:
        return ValueError(f"this is not JSON ({_reason(error, unit)} at character {error.pos + 1})")
    except RecursionError:
        return ValueError("the JSON is nested too deeply")
    except ValueError as error:
        return ValueError(f"this JSON cannot be read ({error})")
    if isinstance(value, dict):
        return value
    return ValueError(f'a {unit} is an object {{"id": ..., "text": ...}}, not {text.strip():.60}')


def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of an object; Python's JSON would keep the last of two with one name.

    Raises:
        ValueError: two fields have the same name.
    """
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError(f"the field {first_repeat(name for name, _ in pairs)!r:.60} stands twice in one object")
    return fields


def _reason(error: json.JSONDecodeError, unit: str) -> str:
    if error.msg == "Extra data":
        return f"a {unit} holds one object, but more follows"
    if error.doc.strip() == "{" or error.doc.lstrip().startswith("["):
        return "an object ends on its line; a file with one JSON value over many lines is called .json"
    return error.msg
