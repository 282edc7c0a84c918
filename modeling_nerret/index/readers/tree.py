"""The files that a command's inputs stand for: files, folders with all that is in them, and patterns."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from stat import S_ISLNK, S_ISREG
from typing import NamedTuple

from ..folder import has_index
from .corpus import BadLine, folder_digest
from .kinds import DATASET, KINDS, check_package, kind_name
from .patterns import Selection, is_pattern, split_pattern

HIDDEN = (".", "~$")  # begin the names of files that programs keep for themselves


class File(NamedTuple):
    """A file to be read, the name under which the inputs have it, and its kind."""

    path: Path
    name: str
    kind: str


class Tree:
    """All files of some inputs. Links inside folders are not followed; pipes and devices are not opened.

    Args:
        inputs: files, folders and patterns such as `docs/**/*.pdf`.
        include: patterns of which a file of a folder must match one, see `patterns.Selection`.
        exclude: patterns of files and folders that are left out.

    Attributes:
        files: those that can be read, those of a folder in order of their paths, each once.
        faults: what is there and cannot be read, with its reason.
        other_kinds: how many files of each other suffix were passed over.
        hidden_names: how many files and folders have a name that begins with a dot or with "~$".

    Raises:
        OSError: an input is not there, or nothing that can be read is in it.
        ImportError: the library that reads some of the files is not installed.
    """

    def __init__(self, inputs: Sequence[str], include: Sequence[str] = (), exclude: Sequence[str] = ()):
        self.files: list[File] = []
        self.faults: list[BadLine] = []
        self.other_kinds: Counter[str] = Counter()
        self.hidden_names = 0
        self._count = 0  # of what was chosen, whatever became of it
        self._paths: set[Path] = set()  # of what was met
        self._folders: dict[str, list[tuple[Path, Path, Selection]]] = {}  # by digest: folder, first folder, choice
        self._roots: list[tuple[Path, Selection]] = []
        for name in inputs:
            self._add(name, list(include), list(exclude))
        for kind, count in Counter(file.kind for file in self.files).items():
            if kind in KINDS:
                check_package(kind, count)
        if not self.files and not self.faults:
            raise OSError(self._emptiness(inputs))

    def is_gone(self, file: str, digest: str) -> bool:
        """Whether a file that earlier runs read in one of the folders, by the two parts of its ids, is there no more.

        Only files that the inputs would choose again count.
        """
        return any(
            _is_absent(folder / file) and selection.has((folder / file).relative_to(root).as_posix())
            for folder, root, selection in self._folders.get(digest, ())
        )

    def had(self, path: str, digest: str) -> bool:
        """Whether a file that is there no more lay below one of the folders, in a folder that is gone too.

        Args:
            path: as the document's metadata have it.
            digest: of its folder, as the document's id has it.
        """
        file = Path(path)
        return any(
            file.is_relative_to(root)
            and folder_digest(file.parent) == digest
            and _is_absent(file)
            and selection.has(file.relative_to(root).as_posix())
            for root, selection in self._roots
        )

    def has_digest(self, digest: str) -> bool:
        """Whether a folder of this digest is one of the folders that were looked through."""
        return digest in self._folders

    @property
    def has_folders(self) -> bool:
        """Whether an input was a folder or a pattern."""
        return bool(self._roots)

    def _add(self, name: str, include: list[str], exclude: list[str]) -> None:
        path = Path(name)
        if path.is_dir() and kind_name(path) != DATASET:
            self._walk(path.resolve(), name.rstrip("/") or "/", Selection(include, exclude))
        elif is_pattern(name) and not os.path.lexists(name):
            root, pattern = split_pattern(name)
            count = self._count
            if Path(root).is_dir():
                prefix = "" if root == "." else root
                self._walk(Path(root).resolve(), prefix, Selection([f"/{pattern}"], exclude))
            if self._count == count:
                raise OSError(f"no file matches {name!r}")
        elif os.path.lexists(path):
            self._list(path, name)
        else:
            raise OSError(f"no corpus at {name!r}: it is not there")

    def _walk(self, root: Path, name: str, selection: Selection) -> None:
        """List what is in a folder, and in its folders."""
        self._roots.append((root, selection))
        depth, stack = selection.depth(), [root]
        while stack:
            folder = stack.pop()
            self._folders.setdefault(folder_digest(folder), []).append((folder, root, selection))
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                self.faults.append(BadLine(_label(folder, root, name), f"the folder cannot be read ({error.strerror})"))
                continue
            folders: list[Path] = []
            for entry in entries:
                path = Path(entry.path)
                relative = path.relative_to(root).as_posix()
                if selection.excludes(relative):
                    continue
                if entry.name.startswith(HIDDEN):
                    self.hidden_names += self._is_new(path)
                elif entry.is_dir(follow_symlinks=False) and kind_name(path) != DATASET:
                    if not has_index(path) and (depth is None or relative.count("/") < depth):
                        folders.append(path)
                elif selection.has(relative):
                    self._list(path, _label(path, root, name), root)
            stack += reversed(folders)

    def _list(self, path: Path, name: str, root: Path | None = None) -> None:
        """Take up a file, or say why not; a link only if the user named it, not if it was met in the folder `root`."""
        self._count += 1
        mode = path.lstat().st_mode
        if S_ISLNK(mode) and root is not None:
            if fault := _link_fault(path, root):
                self.faults.append(BadLine(name, fault))
            return
        try:
            mode = path.stat().st_mode
        except OSError as error:
            self.faults.append(BadLine(name, f"it cannot be read ({error.strerror})"))
            return
        kind = kind_name(path)
        if kind != DATASET and not S_ISREG(mode):
            self.faults.append(BadLine(name, "it is no file but a pipe, a socket or a device"))
        elif not self._is_new(path.resolve()):
            return
        elif kind in KINDS or root is None:
            self.files.append(File(path, name, kind))
        else:
            self.other_kinds[kind or "without a suffix"] += 1

    def _is_new(self, path: Path) -> bool:
        """Whether a path was not met before, in another input."""
        size = len(self._paths)
        self._paths.add(path)
        return len(self._paths) > size

    def _emptiness(self, inputs: Sequence[str]) -> str:
        names = ", ".join(inputs)
        count = sum(self.other_kinds.values())
        reason = f"all {count} files are of other kinds ({counts(self.other_kinds)})" if count else "it is empty"
        return f"no text in {names}: {reason}; accepted are {', '.join(KINDS)}"


def counts(numbers: Counter[str]) -> str:
    """Numbers of files by suffix, in words, the largest first.

    Example:
        >>> counts(Counter({".py": 1, ".png": 3}))
        '3 .png, 1 .py'
    """
    return ", ".join(
        f"{count} {suffix}" for suffix, count in sorted(numbers.items(), key=lambda pair: (-pair[1], pair))
    )


def _label(path: Path, root: Path, name: str) -> str:
    """What messages call a file: the input, and the path from there on."""
    return os.path.join(name, path.relative_to(root)) if path != root else name  # noqa: PTH118


def _link_fault(path: Path, root: Path) -> str:
    """Why what a link leads to is not read; nothing to say if it lies in the folder, and so is read by itself."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a loop
        return "it is a link that leads nowhere, or in a circle"
    if target == root or root in target.parents:
        return ""
    return "it is a link out of the folder; to read what it leads to, name that as an input"


def _is_absent(path: Path) -> bool:
    """Whether nothing is at a path; not so if that cannot be known."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
