"""The package's files that travel with a checkpoint, so that it runs where the package is not installed."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import modeling_nerret

PACKAGE = Path(modeling_nerret.__file__).parent
# Classes that are loaded by name from a repository: `<file>.<class>`
AUTO_MAP = {"AutoConfig": "configuration_nerret.NerretConfig", "AutoModel": "modeling_nerret.NerretModel"}
MODULE = "st_nerret.NerretTransformer"
ENTRIES = ("modeling_nerret", "st_nerret", "encoding")  # the last for handler.py


def copy_sources(folder: Path) -> None:
    """Copy what the entries need, flat, as the Hub's loaders want it."""
    for name in needed_files():
        shutil.copyfile(PACKAGE / f"{name}.py", folder / f"{name}.py")


def needed_files() -> list[str]:
    """Names of the entries and of all files that they import, one through another.

    Raises:
        ValueError: a file imports a sibling in a form that the Hub's loaders do not follow.

    Example:
        >>> {"modeling_nerret", "st_nerret", "windows"} <= set(needed_files()), "retriever" in needed_files()
        (True, False)
    """
    waiting, found = list(ENTRIES), set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _siblings(PACKAGE / f"{name}.py")
    return sorted(found)


def _siblings(path: Path) -> list[str]:
    """Names in a file's `from .name import ...`."""
    siblings = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            if node.level > 1 or not node.module or "." in node.module:
                raise ValueError(f"{path.name}, line {node.lineno}: write the import as 'from .file import Name'")
            siblings.append(node.module)
    return siblings
