"""Names of systems on the command line."""

from __future__ import annotations

from pathlib import Path

FORMS = (
    "CHECKPOINT[@hybrid|@vector|@document|@lexical] (built-in name, folder or Hub id), bm25, random, "
    "st:MODEL[@instruct], bare:BACKBONE@LAYER[@end|@mean], last:BACKBONE, gliner:MODEL"
)
PREFIXES = ("st", "bare", "last", "gliner")


def split_names(text: str) -> list[str]:
    """The names in a list separated by commas.

    Raises:
        ValueError: the list is empty, or a name has an unknown form.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ValueError(f"--systems is empty; it takes these names, separated by commas: {FORMS}")
    for name in names:
        parse_name(name)
    return names


def parse_name(name: str) -> tuple[str, str]:
    """Kind and model of a system.

    Raises:
        ValueError: an unknown form; the message lists the known ones.

    Example:
        >>> parse_name("bare:google-bert/bert-base-uncased@7"), parse_name("bm25"), parse_name("nerret-minilm@vector")
        (('bare', 'google-bert/bert-base-uncased@7'), ('bm25', ''), ('checkpoint', 'nerret-minilm@vector'))
    """
    if name in ("bm25", "random"):
        return name, ""
    kind, colon, model = name.partition(":")
    if kind in PREFIXES and model:
        return kind, model
    if colon and not Path(name).exists():
        raise ValueError(f"unknown system {name!r}; the known forms are {FORMS}")
    return "checkpoint", name
