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


def checkpoint_path(name: str = DEFAULT) -> str:
    """The folder of a checkpoint that ships inside the package, for libraries that load from a folder.

    Raises:
        ValueError: no built-in checkpoint has this name.

    Example:
        >>> from modeling_nerret import checkpoint_path
        >>> checkpoint_path().endswith("nerret-minilm")
        True
    """
    if name not in built_in():
        raise ValueError(f"there is no built-in checkpoint {name!r:.80}; built in are {', '.join(built_in())}")
    return str(BUILT_IN / name)


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
