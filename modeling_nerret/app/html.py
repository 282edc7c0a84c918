"""Hits and messages as HTML. Every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..index.excerpts import surroundings
from ..index.hits import Hit, Mention, remove_overlaps

SHORT_TEXT = 600  # characters up to which a whole document is shown
CONTEXT = 150  # characters of a longer document on each side of a mention
MAX_EXCERPTS = 5  # of a longer document


def render_hits(hits: Sequence[Hit]) -> str:
    """Hits as a list, best first."""
    return f'<ol class="hits">{"".join(map(_render_hit, hits))}</ol>'


def render_message(title: str, text: str = "", kind: str = "hint") -> str:
    """A message of a kind: `"hint"`, `"result"`, `"busy"` or `"problem"`."""
    return f'<div class="message {kind}"><strong>{escape(title)}</strong> {escape(text)}</div>'


def render_text(text: str, start: int, end: int, mentions: Sequence[Mention]) -> str:
    """`text[start:end]` with the mentions inside it marked; `mentions` are in order and do not overlap.

    Example:
        >>> render_text("Is <b>Oslo</b> here?", 0, 10, [Mention(6, 10, "Oslo", 0.71)])
        'Is &lt;b&gt;<mark title="score of the mention: 0.71">Oslo <small>0.71</small></mark>'
    """
    pieces, position = [], start
    for mention in mentions:
        if position <= mention.start and mention.end <= end:
            score = f"{mention.score:.2f}"
            pieces.append(escape(text[position : mention.start]))
            pieces.append(
                f'<mark title="score of the mention: {score}">{escape(mention.text)} <small>{score}</small></mark>'
            )
            position = mention.end
    return "".join([*pieces, escape(text[position:end])])


def _render_hit(hit: Hit) -> str:
    mentions = remove_overlaps(hit.mentions)
    excerpts = _excerpts(hit.text, mentions)
    text = " … ".join(render_text(hit.text, start, end, mentions) for start, end in excerpts)
    lead = "… " if excerpts[0][0] > 0 else ""
    ending = " …" if excerpts[-1][1] < len(hit.text) else ""
    return (
        f'<li><p class="about"><span class="score" title="score">{hit.score:.2f}</span> '
        f'<span class="id">{escape(hit.id)}</span></p>'
        f'<p class="text" dir="auto">{lead}{text}{ending}</p></li>'
    )


def _excerpts(text: str, mentions: Sequence[Mention]) -> list[tuple[int, int]]:
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
