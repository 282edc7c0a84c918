"""Patterns that choose files, as shells and .gitignore have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_WILD = re.compile(r"[*?\[]")


def is_pattern(text: str) -> bool:
    """Whether a text has a character that stands for others."""
    return _WILD.search(text) is not None


def split_pattern(text: str) -> tuple[str, str]:
    """The folder in which a pattern begins, and the rest of the pattern.

    Example:
        >>> split_pattern("docs/2020/**/*.pdf"), split_pattern("*.md"), split_pattern("/data/[ab]/x")
        (('docs/2020', '**/*.pdf'), ('.', '*.md'), ('/data', '[ab]/x'))
    """
    parts = Path(text).parts
    place = next(number for number, part in enumerate(parts) if is_pattern(part))
    return str(Path(*parts[:place])), "/".join(parts[place:])


class Selection(NamedTuple):
    """Which files of a folder are read.

    Args:
        include: patterns of which a file must match one, unless there are none.
        exclude: patterns of files and folders that are left out.

    A pattern without a slash is matched with a name, in whatever folder; another one with the path from the folder on,
    where `**` stands for any number of folders.

    Example:
        >>> selection = Selection(["*.md", "a/**/x.txt"], ["drafts"])
        >>> [selection.has(path) for path in ("b/c.md", "a/x.txt", "a/b/c/x.txt", "x.txt", "drafts/c.md")]
        [True, True, True, False, False]
    """

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def has(self, path: str) -> bool:
        """Whether the file at this path from the folder on is chosen."""
        parts = path.split("/")
        folders = ("/".join(parts[:length]) for length in range(1, len(parts) + 1))
        if any(self.excludes(folder) for folder in folders):
            return False
        return not self.include or any(matches(path, pattern) for pattern in self.include)

    def excludes(self, path: str) -> bool:
        """Whether the file or folder at this path is left out."""
        return any(matches(path, pattern) for pattern in self.exclude)

    def depth(self) -> int | None:
        """Most folders below the first in which a file can be chosen; `None` if there is no limit."""
        if not self.include or any("**" in pattern or "/" not in pattern for pattern in self.include):
            return None
        return max(pattern.strip("/").count("/") for pattern in self.include)


def matches(path: str, pattern: str) -> bool:
    """Whether a pattern stands for a path, see `Selection`."""
    pattern = pattern.removeprefix("./").rstrip("/")
    if "/" not in pattern:
        path = path.rpartition("/")[2]
    return re.fullmatch(_expression(pattern.lstrip("/")), path, re.DOTALL) is not None


def _expression(pattern: str) -> str:
    """A pattern as a regular expression."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        rest = pattern[position:]
        bracket = re.match(r"\[(!?)(\]?[^\]/]*)\]", rest)
        if rest.startswith("**/"):
            parts.append("(?:[^/]+/)*")
            position += 3
        elif rest.startswith("**"):
            parts.append(".*")
            position += 2
        elif bracket and bracket[2]:
            parts.append(_class(bracket[2], bool(bracket[1])))
            position += bracket.end()
        else:
            parts.append({"*": "[^/]*", "?": "[^/]"}.get(rest[0], re.escape(rest[0])))
            position += 1
    return "".join(parts)


def _class(content: str, is_negative: bool) -> str:
    """The characters between brackets as a regular expression; a range that runs backwards stands for nothing."""
    content = re.sub(r"([\\\[\]^&~|])", r"\\\1", content)
    expression = f"[{'^/' if is_negative else ''}{content}]"
    try:
        re.compile(expression)
    except re.error:
        return "(?!)"
    return expression
