"""The command `nerret space`. It loads the builder only when it runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

DESCRIPTION = """Write a static Space of the Hugging Face Hub, which is free: it runs in the visitor's browser.

OUT becomes a page that searches the demo corpus. The model goes along as ONNX, so queries never leave the browser, and
nothing is fetched once the page is loaded. npm brings what runs the model; its vectors are compared with the package's
before OUT is kept.
"""
EPILOG = """examples:
  nerret space nerret-minilm build/nerret-space
  python -m http.server --directory build/nerret-space     # look at it: http://localhost:8000
  nerret push build/nerret-space me/nerret --space
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add: Any = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="built-in name, folder or repository id")
    add("out", type=Path, metavar="OUT", help="folder to write; it must be new or empty")


def run(options: argparse.Namespace) -> int:
    """Build the Space.

    Raises:
        ValueError: the checkpoint has no detector or cannot be written as ONNX.
        OSError: OUT exists, the checkpoint was not found, or npm could not fetch a package.
        ImportError: packages of the extra `space` are missing.
    """
    from .space_build import build_space

    print(build_space(options.checkpoint, options.out))
    return 0
