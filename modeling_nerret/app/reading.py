"""Reads a visitor's files in a process of its own: a file that takes all time or memory takes it from nobody else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..documents import Document
from ..index.readers import BadLine
from . import limits
from .private_texts import PrivateTexts, read_texts

ROOT = Path(__file__).resolve().parents[2]  # from where the process imports this package
REMEDY = "remove the largest or most unusual one, and search again"


def read_apart(text: str, folder: Path | None, columns: str) -> PrivateTexts:
    """As `private_texts.read_texts`, and within limits of time and memory if there are files.

    Raises:
        ValueError: there is nothing to search, or reading would take more than the app gives.
    """
    if folder is None:
        return read_texts(text, None, columns)
    order = json.dumps([text, str(folder), columns]).encode()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}  # nothing from the working folder
    try:
        process = subprocess.run(
            [sys.executable, "-m", __name__],
            input=order,
            stdout=subprocess.PIPE,
            env=environment,
            timeout=limits.READ_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"your files took over {limits.READ_SECONDS} seconds to read; {REMEDY}") from None
    if process.returncode:
        raise ValueError(f"your files take too much memory to read; {REMEDY}")
    return _unpack(json.loads(process.stdout))


def _unpack(answer: dict[str, Any]) -> PrivateTexts:
    if "problem" in answer:
        raise ValueError(answer["problem"])
    documents = [Document(*fields) for fields in answer["documents"]]
    return PrivateTexts(documents, [BadLine(*fault) for fault in answer["faults"]], answer["guesses"])


def _pack(texts: PrivateTexts) -> dict[str, Any]:
    return {
        "documents": [[document.id, document.text, document.metadata] for document in texts.documents],
        "faults": [[fault.where, fault.reason] for fault in texts.faults],
        "guesses": texts.guesses,
    }


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # on Windows
        return
    with suppress(ValueError, OSError):  # macOS takes no limit, and others may have set a lower one
        resource.setrlimit(resource.RLIMIT_AS, (limits.READ_MEMORY, limits.READ_MEMORY))


def main() -> None:
    """Read what the order on standard input names, and write what it holds, or why not, as JSON."""
    _bound_memory()
    text, folder, columns = json.load(sys.stdin)
    try:
        answer = json.dumps(_pack(read_texts(text, Path(folder), columns)))
        if len(answer) > limits.MAX_UNPACKED:
            raise ValueError(f"your files hold over {limits.megabytes(limits.MAX_UNPACKED)}, unpacked; remove some")
    except ValueError as error:
        answer = json.dumps({"problem": str(error)})
    sys.stdout.write(answer)


if __name__ == "__main__":
    main()
