"""Answers and messages as HTML. Every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from ..index.citations import cite
from ..index.excerpts import surroundings
from ..index.hits import Hit, Mention, remove_overlaps
from . import texts
from .marks import FORGET, Marks
from .private_texts import PrivateTexts, say_fault
from .sheet import Sheet

SHORT_TEXT = 600  # characters up to which a whole document is shown
CONTEXT = 150  # characters of a longer document on each side of a mention
MAX_FAULTS, MAX_NAMES = 50, 5  # files that could not be read, and names in a sentence
MAX_EXCERPTS = 5  # of a longer document
PALEST = 0.15  # strength of the weakest colour


def render_message(title: str, text: str = "", kind: str = "hint") -> str:
    """A message of a kind: `"hint"`, `"result"`, `"busy"` or `"problem"`."""
    return f'<div class="message {kind}"><strong>{escape(title)}</strong> {escape(text)}</div>'


def render_faults(contents: PrivateTexts) -> str:
    """What could not be read of a visitor's texts, and where an encoding was guessed; empty if all is well."""
    pieces = [
        f'<p class="guess">{escape(texts.GUESSED.format(encoding=encoding, names=_some(names)))}</p>'
        for encoding, names in contents.guesses.items()
    ]
    if contents.faults:
        count = len(contents.faults)
        title = texts.FAULTS.format(count=f"{count:,} {'item' if count == 1 else 'items'}")
        faults = [f"<li>{escape(say_fault(fault))}</li>" for fault in contents.faults[:MAX_FAULTS]]
        if count > MAX_FAULTS:
            faults.append(f"<li>{texts.MORE_FAULTS.format(count=count - MAX_FAULTS)}</li>")
        pieces.append(f"<details open><summary>{title}</summary><ul>{''.join(faults)}</ul></details>")
    return f'<div class="message faults">{"".join(pieces)}</div>' if pieces else ""


def _some(names: Sequence[str]) -> str:
    more = [texts.MORE_FAULTS.format(count=len(names) - MAX_NAMES)] if len(names) > MAX_NAMES else []
    return ", ".join([*names[:MAX_NAMES], *more])


def render_sheet(sheet: Sheet) -> str:
    """An answer: what can be judged, its hits, the line where it ends, and the documents after it."""
    marks = sheet.marks if sheet.is_markable else None
    pieces = [_render_copy(sheet), _render_marks(sheet.marks), _render_suggestions(sheet)]
    pieces.append(render_hits(sheet.hits, marks))
    if sheet.has_end and len(sheet.hits) == len(sheet.answer):
        pieces.append(f'<h2 class="end"><span>{escape(texts.END)}</span></h2>')
    if sheet.further:
        title = texts.AFTER_END if sheet.hits else texts.NEAREST
        pieces.append(f'<p class="after">{escape(title)}</p>{render_hits(sheet.further, marks, "hits further")}')
    return "".join(pieces)


def render_hits(hits: Sequence[Hit], marks: Marks | None = None, name: str = "hits") -> str:
    """Hits as a list, best first.

    Args:
        hits: the hits.
        marks: documents that were judged; `None` leaves out the buttons.
        name: class of the list.
    """
    return f'<ol class="{name}">{"".join(_render_hit(hit, marks) for hit in hits)}</ol>' if hits else ""


def render_text(text: str, start: int, end: int, mentions: Sequence[Mention], strength: float = 1.0) -> str:
    """`text[start:end]` with the mentions inside it marked, the best with the given strength in [0, 1].

    `mentions` are in order and do not overlap.

    Example:
        >>> render_text("Is <b>Oslo</b> here?", 0, 10, [Mention(6, 10, "Oslo", 0.71)])
        'Is &lt;b&gt;<mark style="--strength:1.00">Oslo</mark>'
    """
    best = max((mention.score for mention in mentions), default=0.0)
    pieces, position = [], start
    for mention in mentions:
        if position <= mention.start and mention.end <= end:
            share = strength * (mention.score / best if best > 0 else 1.0)
            pieces.append(escape(text[position : mention.start]))
            pieces.append(f'<mark style="--strength:{_colour(share):.2f}">{escape(mention.text)}</mark>')
            position = mention.end
    return "".join([*pieces, escape(text[position:end])])


def _render_hit(hit: Hit, marks: Marks | None) -> str:
    mentions = remove_overlaps(hit.mentions)
    excerpts = _excerpts(hit.text, mentions)
    strength = 1.0 if hit.probability is None else hit.probability
    text = " … ".join(render_text(hit.text, start, end, mentions, strength) for start, end in excerpts)
    lead = "… " if excerpts[0][0] > 0 else ""
    ending = " …" if excerpts[-1][1] < len(hit.text) else ""
    why = hit.why() if hit.mentions or hit.shares else ""
    reason = f'<div class="why">{escape(why)}</div>' if why else ""
    mark = (marks or {}).get(hit.id)
    kind = "" if mark is None else ' class="right"' if mark else ' class="wrong"'
    label = escape(texts.COPY_LABEL.format(id=hit.id))
    buttons = "" if marks is None else _render_buttons(hit.id, mark)  # first, for the keyboard
    buttons += f'<button type="button" data-copy="" aria-label="{label}">{texts.COPY}</button>'
    about = f'{_render_chance(hit.probability)}<span class="id">{escape(hit.id)}</span>'
    return (
        f'<li{kind}><div class="about">{about}<span class="verdicts">{buttons}</span></div>{_render_source(hit)}'
        f'<div class="text" dir="auto">{lead}{text}{ending}</div>{reason}</li>'
    )


def _render_source(hit: Hit) -> str:
    """A line with title, date and link; nothing if there are none. Only a link to the web is shown, and one click away.

    The texts are isolated, so that characters which turn the writing direction reach no further.
    """
    title, date, _ = citation = cite(hit.metadata)
    name = f"<bdi>{escape(title or citation.address)}</bdi>" if title or citation.address else ""
    if citation.address:
        rel = 'target="_blank" rel="noopener noreferrer"'
        name = f'<a href="{escape(citation.address)}" {rel}>{name}</a>'
    facts = [name, f"<bdi>{escape(date)}</bdi>" if date else ""]
    line = " · ".join(filter(None, facts))
    return f'<div class="source">{line}</div>' if line else ""


def _render_chance(probability: float | None) -> str:
    """A bar, paler and shorter as the probability sinks, with the percentage beside it."""
    if probability is None:
        return ""
    style = f"--chance:{probability:.0%};--strength:{_colour(probability):.2f}"
    return (
        f'<span class="chance" title="{texts.CHANCE}"><i style="{style}" aria-hidden="true"></i>'
        f'<b>{100 * probability:.0f}\u00a0%</b><span class="unseen"> {texts.CHANCE}</span></span>'
    )


def _render_buttons(name: str, mark: bool | None) -> str:
    """Buttons that say right and wrong; the pressed one takes the mark back."""
    pieces = []
    for verdict, label in texts.VERDICTS.items():
        is_pressed = mark is verdict
        order = f"{'unmark' if is_pressed else label.lower()} {name}"
        pieces.append(
            f'<button type="button" data-order="{escape(order)}" aria-pressed="{str(is_pressed).lower()}" '
            f'aria-label="{escape(f"{label}: {name}")}">{label}</button>'
        )
    return "".join(pieces)


def _render_copy(sheet: Sheet) -> str:
    """The button that copies the ids of the whole answer, on a line each."""
    if not sheet.answer:
        return ""
    ids = escape("\n".join(hit.id for hit in sheet.answer))
    return f'<p class="copy"><button type="button" data-copy="{ids}">{texts.COPY_IDS}</button></p>'


def _render_marks(marks: Marks) -> str:
    """What was judged, and the button that forgets it."""
    if not marks:
        return ""
    right = sum(marks.values())
    text = texts.MARKS.format(right=right, wrong=len(marks) - right)
    button = f'<button type="button" data-order="{FORGET}">{texts.FORGET}</button>'
    return f'<p class="marks" role="status">{escape(text)} {button}</p>'


def _render_suggestions(sheet: Sheet) -> str:
    """The documents whose marks teach most, folded away."""
    if not sheet.suggestions:
        return ""
    hits = render_hits(sheet.suggestions, sheet.marks)
    return f'<details class="judge"><summary>{texts.JUDGE}</summary><p>{texts.JUDGE_HINT}</p>{hits}</details>'


def _colour(strength: float) -> float:
    """Strength of a colour that is still seen when it is weak."""
    return PALEST + (1 - PALEST) * min(max(strength, 0.0), 1.0)


def _excerpts(text: str, mentions: Iterable[Mention]) -> list[tuple[int, int]]:
    """The spans of a text to show: all of a short text, the surroundings of the best mentions of a longer one."""
    if len(text) <= SHORT_TEXT:
        return [(0, len(text))]
    best = sorted(mentions, key=lambda mention: -mention.score)[:MAX_EXCERPTS]
    excerpts: list[tuple[int, int]] = []
    for mention in sorted(best, key=lambda mention: mention.start):
        start, end = surroundings(text, mention.start, mention.end, CONTEXT)
        if excerpts and start <= excerpts[-1][1]:
            start = excerpts.pop()[0]
        excerpts.append((start, end))
    return excerpts or [(0, SHORT_TEXT)]
