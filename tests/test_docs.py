"""The pages of docs/: their links, the site's navigation, and the command lines that they show."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import modeling_nerret
from tests.pages import ROOT, blocks, check_command_line, console_commands

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
SITE = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
HERE = "https://github.com/nerret/nerret/blob/main/"
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _text(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", _text(page), flags=re.MULTILINE)
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


def _navigation(entries: list) -> Iterator[str]:
    for entry in entries:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else _navigation(value)


def test_every_page_is_in_the_navigation_once() -> None:
    assert sorted(_navigation(SITE["nav"])) == sorted(page.relative_to(DOCS).as_posix() for page in PAGES)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(_text(page)):
        address, _, anchor = link.partition("#")
        if link.startswith("http") and not link.startswith(HERE):
            continue
        target = ROOT / address.removeprefix(HERE) if link.startswith(HERE) else (page.parent / address).resolve()
        target = page if not address else target
        if target.suffix == ".ipynb":  # the build makes it of the page
            target = target.with_suffix(".md")
        assert target.exists(), f"{page.name}: {link}"
        assert link.startswith("http") or target.is_relative_to(DOCS), f"{page.name}: {link} leaves the site"
        assert not anchor or anchor in _anchors(target), f"{page.name}: {link}"


def test_the_lines_that_install_are_those_of_readme() -> None:
    (lines,) = [block for block in blocks((ROOT / "README.md").read_text(encoding="utf-8")) if block.kind == "sh"]
    assert lines in blocks((DOCS / "installation.md").read_text(encoding="utf-8"))


def test_a_page_loads_nothing_from_elsewhere() -> None:
    assert SITE["theme"]["font"] is False and not SITE.get("extra_javascript")
    for page in PAGES:
        assert not re.findall(r"!\[[^\]]*\]\(http|<(?:img|script|link|iframe)\b", _text(page)), page


def test_the_reference_has_every_public_name() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    assert set(modeling_nerret.__all__) == set(re.findall(r"^::: modeling_nerret\.(\w+)$", text, flags=re.MULTILINE))


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_are_understood(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^    (nerret (?:.*\\\n)*.*)$", text, flags=re.MULTILINE)
    lines += [line for block in blocks(text) if block.kind == "console" for line, _ in console_commands(block.text)]
    for line in lines:
        if line.startswith("nerret "):
            check_command_line(re.sub(r"\\\n\s*", " ", line))


def test_a_notebook_has_the_page_in_order() -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("notebook", DOCS / "notebook.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    page = "# A\n\nSee [b](../b.md#c).\n\n```python\n>>> a = 1\n>>> a + 1\n2\n>>> b = (\n...     a\n... )\n```\n\nB\n"
    assert [tuple(cell) for cell in module.read_cells(page, "tutorials")] == [
        ("markdown", f"# A\n\nSee [b]({HERE}docs/b.md#c).", ""),
        ("code", "a = 1\na + 1", "2\n"),
        ("code", "b = (\n    a\n)", ""),
        ("markdown", "B", ""),
    ]
