"""Arguments that `nerret eval` and `nerret probe` share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from modeling_nerret.cli.arguments import positive

from .tasks.type_names import EXCLUDED

SPANS = ("gold", "predicted")
HALVES = ("even", "odd")


def add_type_arguments(parser: argparse.ArgumentParser) -> None:
    """Which documents are read, and which of their types are queries."""
    add: Any = parser.add_argument
    add(
        "--types", type=Path, metavar="FILE", help='JSON: {"label": "plain name", ...} (default: the labels themselves)'
    )
    add("--types-key", metavar="SET", help="which set of a types file with several sets (default: the corpus's name)")
    add("--exclude", metavar="REGEX", help=f"types that are not queries (default: {EXCLUDED!r})")
    add(
        "--exclude-file",
        type=Path,
        metavar="FILE",
        help='JSON: {"set": "REGEX", ...}, in the place of --exclude for the sets that it names, also where both are '
        "given; a set is named as its file, without .jsonl",
    )
    add(
        "--min-documents",
        type=positive,
        default=1,
        metavar="N",
        help="types that fewer documents mention are not queries (default: 1)",
    )
    add("--limit", type=positive, metavar="N", help="read only the first N documents")


def add_machine_arguments(parser: argparse.ArgumentParser) -> None:
    """Where models run, and in what precision."""
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda or mps")
    parser.add_argument("--dtype", default="float32", help="of backbones: float32 (default), bfloat16 or float16")


def check_parents(*paths: Path | None) -> None:
    """Refuse output files whose folder does not exist, before hours of work.

    Raises:
        OSError: there is no such folder.
    """
    for path in paths:
        if path and not path.parent.is_dir():
            raise OSError(f"there is no folder {path.parent} for {path}; make it first")


def split_spans(text: str) -> list[str]:
    """The kinds of mentions in `gold`, `predicted` or `gold,predicted`.

    Raises:
        ValueError: an unknown kind.
    """
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in SPANS]
    if unknown:
        raise ValueError(f"--spans has {unknown[0]!r}; write gold, predicted, or gold,predicted")
    return names
