"""What all tests share: a tiny checkpoint, and one thread."""

from __future__ import annotations

import pytest
import torch

from tests.tiny import save_checkpoint

torch.set_num_threads(1)  # with tiny models more threads only wait for each other: minutes instead of seconds


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A complete checkpoint over a tiny random BERT, with tokenizer and detector."""
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint"))
