"""Types files: what the labels of a corpus are called, and how each type is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .set_files import Subtypes, read_json

# Rest classes, by label or plain name. Few-NERD's coarse class "other-" (award, disease, ...) is not one of them
EXCLUDED = "-other$|^other(?!-)|^misc"
WORDINGS = ("name", "definition", "examples")
TypeNames = Mapping[str, Any]  # label -> plain name, or {"name", "definition", "examples"}


@dataclass(frozen=True)
class QuerySettings:
    """Which types of a corpus become queries, and in what words.

    Args:
        names: plain names by label, in the order in which types are reported. Labels with the same name are one type;
            labels without a name are not queries. `None`: each label is its own name.
        exclude: regular expression, any case; types whose label or plain name matches it are not queries.
        wording: ask with the `"name"`, the `"definition"` or the `"examples"` of a type.
        least_documents: types that fewer documents mention are not queries.
        subtypes: plain names of the types below a type, whose documents a lenient score counts as right.
        seen_names: names that were trained on, see `read_seen_names`; `None`: nobody asks.
    """

    names: TypeNames | None = None
    exclude: str = EXCLUDED
    wording: str = "name"
    least_documents: int = 1
    subtypes: Subtypes = field(default_factory=dict)
    seen_names: frozenset[str] | None = None


def read_types_file(path: Path | None, key: str | None, corpus: str = "") -> TypeNames | None:
    """Plain names by label, from a JSON file.

    Args:
        path: the file; `None`: there are no plain names.
        key: the set to read from a file with several sets; `None`: the set named after the corpus.
        corpus: name of the corpus.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not JSON of that form, or has no such set.
    """
    if path is None:
        return None
    names = read_json(path)
    if not isinstance(names, dict) or not names:
        raise ValueError(f'{path} must be {{"label": "plain name", ...}} or {{"set": {{"label": "plain name"}}}}')
    nested = all(isinstance(entry, dict) and "name" not in entry for entry in names.values())
    if key is None and not nested:
        return _checked(names, f"{path}")
    key = key or corpus
    if key not in names or not nested:
        sets = f"it has the sets {', '.join(names)}; choose one with --types-key" if nested else "it has only one set"
        raise ValueError(f"{path} has no set {key!r}; {sets}")
    return _checked(names[key], f"{path}, set {key!r},")


def _checked(names: dict[str, Any], place: str) -> TypeNames:
    for label, entry in names.items():
        name = entry.get("name") if isinstance(entry, dict) else entry
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f'{place} has {entry!r:.60} for {label!r}; write "plain name" or {{"name": "plain name"}}')
    return names


def type_queries(names: TypeNames, settings: QuerySettings) -> dict[str, str]:
    """The query for each type, by plain name.

    Raises:
        ValueError: `exclude` is not a regular expression, or a type lacks the wording.

    Example:
        >>> type_queries({"loc": "place", "misc": "other thing"}, QuerySettings())
        {'place': 'place'}
    """
    try:
        exclusion = re.compile(settings.exclude, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"--exclude {settings.exclude!r} is not a regular expression: {error}") from None
    queries: dict[str, str] = {}
    for label, entry in names.items():
        name = plain_name(entry)
        if settings.exclude and (exclusion.search(label) or exclusion.search(name)):
            continue
        queries.setdefault(name, _query(label, entry, settings.wording))
    return queries


def plain_name(entry: Any) -> str:
    """The plain name in an entry of a types file."""
    return entry if isinstance(entry, str) else entry["name"]


def _query(label: str, entry: Any, wording: str) -> str:
    if wording == "name":
        return plain_name(entry)
    words = entry.get(wording) if isinstance(entry, Mapping) else None
    if not words:
        raise ValueError(
            f"the type {label!r} has no {wording}; write in the types file: "
            f'{{"{label}": {{"name": ..., "definition": "...", "examples": ["...", "..."]}}}}'
        )
    return words if isinstance(words, str) else ", ".join(words)
