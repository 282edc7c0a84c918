"""Excerpts: what of a long text is shown around a mention."""

from __future__ import annotations


def surroundings(text: str, start: int, end: int, characters: int) -> tuple[int, int]:
    """Where an excerpt around `text[start:end]` begins and ends: at most so many characters more on either side.

    It is cut between words where that leaves the mention whole.

    Example:
        >>> text = "Every summer the rocks of Montana give up another Triceratops."
        >>> left, right = surroundings(text, 26, 33, 12)
        >>> text[left:right]
        'rocks of Montana give up'
    """
    left, right = max(0, start - characters), min(len(text), end + characters)
    if left:
        left = text.find(" ", left, start) + 1 or left
    if right < len(text):
        right = max(text.rfind(" ", end, right), end)
    return left, right
