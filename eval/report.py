"""A page for a person who wants to see why: per type, the best wrong hits and the missed relevant documents."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .corpora import Task
from .measure import Outcome
from modeling_nerret.spans import Span

SHOWN = 5  # wrong and missed documents of each type
AROUND = 120  # characters of context on either side of a mention


@dataclass(frozen=True)
class Line:
    """A document in a report: its place in the ranking, its id, a piece of text in three parts, and a remark."""

    place: str
    id: str
    before: str
    mention: str
    after: str
    remark: str


@dataclass(frozen=True)
class Section:
    """What went wrong for one type."""

    title: str
    wrong: list[Line]
    missed: list[Line]


def write_report(path: Path, task: Task, outcomes: Sequence[Outcome]) -> None:
    """Write the report of all outcomes, worst types first.

    Args:
        path: where to; its suffix decides the form, `.md` or `.html`.
        task: the task.
        outcomes: measured with their mentions.

    Raises:
        ValueError: another suffix.
    """
    check_suffix(path)
    write = _html if path.suffix == ".html" else _markdown
    pages = [(_heading(outcome), list(sections(task, outcome))) for outcome in outcomes]
    path.write_text("\n".join(write(f"Errors on {task.name}", pages)) + "\n", encoding="utf-8")


def check_suffix(path: Path) -> None:
    """Refuse a report of an unknown form."""
    if path.suffix not in (".md", ".html"):
        raise ValueError(f"--report {path} must end in .md or .html")


def sections(task: Task, outcome: Outcome) -> Iterator[Section]:
    """What went wrong for each type, worst R-Precision first."""
    documents = {document.id: at for at, document in enumerate(task.documents)}
    order = sorted(task.types, key=lambda name: outcome.result["per_type"][name]["r_precision"])
    for name in order:
        number = task.types.index(name)
        ranking, relevant, earned = outcome.rankings[number], set(task.relevant[number]), outcome.earned[number]
        places = {id_: place for place, id_ in enumerate(ranking, 1)}
        wrong = [id_ for id_ in ranking[: len(relevant) + SHOWN] if id_ not in relevant][:SHOWN]
        missed = [id_ for id_ in relevant if places.get(id_, len(task.documents) + 1) > len(relevant)]
        missed.sort(key=lambda id_: (-places.get(id_, len(task.documents) + 1), id_))
        scores = outcome.result["per_type"][name]
        title = f"{name}: {scores['r_precision']:.2f} of R = {len(relevant)}, {len(missed)} missed"
        yield Section(
            title,
            [_wrong(task, documents[id_], places[id_], earned.get(id_)) for id_ in wrong],
            [_missed(task, documents[id_], places.get(id_), name) for id_ in missed[:SHOWN]],
        )


def _wrong(task: Task, at: int, place: int, span: Span | None) -> Line:
    """A document without the type; what earned it its place, and what that is by the gold annotation."""
    types = [type_ for own, found in task.labels[at].items() if span and _same(own, span) for type_ in found]
    if span is None:
        remark = "not found by a mention"
    elif types:
        remark = f"is: {', '.join(types)}"
    else:
        remark = "no gold mention"
    return _line(task, at, str(place), span, remark)


def _missed(task: Task, at: int, place: int | None, name: str) -> Line:
    """A relevant document that did not come among the first R, with its first mention of the type."""
    span = next(span for span, types in task.labels[at].items() if name in types)
    return _line(task, at, str(place or "not returned"), span, "")


def _same(one: Span, other: Span) -> bool:
    return one[:2] == other[:2]


def _line(task: Task, at: int, place: str, span: Span | None, remark: str) -> Line:
    document = task.documents[at]
    text = re.sub(r"[\r\n\t]", " ", document.text)
    start, end = span[:2] if span else (0, 0)
    left, right = max(start - AROUND, 0), min(end + AROUND, len(text))
    if not span:
        right = min(2 * AROUND, len(text))
    before = ("… " if left else "") + text[left:start]
    after = text[end:right] + (" …" if right < len(text) else "")
    return Line(place, document.id, before, text[start:end], after, remark)


def _heading(outcome: Outcome) -> str:
    one = outcome.result
    return f"{one['system']}, {one['spans']} mentions: R-Precision {one['macro_r_precision']:.3f}"


def _markdown(title: str, pages: Sequence[tuple[str, list[Section]]]) -> Iterator[str]:
    yield f"# {_escape(title)}"
    for heading, found in pages:
        yield f"\n## {_escape(heading)}"
        for section in found:
            yield f"\n### {_escape(section.title)}"
            for kind, lines in (("Best wrong hits", section.wrong), ("Missed, the lowest first", section.missed)):
                if lines:
                    yield f"\n{kind}:\n"
                yield from map(_markdown_line, lines)


def _markdown_line(line: Line) -> str:
    mention = f"**{_escape(line.mention)}**" if line.mention else ""
    remark = f" *({_escape(line.remark)})*" if line.remark else ""
    return f"- {line.place}, `{line.id}`: {_escape(line.before)}{mention}{_escape(line.after)}{remark}"


def _escape(text: str) -> str:
    """Text that Markdown shows as it is.

    Example:
        >>> _escape("a_b <i> `c`")
        'a\\\\_b &lt;i&gt; \\\\`c\\\\`'
    """
    return re.sub(r"([\\`*_\[\]#|~])", r"\\\1", html.escape(text, quote=False))


STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}
mark{background:#ffe08a;padding:0 .15em}td{padding:.15em .6em;vertical-align:top}td:first-child{text-align:right}
td.id{color:#777;white-space:nowrap}i{color:#8a3b12}summary{cursor:pointer;font-weight:600;margin:.4em 0}"""


def _html(title: str, pages: Sequence[tuple[str, list[Section]]]) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    yield f"<style>{STYLE}</style>\n<h1>{html.escape(title)}</h1>"
    for heading, found in pages:
        yield f"<h2>{html.escape(heading)}</h2>"
        for section in found:
            yield f"<details open><summary>{html.escape(section.title)}</summary>"
            for kind, lines in (("Best wrong hits", section.wrong), ("Missed, the lowest first", section.missed)):
                if lines:
                    yield f"<p>{kind}</p>\n<table>"
                    yield from map(_html_line, lines)
                    yield "</table>"
            yield "</details>"
    yield "</html>"


def _html_line(line: Line) -> str:
    before, mention, after, remark, id_ = map(
        html.escape, (line.before, line.mention, line.after, line.remark, line.id)
    )
    marked = f"<mark>{mention}</mark>" if mention else ""
    note = f" <i>({remark})</i>" if remark else ""
    return f'<tr><td>{line.place}<td class="id">{id_}<td>{before}{marked}{after}{note}'
