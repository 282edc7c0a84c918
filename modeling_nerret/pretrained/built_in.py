"""The checkpoints that ship inside the package.

This file imports only the standard library, so that `nerret models` answers at once.
"""

from __future__ import annotations

import json
from pathlib import Path

BUILT_IN = Path(__file__).parent  # the folder that holds a folder for each checkpoint
DEFAULT = "nerret-minilm"


def built_in() -> list[str]:
    """Names of the checkpoints that ship inside the package, in alphabetical order.

    Example:
        >>> DEFAULT in built_in()
        True
    """
    return sorted(path.parent.name for path in BUILT_IN.glob("*/config.json"))


def describe(name: str) -> str:
    """A built-in checkpoint in one line: its backbone, layer, pooling and vector size.

    Raises:
        FileNotFoundError: no built-in checkpoint has this name.

    Example:
        >>> describe("nerret-minilm")
        'sentence-transformers/all-MiniLM-L6-v2, layer 4, mean pooling, 256 dimensions'
    """
    config = json.loads((BUILT_IN / name / "config.json").read_text(encoding="utf-8"))
    size = config["hidden_size"]
    return f"{config['backbone']}, layer {config['layer']}, {config['pooling']} pooling, {size} dimensions"
