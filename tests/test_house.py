"""The house: imports run one way, and what the documents list is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lint_names import is_refused

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "modeling_nerret"
WORKSHOPS = ("training", "eval", "hub_card")
# What commands of the workshops share with those of the command line
SHARED = ("modeling_nerret.cli.arguments", "modeling_nerret.cli.progress")
# What a room may import besides itself and the root
ROOMS = {
    "": (),
    "backends": (),
    "detectors": (),
    "pretrained": ("backends",),
    "index": ("backends", "pretrained"),
    "demo": (),
    "app": ("demo", "index", "pretrained"),
    "bridges": ("index", "pretrained"),
    "serve": ("app", "index", "pretrained"),
    "cli": ("app", "backends", "bridges", "demo", "detectors", "index", "pretrained", "serve"),
}


def _imports(path: Path, folder: Path) -> Iterator[str]:
    """Names, dotted and from `folder` on, of all that a file imports of the project."""
    package = path.relative_to(folder).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            yield ".".join([*base, node.module or ""]).strip(".")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("modeling_nerret"):
            yield node.module or ""


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room: str) -> None:
    rooms = {room, *ROOMS[room]}
    for path in (PACKAGE / room).glob("**/*.py" if room else "*.py"):
        if path.name in ("__init__.py", "__main__.py") and not room:
            continue  # public names of all rooms
        for name in _imports(path, PACKAGE):
            top = name.partition(".")[0]
            assert top not in WORKSHOPS and not name.startswith("modeling_nerret."), f"{path} imports {name}"
            assert not top or top not in ROOMS or top in rooms, f"{path} imports {name}"


@pytest.mark.parametrize("workshop", WORKSHOPS)
def test_workshops_import_their_own_files_relatively_and_the_package_by_name(workshop: str) -> None:
    for path in (ROOT / workshop).rglob("*.py"):
        for name in _imports(path, ROOT):
            assert name.split(".")[0] in (workshop, "modeling_nerret"), f"{path} imports {name}"
            assert not name.startswith(f"modeling_nerret.{workshop}."), f"{path}: import {name} relatively"
            assert name in SHARED or not name.startswith("modeling_nerret.cli"), f"{path} imports the command line"


def test_names_that_are_no_nouns_are_refused() -> None:
    names = ("found", "_own", "at", "encoded", "mention", "wording", "known_types", "embedding", "__all__")
    assert [name for name in names if is_refused(name)] == ["found", "_own", "at", "encoded"]


def test_one_place_says_how_an_extra_is_installed() -> None:
    files = [path for folder in ("modeling_nerret", *WORKSHOPS) for path in (ROOT / folder).rglob("*.py")]
    lines = [path.name for path in files if re.search(r"pip install '(nerret|\.)\[", path.read_text(encoding="utf-8"))]
    assert set(lines) == {"extras.py"}
