"""What a hit carries into another library besides its text: metadata, and under one key what nerret found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..index.hits import Hit
from ..index.retriever import EntityRetriever

KEY = "nerret"  # in metadata


def metadata_of(hit: Hit) -> dict[str, Any]:
    """The document's metadata and, under `nerret`, score, probability and mentions.

    Example:
        >>> from modeling_nerret import Mention
        >>> hit = Hit("a", 0.5, "Ada.", [Mention(0, 3, "Ada", 0.9)], {"year": 1843}, 0.75)
        >>> metadata_of(hit)["year"], metadata_of(hit)["nerret"]["mentions"]
        (1843, [{'start': 0, 'end': 3, 'text': 'Ada', 'score': 0.9}])
    """
    fields = hit.as_dict()
    return {**hit.metadata, KEY: {name: fields[name] for name in ("score", "probability", "mentions")}}


def open_index(index: str | Path | EntityRetriever) -> EntityRetriever:
    """An index by its folder, or one that is open.

    Raises:
        ValueError: the folder is no index; an empty one would be made, and every answer would be empty.
    """
    if isinstance(index, EntityRetriever):
        return index
    from ..index.folder import read_manifest

    read_manifest(index)
    return EntityRetriever(index)
