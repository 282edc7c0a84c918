"""An encyclopaedia's extracts in parts of a few sentences each: what readers labelled for the set `mentions`."""

from __future__ import annotations

import re

MOST_WORDS = 60  # of a part, unless a sentence is longer
_BETWEEN_SENTENCES = re.compile(r"(?<=[a-z0-9)”\"][.!?])\s+(?=[A-Z“\"])")


def parts(text: str) -> list[str]:
    """A text in parts of whole sentences.

    Example:
        >>> sentence = "There are ten words in this sentence, so it's short. "
        >>> [len(part.split()) for part in parts(8 * sentence)]
        [60, 20]
    """
    begin, end, pieces = 0, 0, []
    for edge in [*(match.end() for match in _BETWEEN_SENTENCES.finditer(text)), len(text)]:
        if end > begin and len(text[begin:edge].split()) > MOST_WORDS:
            pieces.append(text[begin:end].rstrip())
            begin = end
        end = edge
    return [*pieces, text[begin:].rstrip()]
