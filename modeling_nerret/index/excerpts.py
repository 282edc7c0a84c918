"""Excerpts: what of a long text is shown around a mention."""

from __future__ import annotations


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
