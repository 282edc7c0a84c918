"""README, CONTRIBUTING and CHANGELOG describe what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from modeling_nerret import __version__
from modeling_nerret.cli import COMMANDS
from tests.pages import blocks

ROOT = Path(__file__).parent.parent
README, CONTRIBUTING, CHANGELOG = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
)
ADDRESS = re.compile(
    r"https://(?:raw\.githubusercontent\.com/nerret/nerret|github\.com/nerret/nerret/blob)/main/([^)#\s]+)"
)


def test_every_code_block_is_of_a_kind_that_is_run() -> None:
    kinds = [block.kind for block in blocks(README)]
    assert set(kinds) == {"sh", "console", "python", "text"}
    assert kinds.count("sh") == 1  # sets up an environment, which a test cannot do offline


def test_readme_leads_a_newcomer() -> None:
    lines = README.splitlines()
    assert len(lines) <= 150
    assert any(line.startswith(">>>") for line in lines[:30]) and "activate" in "\n".join(lines[:10])
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    prose = re.sub(r"^(?:\||    |#).*$", "", prose, flags=re.MULTILINE)
    prose = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", prose)
    sentences = [sentence.split() for sentence in re.split(r"(?<=[.!?:])\s+|\n\n|\n- ", prose) if sentence.strip()]
    assert sum(map(len, sentences)) / len(sentences) <= 20


def test_links_lead_to_files_that_are_there() -> None:
    assert not re.findall(r"\]\((?!https?://)[^)]*\)", README), "PyPI shows README: its links must be absolute"
    for path in ADDRESS.findall(README):
        assert (ROOT / path).exists(), path
    for document in [ROOT / "training/RESULTS.md", ROOT / "hub_card/README.md"]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document}: {target}"


def test_contributing_lists_what_is_there() -> None:
    table = CONTRIBUTING[CONTRIBUTING.index("## Where things are") : CONTRIBUTING.index("## Style")]
    paths = [path for path in re.findall(r"`([^`\s]+)`", table) if "/" in path and path != "make"]
    for path in paths:
        assert (ROOT / path).exists(), path
    rooms = [path for path in (ROOT / "modeling_nerret").iterdir() if path.name != "__pycache__"]
    workshops = [path for name in ("training", "eval", "hub_card") for path in (ROOT / name).iterdir() if path.is_dir()]
    for room in [*rooms, *workshops]:
        name = room.relative_to(ROOT).as_posix() + ("/" if room.is_dir() else "")
        is_listed = any(name.startswith(path) or path.startswith(name) for path in paths)
        assert is_listed or room.name in ("__init__.py", "py.typed", "__pycache__", "examples"), f"{name} is not listed"


def test_contributing_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, flags=re.MULTILINE))
    assert set(re.findall(r"^make ([a-z-]+)", CONTRIBUTING, flags=re.MULTILINE)) == targets
    assert (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()[-1] == "exec make test"
    assert "`make test`" in README


def test_the_version_is_that_of_the_changelog_and_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert re.findall(r"^## \[([0-9.]+)\]", CHANGELOG, flags=re.MULTILINE)[0] == __version__ == project["version"]


def test_every_command_is_in_the_documentation() -> None:
    text = README + "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    assert all(f"nerret {name}" in text or name in ("models",) for name in COMMANDS)


def test_documentation_lists_every_recipe() -> None:
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    table = text[text.index("| recipe |") :]
    recipes = {path.stem for path in (ROOT / "training/recipes").glob("*.toml")}
    assert all(f"`{name}`" in table for name in recipes)
