"""What the app shows, as HTML: hits with their mentions marked, and messages. Every text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ..index.hits import Hit, Mention

WHOLE = 600  # characters of a document that is shown whole
AROUND = 150  # characters around a mention of a longer one
SHOWN = 5  # mentions of a longer one whose surroundings are shown


def show_hits(hits: Sequence[Hit]) -> str:
    """Hits as a list, best first."""
    return f'<ol class="hits">{"".join(map(_show_hit, hits))}</ol>'


def show_message(title: str, text: str = "", kind: str = "hint") -> str:
    """A message; `kind` is `"hint"`, `"found"`, `"busy"` or `"problem"`."""
    return f'<div class="message {kind}"><strong>{escape(title)}</strong> {escape(text)}</div>'


def show_text(text: str, start: int, end: int, mentions: Sequence[Mention]) -> str:
    """`text[start:end]` with those mentions marked that lie in it and do not overlap.

    Example:
        >>> show_text("Is <b>Oslo</b> here?", 0, 10, [Mention(6, 10, "Oslo", 0.71)])
        'Is &lt;b&gt;<mark title="cosine to the type: 0.71">Oslo <small>0.71</small></mark>'
    """
    shown, at = [], start
    for mention in mentions:
        if at <= mention.start and mention.end <= end:
            score = f"{mention.score:.2f}"
            shown.append(escape(text[at : mention.start]))
            shown.append(
                f'<mark title="cosine to the type: {score}">{escape(mention.text)} <small>{score}</small></mark>'
            )
            at = mention.end
    return "".join([*shown, escape(text[at:end])])


def _show_hit(hit: Hit) -> str:
    mentions = _apart(hit.mentions)
    pieces = [show_text(hit.text, start, end, mentions) for start, end in _pieces(hit.text, mentions)]
    more = " … " if len(hit.text) > WHOLE else ""
    return (
        f'<li><p class="about"><span class="score" title="score">{hit.score:.2f}</span> '
        f'<span class="id">{escape(hit.id)}</span></p>'
        f'<p class="text" dir="auto">{" … ".join(pieces)}{more}</p></li>'
    )


def _apart(mentions: Sequence[Mention]) -> list[Mention]:
    """Mentions in order of their start; of those that overlap the best."""
    kept: list[Mention] = []
    for mention in sorted(mentions, key=lambda mention: -mention.score):
        if all(mention.end <= other.start or other.end <= mention.start for other in kept):
            kept.append(mention)
    return sorted(kept, key=lambda mention: mention.start)


def _pieces(text: str, mentions: Sequence[Mention]) -> list[tuple[int, int]]:
    """The parts of a text that are shown: all of a short one, the best mentions' surroundings of a longer one."""
    if len(text) <= WHOLE:
        return [(0, len(text))]
    best = sorted(mentions, key=lambda mention: -mention.score)[:SHOWN]
    pieces: list[tuple[int, int]] = []
    for mention in sorted(best, key=lambda mention: mention.start):
        start, end = _widen(text, mention.start, mention.end)
        if pieces and start <= pieces[-1][1]:
            start = pieces.pop()[0]
        pieces.append((start, end))
    return pieces or [(0, WHOLE)]


def _widen(text: str, start: int, end: int) -> tuple[int, int]:
    """A mention with its surroundings, from word to word."""
    left, right = max(0, start - AROUND), min(len(text), end + AROUND)
    if left:
        left = text.find(" ", left, start) + 1 or left
    if right < len(text):
        right = max(text.rfind(" ", end, right), end)
    return left, right
