"""The index folders of a command line, by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..index.folder import as_path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def read_paths(arguments: Sequence[str]) -> dict[str, Path]:
    """Folders of indexes by name, from a command line: `FOLDER`, whose name is the index's, or `NAME=FOLDER`.

    Raises:
        ValueError: a name cannot stand in an address, or two indexes have the same one.

    Example:
        >>> list(read_paths(["news=indexes/2026", "indexes/letters"]))
        ['news', 'letters']
    """
    paths: dict[str, Path] = {}
    for argument in arguments:
        name, sign, folder = argument.partition("=")
        path = as_path(folder if sign else argument)
        name = name if sign else path.name
        if not NAME.fullmatch(name):
            raise ValueError(
                f"{name!r:.80} is no name for an index: it has up to 64 of the letters A to Z, digits and . _ -; give "
                f"it one: NAME={folder if sign else argument}"
            )
        if name in paths:
            raise ValueError(f"two indexes are called {name!r}; give one of them another name: NAME={path}")
        paths[name] = path
    return paths
