"""Saved queries: a type as examples and marks have made it, kept under a name for every index of the same model."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from ...files import read_json
from .type_query import Type

HOME = "NERRET_HOME"  # environment variable: the folder of what the user keeps
FORMAT = 1
_NAME = re.compile(r"[\w][\w .-]{0,79}")


def query_path(name: str) -> Path:
    """The file of the query of a name.

    Raises:
        ValueError: the name could be a path, or has characters that some file system refuses.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.endswith((".", " ")):
        raise ValueError(
            f"the name {name!r:.100} cannot be saved; use up to 80 letters, digits, spaces, dots, - and _, such as "
            "'my dinosaurs'"
        )
    home = os.environ.get(HOME)
    folder = Path(home) if home else Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "nerret"
    return folder / "queries" / f"{name}.json"


def write_query(name: str, type_: Type, fingerprint: str) -> Path:
    """Save a type, which has a vector and an intercept of its own, under a name; an older one is replaced.

    Args:
        name: the name.
        type_: the type.
        fingerprint: of the checkpoint that the vector was made with.

    Returns:
        The file.

    Raises:
        ValueError: the name cannot be a file's.
        OSError: the file cannot be written.
    """
    path = query_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "type": type_.name,
        "vector": [float(f"{number:.6g}") for number in type_.vector or ()],
        "intercept": None if type_.intercept is None else list(type_.intercept),
    }
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(json.dumps(content) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def read_query(name: str, fingerprint: str) -> Type:
    """The type that was saved under a name.

    Raises:
        ValueError: there is none, it is damaged, or it was made with another model.
    """
    path = query_path(name)
    if not path.is_file():
        names = sorted(file.stem for file in path.parent.glob("*.json")) if path.parent.is_dir() else []
        raise ValueError(f"no query is saved as {name!r}; saved are: {', '.join(names) or 'none'}")
    try:
        return _parse(read_json(path), name, fingerprint)
    except (KeyError, TypeError, OSError) as error:
        raise ValueError(f"the saved query {name!r} is damaged ({error}); save it again") from None


def _parse(content: dict[str, Any], name: str, fingerprint: str) -> Type:
    if content["format"] != FORMAT or content["fingerprint"] != fingerprint:
        raise ValueError(f"the query {name!r} was saved with another model, or another nerret; save it again")
    vector = tuple(map(float, content["vector"]))
    intercept = None if content["intercept"] is None else tuple(map(float, content["intercept"]))
    if not all(map(math.isfinite, vector)) or not 0.9 < float(np.linalg.norm(vector)) < 1.1:
        raise TypeError("its vector is not of length 1")
    if intercept is not None and (len(intercept) != 2 or not all(map(math.isfinite, intercept)) or intercept[1] <= 0):
        raise TypeError("its intercept is no mean and spread")
    return Type(str(content["type"]), vector=vector, intercept=intercept)  # type: ignore[arg-type]
