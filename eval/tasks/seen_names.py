"""Names of types that a checkpoint was trained on, to tell the types that it knew from those that it did not."""

from __future__ import annotations

from pathlib import Path

from modeling_nerret.training.data.broad_types import broad_types
from modeling_nerret.training.data.corpus import read_corpus_types
from modeling_nerret.training.data.open_sets import frequent_labels


def read_seen_names(path: Path | None = None) -> frozenset[str]:
    """Names in the form of `comparable`.

    Args:
        path: a text file, a name a line; `None`: the names of types on which this project's own texts train: wordings
            and broad types of the corpus, and the open types that are frequent enough.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no UTF-8 text, or has no name.
    """
    if path is None:
        return _own_names()
    try:
        names = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"--seen {path} is not UTF-8 text ({error.reason} at byte {error.start})") from None
    seen_names = frozenset(map(comparable, names)) - {""}
    if not seen_names:
        raise ValueError(f"--seen {path} has no name; write the names of types that were trained on, one a line")
    return seen_names


def comparable(name: str) -> str:
    """A name without differences of case and white space.

    Example:
        >>> comparable("  Body of\tWater ")
        'body of water'
    """
    return " ".join(name.casefold().split())


def _own_names() -> frozenset[str]:
    wordings = {name: entry.wordings for name, entry in read_corpus_types().items()}
    names = [wording for phrases in wordings.values() for wording in phrases]
    names += broad_types(wordings)
    names += frequent_labels()
    return frozenset(map(comparable, names))
