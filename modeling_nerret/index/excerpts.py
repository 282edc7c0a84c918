"""Excerpts: what of a long text is shown around a mention."""

from __future__ import annotations

from .hits import Hit, remove_overlaps
from .plain_text import one_line

AROUND = 100  # characters of context on either side of the best mention


def surroundings(text: str, start: int, end: int, characters: int) -> tuple[int, int]:
    """Where an excerpt around `text[start:end]` begins and ends: at most so many characters more on either side.

    It is cut between words if there are spaces to cut at.

    Example:
        >>> text = "Every summer the rocks of Montana give up another Triceratops."
        >>> left, right = surroundings(text, 26, 33, 12)
        >>> text[left:right]
        'rocks of Montana give up'
        >>> surroundings("大宮駅のエミー・ネーターは数学者であり続けた", 4, 13, 3)
        (1, 16)
    """
    left, right = max(0, start - characters), min(len(text), end + characters)
    if left:
        left = text.find(" ", left, start) + 1 or left
    if right < len(text) and (space := text.rfind(" ", end, right)) >= 0:
        right = space
    return left, right


def excerpt_parts(hit: Hit) -> list[tuple[str, bool]]:
    """The surroundings of the hit's best mention on one line: parts, each with whether it is a mention that matches.

    Of mentions inside each other only the best is a part.
    """
    best = hit.best
    left, right = surroundings(hit.text, *((best.start, best.end) if best else (0, 0)), AROUND)
    parts, position = [("… " if left else "", False)], left
    for mention in remove_overlaps(hit.mentions):
        if left <= mention.start and mention.end <= right:
            parts += [(one_line(hit.text[position : mention.start]), False), (one_line(mention.text), True)]
            position = mention.end
    return [*parts, (one_line(hit.text[position:right]), False), (" …" if right < len(hit.text) else "", False)]


def plain_excerpt(hit: Hit) -> str:
    """As `excerpt_parts`, with the mentions in [brackets].

    Example:
        >>> from modeling_nerret import Hit, Mention
        >>> plain_excerpt(Hit("a", 0.5, "Oslo in May", [Mention(0, 4, "Oslo", 0.5)]))
        '[Oslo] in May'
    """
    return "".join(f"[{text}]" if is_mention else text for text, is_mention in excerpt_parts(hit))
