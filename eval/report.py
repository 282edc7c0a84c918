"""A report that shows where a system fails: for each type the best wrong hits and the missed documents."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modeling_nerret.index.excerpts import surroundings
from modeling_nerret.spans import Span

from .measure import Outcome
from .tasks.task import Task

LINES = 5  # wrong and missed documents of each type
MARGIN = 120  # characters of context on either side of a mention


@dataclass(frozen=True)
class Line:
    """A document in a report: its position in the ranking, its id, an excerpt in three parts, and a remark."""

    position: str
    id: str
    before: str
    mention: str
    after: str
    remark: str


@dataclass(frozen=True)
class Section:
    """The errors on one type."""

    title: str
    wrong: list[Line]
    misses: list[Line]

    def lists(self) -> Iterator[tuple[str, list[Line]]]:
        """Heading and lines of each list that is not empty."""
        for heading, lines in (("Best wrong hits", self.wrong), ("Missed, the lowest first", self.misses)):
            if lines:
                yield heading, lines


@dataclass(frozen=True)
class Page:
    """The errors of a system on a corpus."""

    corpus: str
    heading: str
    sections: list[Section]


def make_page(task: Task, outcome: Outcome) -> Page:
    """The page of an outcome that was measured with its mentions; the worst types come first."""
    result = outcome.result
    heading = f"{result['system']}, {result['spans']} mentions of {task.name}"
    heading += f": R-Precision {result['macro_r_precision']:.3f}"
    return Page(task.name, heading, list(sections(task, outcome)))


def write_report(path: Path, pages: Sequence[Page]) -> None:
    """Write a report.

    Args:
        path: the file; `.html` makes a web page, any other suffix Markdown.
        pages: in order.
    """
    write = _html if path.suffix == ".html" else _markdown
    corpora = dict.fromkeys(page.corpus for page in pages)
    path.write_text("\n".join(write(f"Errors on {', '.join(corpora)}", pages)) + "\n", encoding="utf-8")


def sections(task: Task, outcome: Outcome) -> Iterator[Section]:
    """The errors on each type, worst R-Precision first."""
    numbers = {document.id: number for number, document in enumerate(task.documents)}
    scores = {type_: entry["r_precision"] for type_, entry in outcome.result["per_type"].items()}
    for type_ in sorted(task.types, key=scores.__getitem__):
        query = task.types.index(type_)
        ranking, relevant = outcome.rankings[query], set(task.relevant[query])
        mentions = outcome.best_mentions[query]
        positions = {id_: position for position, id_ in enumerate(ranking, 1)}
        last = len(task.documents) + 1  # stands for documents that are not returned
        wrong = [id_ for id_ in ranking[: len(relevant) + LINES] if id_ not in relevant][:LINES]
        misses = [id_ for id_ in relevant if positions.get(id_, last) > len(relevant)]
        misses.sort(key=lambda id_: (-positions.get(id_, last), id_))
        yield Section(
            f"{type_}: {scores[type_]:.2f} of R = {len(relevant)}, {len(misses)} missed",
            [_wrong(task, numbers[id_], positions[id_], mentions.get(id_)) for id_ in wrong],
            [_miss(task, numbers[id_], positions.get(id_), type_) for id_ in misses[:LINES]],
        )


def _wrong(task: Task, number: int, position: int, span: Span | None) -> Line:
    """A document without the type; the mention behind its score, and the gold types of that mention."""
    labels = task.labels[number].items()
    types = [type_ for gold, types in labels if span and gold[:2] == span[:2] for type_ in types]
    if span is None:
        remark = "not found by a mention"
    elif types:
        remark = f"is: {', '.join(types)}"
    else:
        remark = "no gold mention"
    return _line(task, number, str(position), span, remark)


def _miss(task: Task, number: int, position: int | None, type_: str) -> Line:
    """A relevant document that is not among the first R, with its first mention of the type."""
    span = next(span for span, types in task.labels[number].items() if type_ in types)
    return _line(task, number, str(position or "not returned"), span, "")


def _line(task: Task, number: int, position: str, span: Span | None, remark: str) -> Line:
    document = task.documents[number]
    text = re.sub(r"[\r\n\t]", " ", document.text)
    start, end = span[:2] if span else (0, 0)
    left, right = surroundings(text, start, end, MARGIN if span else 2 * MARGIN)
    before = ("… " if left else "") + text[left:start]
    after = text[end:right] + (" …" if right < len(text) else "")
    return Line(position, document.id, before, text[start:end], after, remark)


def _markdown(title: str, pages: Sequence[Page]) -> Iterator[str]:
    yield f"# {_escape(title)}"
    for page in pages:
        yield f"\n## {_escape(page.heading)}"
        for section in page.sections:
            yield f"\n### {_escape(section.title)}"
            for heading, lines in section.lists():
                yield f"\n{heading}:\n"
                yield from map(_markdown_line, lines)


def _markdown_line(line: Line) -> str:
    mention = f"**{_escape(line.mention)}**" if line.mention else ""
    remark = f" *({_escape(line.remark)})*" if line.remark else ""
    return f"- {line.position}, `{line.id}`: {_escape(line.before)}{mention}{_escape(line.after)}{remark}"


def _escape(text: str) -> str:
    """Text that Markdown shows unchanged.

    Example:
        >>> _escape("a_b <i> `c`")
        'a\\\\_b &lt;i&gt; \\\\`c\\\\`'
    """
    return re.sub(r"([\\`*_\[\]#|~])", r"\\\1", html.escape(text, quote=False))


STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}
mark{background:#ffe08a;padding:0 .15em}td{padding:.15em .6em;vertical-align:top}td:first-child{text-align:right}
td.id{color:#777;white-space:nowrap}i{color:#8a3b12}summary{cursor:pointer;font-weight:600;margin:.4em 0}"""


def _html(title: str, pages: Sequence[Page]) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
    yield f"<style>{STYLE}</style>\n<h1>{html.escape(title)}</h1>"
    for page in pages:
        yield f"<h2>{html.escape(page.heading)}</h2>"
        for section in page.sections:
            yield f"<details open><summary>{html.escape(section.title)}</summary>"
            for heading, lines in section.lists():
                yield f"<p>{heading}</p>\n<table>"
                yield from map(_html_line, lines)
                yield "</table>"
            yield "</details>"
    yield "</html>"


def _html_line(line: Line) -> str:
    before, mention, after, remark, id_ = map(
        html.escape, (line.before, line.mention, line.after, line.remark, line.id)
    )
    mark = f"<mark>{mention}</mark>" if mention else ""
    note = f" <i>({remark})</i>" if remark else ""
    return f'<tr><td>{line.position}<td class="id">{id_}<td>{before}{mark}{after}{note}'
