"""JSON files with something for each of several sets: which types are no queries, and which are subtypes of others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OWN_SUBTYPES = Path(__file__).parent / "subtypes.json"
Subtypes = Mapping[str, list[str]]  # plain name of a type -> plain names of its subtypes


def read_json(path: Path) -> Any:
    """What a JSON file of the user holds.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not UTF-8, or not JSON
        raise ValueError(f"{path} is not JSON ({error})") from None


def read_exclusion(path: Path | None, corpus: str) -> str | None:
    """The regular expression that a file of `{"set": "regular expression"}` has for a corpus; `None`: it has none.

    Raises:
        OSError: the file cannot be read.
        ValueError: it has another form.
    """
    if path is None:
        return None
    sets = read_json(path)
    if not isinstance(sets, dict) or not all(isinstance(pattern, str) for pattern in sets.values()):
        raise ValueError(f'--exclude-file {path} must be {{"set": "regular expression", ...}}')
    for name, pattern in sets.items():
        try:
            re.compile(pattern)
        except re.error as error:
            fault = f"{pattern!r} of the set {name!r} is not a regular expression: {error}"
            raise ValueError(f"--exclude-file {path}: {fault}") from None
    return sets.get(corpus)


def read_subtypes(path: Path | None, corpus: str) -> Subtypes:
    """The subtypes that a file of `{"set": {"type": ["subtype", ...]}}` has for a corpus; empty if it has none.

    Args:
        path: the file; `None`: this project's own, which knows CrossNER.
        corpus: name of the corpus.

    Raises:
        OSError: the file cannot be read.
        ValueError: it has another form.
    """
    sets = read_json(path or OWN_SUBTYPES)
    if not isinstance(sets, dict) or not all(map(_is_graph, sets.values())):
        raise ValueError(f'--subtypes {path} must be {{"set": {{"type": ["subtype", ...], ...}}, ...}}')
    return sets.get(corpus, {})


def _is_graph(graph: Any) -> bool:
    return isinstance(graph, dict) and all(
        isinstance(names, list) and all(isinstance(name, str) for name in names) for names in graph.values()
    )


def descendants(subtypes: Subtypes, type_: str) -> set[str]:
    """All types below a type, whatever circles the graph has.

    Example:
        >>> sorted(descendants({"person": ["writer", "artist"], "writer": ["poet"]}, "person"))
        ['artist', 'poet', 'writer']
    """
    names: set[str] = set()
    rest = [*subtypes.get(type_, ())]
    while rest:
        name = rest.pop()
        if name not in names:
            names.add(name)
            rest += subtypes.get(name, ())
    return names - {type_}
