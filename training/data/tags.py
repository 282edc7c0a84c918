"""BIO, BIOES and IO tags of tokens, and the mentions that they mark."""

from __future__ import annotations

from collections.abc import Sequence

OUTSIDE = "O"
PREFIXES = frozenset("BIESLU")  # of tags: begin, inside, end (or last), single (or unit)


def is_tag(tag: str) -> bool:
    """Whether a tag is `O` or has a prefix such as `B-`; others are bare labels.

    Example:
        >>> is_tag("B-PER"), is_tag("O"), is_tag("person")
        (True, True, False)
    """
    return tag == OUTSIDE or (len(tag) > 2 and tag[0] in PREFIXES and tag[1] in "-_")


def tag_spans(tags: Sequence[str], bare: bool = False) -> list[tuple[int, int, str]]:
    """First token, last token + 1 and label of each mention of a sentence.

    An I- or E- without a mention before it begins a mention, as in older files.

    Args:
        tags: the sentence's tags.
        bare: whether they are labels without prefixes; neighbours of the same label are then one mention.

    Example:
        >>> tag_spans(["B-PER", "I-PER", "O", "S-LOC", "I-ORG", "B-ORG"])
        [(0, 2, 'PER'), (3, 4, 'LOC'), (4, 5, 'ORG'), (5, 6, 'ORG')]
        >>> tag_spans(["person", "person", "O"], bare=True)
        [(0, 2, 'person')]
    """
    spans: list[tuple[int, int, str]] = []
    is_open = False  # whether the last mention may go on
    for position, tag in enumerate(tags):
        if tag == OUTSIDE:
            is_open = False
            continue
        prefix, label = ("I", tag) if bare else (tag[0], tag[2:])
        if is_open and prefix in "IEL" and spans[-1][2] == label:
            spans[-1] = (spans[-1][0], position + 1, label)
        else:
            spans.append((position, position + 1, label))
        is_open = prefix in "BI"
    return spans


def token_starts(tokens: Sequence[str]) -> list[int]:
    """Where each token starts in the tokens' text, joined by single spaces; and where one more would start.

    Example:
        >>> token_starts(["Ada", "met", "Bob"])
        [0, 4, 8, 12]
    """
    starts = [0]
    for token in tokens:
        starts.append(starts[-1] + len(token) + 1)
    return starts
