"""Split the text that a visitor pastes into documents."""

from __future__ import annotations

import re

from ..documents import Document

MAX_CHARACTERS, MAX_DOCUMENTS = 50_000, 500  # a few seconds of work


def split_documents(text: str) -> list[Document]:
    r"""Split a text into its paragraphs, or into its lines if it has no blank line.

    Raises:
        ValueError: the text is empty, or longer than the app accepts.

    Example:
        >>> [document.text for document in split_documents("Oslo in May.\nRain.\n\nBergen.")]
        ['Oslo in May.\nRain.', 'Bergen.']
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(
            f"the text has {len(text):,} characters; this page takes at most {MAX_CHARACTERS:,}. "
            "To search more, index a file with the command nerret index and open the index with nerret app"
        )
    lines = "\n".join(text.splitlines()).strip()
    parts = [part.strip() for part in re.split(r"\n\s*\n", lines)]
    kind = "paragraph"
    if len(parts) == 1:
        parts, kind = [line.strip() for line in lines.split("\n")], "line"
    if len(parts) > MAX_DOCUMENTS:
        raise ValueError(
            f"the text has {len(parts):,} documents, each a {kind}; this page takes at most {MAX_DOCUMENTS}"
        )
    if not parts[0]:
        raise ValueError("there is no text to search; paste some into the box, or choose the demo corpus")
    return [Document.from_dict({"id": f"{kind} {number}", "text": part}) for number, part in enumerate(parts, 1)]
