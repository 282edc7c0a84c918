"""`nerret index`, run again and again into one index."""

from __future__ import annotations

from pathlib import Path

import pytest

from modeling_nerret.cli import main
from modeling_nerret.index.retriever import EntityRetriever


class IndexCommand:
    """Runs `nerret index` into one index; `error` is what it printed."""

    def __init__(self, folder: Path, model: str, capsys: pytest.CaptureFixture):
        self.folder, self.index, self.error = folder, str(folder / "index"), ""
        self._model, self._capsys = model, capsys

    def run(self, *arguments: object) -> int:
        code = main(["index", *map(str, arguments), "--model", self._model, self.index])
        self.error = self._capsys.readouterr().err
        return code

    def write_and_run(self, name: str, content: str | None = None, *flags: str) -> int:
        """Run it on a file of the folder, whose text is a document a line; `None` leaves the file as it is."""
        if content is not None:
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text(content, encoding="utf-8")
        return self.run(self.folder / name, *(["--split", "line"] if name.endswith(".txt") else []), *flags)

    def texts(self) -> list[str]:
        retriever = EntityRetriever(self.index)
        return sorted(document.text for document in retriever.lookup(retriever.ids()).values())
