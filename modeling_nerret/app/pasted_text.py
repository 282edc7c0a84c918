"""Split the text that a visitor pastes into documents."""

from __future__ import annotations

import re

from ..documents import Document
from .limits import MAX_DOCUMENTS, MAX_PASTED


def split_documents(text: str) -> list[Document]:
    r"""Split a text into its paragraphs, or into its lines if it has no blank line.

    Raises:
        ValueError: the text is empty, or longer than the app accepts.

    Example:
        >>> [document.text for document in split_documents("Oslo in May.\nRain.\n\nBergen.")]
        ['Oslo in May.\nRain.', 'Bergen.']
    """
    if len(text) > MAX_PASTED:
        raise ValueError(
            f"the text has {len(text):,} characters; the box takes at most {MAX_PASTED:,}. To search more, add a file"
        )
    lines = "\n".join(text.splitlines()).strip()
    parts = [part.strip() for part in re.split(r"\n\s*\n", lines)]
    kind = "paragraph"
    if len(parts) == 1:
        parts, kind = [line.strip() for line in lines.split("\n")], "line"
    if len(parts) > MAX_DOCUMENTS:
        raise ValueError(
            f"the text has {len(parts):,} documents, each a {kind}; this page takes at most {MAX_DOCUMENTS:,}"
        )
    if not parts[0]:
        raise ValueError("there is no text to search; paste some, add files, or choose the demo corpus")
    return [Document.from_dict({"id": f"{kind} {number}", "text": part}) for number, part in enumerate(parts, 1)]
