"""`nerret demo`: what it leaves, what it keeps, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from modeling_nerret import EntityRetriever
from modeling_nerret.cli import main
from modeling_nerret.demo import QUERIES, demo_corpus


@pytest.fixture
def short_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The first three texts in the place of the whole demo; the working folder is empty."""
    lines = Path(demo_corpus()).read_text(encoding="utf-8").splitlines()[:3]
    path = tmp_path / "short.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setattr("modeling_nerret.demo.demo_corpus", lambda: str(path))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return lines


@pytest.mark.slow
def test_the_demo_leaves_its_index_and_keeps_it(short_corpus: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main(["demo"]) == 0
    output = capsys.readouterr()
    assert all(f'$ nerret search demo-index "{query}"' in output.out for query in QUERIES)
    assert "3 documents added" in output.err
    assert main(output.out.splitlines()[-1].replace('"', "").split()[1:]) == 0
    assert len(EntityRetriever("demo-index")) == 3
    assert main(["demo"]) == 0 and "0 documents added, 0 replaced, 3 unchanged" in capsys.readouterr().err


def test_the_index_of_other_documents_is_left_alone(
    short_corpus: list[str], tiny_checkpoint: str, capsys: pytest.CaptureFixture
) -> None:
    EntityRetriever("mine", tiny_checkpoint).add([{"id": "a", "text": "Ada was born in London."}])
    assert main(["demo", "mine"]) == 1 and "nerret demo NEW_FOLDER" in capsys.readouterr().err
    assert EntityRetriever("mine").ids() == ["a"]
