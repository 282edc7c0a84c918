"""A tutorial as a Jupyter notebook: `python docs/notebook.py docs/tutorials/researcher.md` writes it beside the page.

The page is the only source. Its text becomes Markdown, each example of Python a cell with the output that it shows.
"""

from __future__ import annotations

import doctest
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

PAGES = "https://github.com/nerret/nerret/blob/main/docs/"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```\n?", flags=re.MULTILINE | re.DOTALL)


class Cell(NamedTuple):
    """A cell: text, or code with what it prints."""

    kind: str
    source: str
    output: str = ""


def read_cells(page: str, folder: str) -> Iterator[Cell]:
    """The cells of a page.

    Args:
        page: its Markdown.
        folder: the page's folder in docs/, for its links: a notebook may be anywhere.
    """
    position = 0
    for fence in FENCE.finditer(page):
        yield from _prose(page[position : fence.start()], folder)
        if fence[1] == "python":
            yield from _examples(fence[2])
        else:
            yield Cell("markdown", fence[0].strip())
        position = fence.end()
    yield from _prose(page[position:], folder)


def write_notebook(page: Path) -> Path:
    """Write a page's notebook beside it."""
    import nbformat

    make: dict[str, Any] = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    folder = page.parent.name
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    for number, cell in enumerate(read_cells(page.read_text(encoding="utf-8"), folder)):
        entry = make[cell.kind](cell.source, id=f"cell-{number}")  # random ids would make every build another file
        if cell.output:
            entry.outputs = [nbformat.v4.new_output("stream", name="stdout", text=cell.output)]
        notebook.cells.append(entry)
    path = page.with_suffix(".ipynb")
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    return path


def _prose(text: str, folder: str) -> Iterator[Cell]:
    """Text with absolute links, if there is any."""

    def absolute(link: re.Match[str]) -> str:
        page = link[1].replace(".ipynb", ".md")  # the repository has no notebooks
        return f"]({PAGES}{posixpath.normpath(posixpath.join(folder, page))}"

    if text.strip():
        yield Cell("markdown", re.sub(r"\]\((?!https?:)([^)#]+)", absolute, text.strip()))


def _examples(block: str) -> Iterator[Cell]:
    """A cell for all lines up to the next output."""
    lines: list[str] = []
    for example in doctest.DocTestParser().get_examples(block):
        lines.append(example.source)
        if example.want:
            yield Cell("code", "".join(lines).rstrip(), example.want)
            lines = []
    if lines:
        yield Cell("code", "".join(lines).rstrip())


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(write_notebook(Path(name)))
