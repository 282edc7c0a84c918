"""The command `nerret card`. It loads the builder only when it runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .eval_results import Benchmark, read_benchmark

DESCRIPTION = """Write a complete repository of the Hugging Face Hub from a checkpoint.

CHECKPOINT is a built-in name, a folder or a repository id. OUT becomes a self-contained repository: weights, tokenizer
and model card, the code that loads it with trust_remote_code=True, the detector, and the handler for Inference
Endpoints. With --native, OUT holds the same weights as stock sentence-transformers modules, without code. The vectors
of the repository and of the checkpoint are compared before OUT is kept.
"""
EPILOG = """examples:
  nerret card nerret-minilm build/nerret-minilm --results fewnerd.json crossner.json
  nerret card nerret-minilm build/nerret-minilm-native --native
  nerret card runs/mine/final build/mine --push me/mine --private --dry-run

--push uploads OUT in one commit with a tag for the version. With --dry-run the upload is only listed, without network.
To upload a Space, or a repository that exists already, see: nerret push --help
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add: Any = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="built-in name, folder or repository id")
    add("out", type=Path, metavar="OUT", help="folder to write; it must be new or empty")
    add("--native", action="store_true", help="write stock modules without code")
    add("--results", type=Path, nargs="+", default=[], metavar="FILE", help="results for the card, from `nerret eval`")
    add("--system", metavar="NAME", help="name of the checkpoint in the results (default: CHECKPOINT)")
    add(
        "--benchmark",
        type=_benchmark,
        action="append",
        default=[],
        metavar="CORPUS=OWNER/DATASET:TASK",
        help="write .eval_results for a dataset that the Hub has registered as a benchmark",
    )
    add(
        "--training-set",
        type=_set_licence,
        action="append",
        default=[],
        metavar="NAME=LICENCE",
        help="licence of a training set that nerret does not know",
    )
    add("--license", metavar="ID", help="the Hub's name for the licence of the weights (default: the backbone's)")
    add("--notes", type=Path, metavar="FILE", help="Markdown for the top of the card, such as a licence notice")
    add("--push", metavar="REPO_ID", help="upload as owner/name")
    add("--private", action="store_true", help="make the repository private")
    add("--dry-run", action="store_true", help="with --push: only list what would be uploaded, with sizes")


def run(options: argparse.Namespace) -> int:
    """Build the repository and upload it if asked.

    Raises:
        ValueError: the arguments contradict each other, stock modules cannot give the checkpoint's vectors, the results
            are another system's, or a licence is missing.
        OSError: OUT exists, the checkpoint was not found, or the Hub refused.
    """
    from modeling_nerret.files import read_text

    from .build import About, build
    from .push import check_id, list_upload, push
    from .results import read_results

    if options.push:
        check_id(options.push)
    elif options.dry_run:
        raise ValueError("--dry-run lists what --push would upload; give --push REPO_ID as well")
    if options.native and options.benchmark:
        raise ValueError("--benchmark results belong to the form with code; give --benchmark without --native")
    system = options.system or options.checkpoint
    about = About(
        model_id=options.push or options.out.name,
        native=options.native,
        results=read_results(options.results, system),
        system=system,
        benchmarks=options.benchmark,
        set_licences=dict(options.training_set),
        licence=options.license,
        notes=read_text(options.notes) if options.notes else "",
    )
    print(build(options.checkpoint, options.out, about))
    if options.push and options.dry_run:
        print(list_upload(options.out, options.push, private=options.private))
    elif options.push:
        print(f"pushed: {push(options.out, options.push, private=options.private)}")
    return 0


def _set_licence(text: str) -> tuple[str, str]:
    name, _, licence = text.partition("=")
    if not (name and licence):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=LICENCE")
    return name, licence


def _benchmark(text: str) -> Benchmark:
    try:
        return read_benchmark(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
