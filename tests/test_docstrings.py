"""The examples in docstrings run, in every module of the installed package."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parent.parent
FOLDERS = {"modeling_nerret": "modeling_nerret"} | {
    folder: f"modeling_nerret.{folder}" for folder in ("training", "eval", "hub_card")
}
# Scripts that their hosts run: a Space's app, an endpoint's handler, a command
SCRIPTS = ("app.py", "handler.py", "__main__.py")


def _modules() -> list[str]:
    """Names of the modules with an example."""
    names = []
    for folder, package in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            if ">>> " in path.read_text(encoding="utf-8") and path.name not in SCRIPTS:
                parts = path.relative_to(ROOT / folder).with_suffix("").parts
                names.append(".".join([package, *(part for part in parts if part != "__init__")]))
    return names


@pytest.mark.parametrize("name", _modules())
def test_examples(name: str, tiny_checkpoint: str, tmp_path: Path) -> None:
    examples = {"np": np, "torch": torch, "tiny_checkpoint": tiny_checkpoint, "index_path": tmp_path / "index"}
    result = doctest.testmod(importlib.import_module(name), extraglobs=examples)
    assert result.attempted and not result.failed
