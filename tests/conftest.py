"""What all tests share: a tiny checkpoint, a small annotated corpus, and one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.index_command import IndexCommand
from tests.tiny import save_checkpoint

torch.set_num_threads(1)  # with tiny models more threads only wait for each other: minutes instead of seconds


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A complete checkpoint over a tiny random BERT, with tokenizer and detector."""
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The file of the small annotated corpus."""
    from tests.small_corpus import write_corpus

    return write_corpus(tmp_path)


@pytest.fixture
def command(tmp_path: Path, tiny_checkpoint: str, capsys: pytest.CaptureFixture) -> IndexCommand:
    """`nerret index` with the tiny checkpoint, into one index."""
    return IndexCommand(tmp_path, tiny_checkpoint, capsys)


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, for tests in a browser."""
    from tests.browser import axe_script

    return axe_script(tmp_path_factory.mktemp("axe"))


@pytest.fixture
def task(corpus: Path) -> Any:
    """The small annotated corpus as a `Task`."""
    from modeling_nerret.eval.tasks.annotations import read_annotations
    from modeling_nerret.eval.tasks.task import make_task

    return make_task("small", read_annotations(corpus))


@pytest.fixture
def little_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    """A calibration is fitted on little nonsense, and on no definitions, which are too long for a tiny window."""
    from modeling_nerret.eval.calibration import nonsense

    monkeypatch.setattr(nonsense, "COUNT", 20)
    monkeypatch.setattr(nonsense, "DEFINITIONS", 0)
