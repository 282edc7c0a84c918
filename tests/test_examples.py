"""The examples of README and of the documentation print what the pages say, to a reader who types them in order."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modeling_nerret.cli import main
from tests.pages import ROOT, Reader, blocks

pytestmark = pytest.mark.slow
TUTORIALS = sorted((ROOT / "docs/tutorials").glob("*.md"))
# Pages with such blocks, and what their libraries are
NEEDS = {"search-engineer": ("fastapi", "langchain_core"), "researcher": ("pandas", "evaluate", "matplotlib")}


@pytest.fixture(scope="module")
def demo_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `nerret index demo demo-index` makes, once for all pages."""
    folder = tmp_path_factory.mktemp("demo") / "demo-index"
    assert main(["index", "demo", str(folder)]) == 0
    return folder


@pytest.fixture
def reader(demo_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Reader:
    """A newcomer in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NERRET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    return Reader(capsys, demo_index)


def test_readme(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    for kind in ("python", "console"):
        assert any(block.kind == kind for block in blocks(page))
    reader.follow(page, kinds=("console", "python"))


@pytest.mark.parametrize("path", [ROOT / "docs/index.md", *TUTORIALS], ids=lambda path: path.stem)
def test_page(path: Path, reader: Reader) -> None:
    for library in NEEDS.get(path.stem, ()):
        pytest.importorskip(library)
    page = path.read_text(encoding="utf-8")
    if "| jq" in page and not shutil.which("jq"):
        pytest.skip("jq is not installed")
    assert {block.kind for block in blocks(page)} <= {"sh", "console", "python", "toml", "json", "text"}
    reader.follow(page)
