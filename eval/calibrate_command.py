"""The command `nerret calibrate`. It loads the work only when it runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from modeling_nerret.cli.arguments import check_device
from modeling_nerret.pretrained.built_in import built_in
from modeling_nerret.training.data.examples import find_file

from .arguments import add_machine_arguments, add_type_arguments

DESCRIPTION = """Teach a checkpoint how sure it may be: fit its calibration, and write it into the checkpoint.

With a calibration each hit has a probability, and an answer knows where it ends and what share of it is right.
CORPUS is a JSONL file with one {"id", "text", "mentions": [{"start", "end", "type"}]} per line, as for nerret eval.
Give several corpora with many types each: how sure one may be differs between types more than between texts.

The checkpoint indexes each corpus and ranks its documents for every type. Half of the types are fitted on, those for
which the SHA-256 of "set/type" is even; check with the others. Types whose documents are taken out, and generated
nonsense, teach when a corpus holds nothing of what is asked.
"""
EPILOG = """example:
  nerret calibrate runs/mine dev/*.jsonl --types dev/types.json --exclude-file dev/exclude.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add: Any = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="folder of a checkpoint with a detector, or a built-in name")
    add("corpora", nargs="+", metavar="CORPUS", help="JSONL with gold mentions, as many files as you like")
    add_type_arguments(parser)
    add_machine_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Calibrate the checkpoint; returns the exit code.

    Raises:
        ValueError: an option or a file has an unknown form, or the checkpoint has no detector.
        OSError: a file or the checkpoint is missing.
    """
    check(options)
    from .calibration.run import run_command

    run_command(options)
    return 0


def check(options: argparse.Namespace) -> None:
    """Refuse at once what would fail later.

    Raises:
        OSError: there is no folder of the checkpoint, or a corpus is missing.
        ValueError: two corpora have the same name, or an option has an unknown form.
    """
    name = options.checkpoint
    if name not in built_in() and not (Path(name) / "config.json").is_file():
        raise OSError(f"there is no checkpoint in the folder {name!r}; download it first, for its calibration is new")
    names = Counter[str]()
    for corpus in options.corpora:
        path = find_file(corpus)
        if path is None or not path.is_file():
            raise OSError(f"no corpus at {corpus!r}; give a JSONL file with gold mentions")
        names[path.stem] += 1
    stem, count = names.most_common(1)[0]
    if count > 1:
        raise ValueError(f"{count} corpora are called {stem!r}; rename a file, for halves of types go by the name")
    if options.types_key and len(options.corpora) > 1:
        raise ValueError("--types-key names one set; with several corpora each takes the set named as its file")
    check_device(options.device)
