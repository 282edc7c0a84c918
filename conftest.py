"""Names that the docstrings' examples use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tiny import save_checkpoint

torch.set_num_threads(1)  # with tiny models more threads only wait for each other: minutes in the place of seconds


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A complete checkpoint over a tiny random BERT, with tokenizer and detector."""
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace: dict[str, Any], tiny_checkpoint: str, tmp_path: Path) -> None:
    doctest_namespace.update(np=np, torch=torch, tiny_checkpoint=tiny_checkpoint, index_path=tmp_path / "index")
