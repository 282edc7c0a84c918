"""Checkpoints by name: what ships with the package is listed without loading anything heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modeling_nerret.pretrained import checkpoints
from modeling_nerret.pretrained.built_in import BUILT_IN, DEFAULT, built_in, describe

HEAVY = ("torch", "transformers", "numpy", "huggingface_hub", "lancedb")
LISTING = f"""
import sys
from modeling_nerret.pretrained.built_in import built_in, describe
print(*map(describe, built_in()))
assert not set(sys.modules) & set({HEAVY}), set(sys.modules) & set({HEAVY})
"""


def test_the_listing_imports_nothing_heavy() -> None:
    result = subprocess.run([sys.executable, "-c", LISTING], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert describe(DEFAULT) in result.stdout


def test_a_built_in_name_comes_before_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / DEFAULT).mkdir()
    monkeypatch.chdir(tmp_path)
    assert DEFAULT in built_in() and checkpoints.locate(DEFAULT) == BUILT_IN / DEFAULT


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"is not a checkpoint: it has no file config\.json"):
        checkpoints.locate(str(tmp_path))
