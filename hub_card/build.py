"""Write a complete repository of the Hub from a checkpoint.

CHECKPOINT is a built-in name, a folder or a repository id. OUT becomes a self-contained repository: weights, tokenizer,
model card and, in the usual form, the code that loads it anywhere with trust_remote_code=True, the detector and the
handler for Inference Endpoints. With --native it holds the same weights as stock sentence-transformers modules, without
code, and the vectors of both are compared before anything is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import transformers
from huggingface_hub.errors import HfHubHTTPError

from .card import EXAMPLES, About, write_card
from .native import write_native
from .push import check_id, files_of, listing, push
from .repository import compare, write_custom
from .results import Benchmark, read_benchmark, read_results, write_benchmarks
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint, locate

EPILOG = """examples:
  python -m hub_card.build nerret-minilm build/nerret-minilm --results runs/fewnerd.json runs/crossner.json
  python -m hub_card.build nerret-minilm build/nerret-minilm-native --native
  python -m hub_card.build runs/mine/final build/mine --push me/mine --private --dry-run

--push uploads OUT in one commit with the version's tag; with --dry-run OUT is written, the upload is only listed, and
the network is not asked. Spaces, and repositories that are built already: python -m hub_card.push --help.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, or 2 where nothing was built or uploaded."""
    options = _parser().parse_args(arguments)
    transformers.utils.logging.disable_progress_bar()
    try:
        print(build(options))
        if options.push and options.dry_run:
            print(listing(options.out, options.push, private=options.private))
        elif options.push:
            print(f"pushed: {push(options.out, options.push, private=options.private)}")
        return 0
    except (ValueError, OSError, ImportError, HfHubHTTPError) as error:
        print(f"hub_card.build: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def build(options: argparse.Namespace) -> str:
    """Write the repository; returns a summary.

    Raises:
        ValueError: stock modules cannot give the checkpoint's vectors, results are foreign, or a licence is missing.
        OSError: OUT exists, or the checkpoint was not found.
    """
    if options.push:
        check_id(options.push)
    elif options.dry_run:
        raise ValueError("--dry-run lists what --push would upload; give --push REPO_ID as well")
    if options.native and options.benchmark:
        raise ValueError("--benchmark results are those of the form with code; give it without --native")
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise OSError(f"{options.out} exists already; remove it, or choose another OUT")
    results = read_results(options.results, options.system or options.checkpoint)
    about = About(
        model_id=options.push or options.out.name,
        native=options.native,
        recipes=read_recipes(options.checkpoint),
        set_licences=dict(options.training_set),
        results=results,
        system=options.system or options.checkpoint,
        licence=options.license,
        notes=options.notes.read_text(encoding="utf-8") if options.notes else "",
    )
    checkpoint = load_checkpoint(options.checkpoint)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out.parent) as made:  # so that OUT is whole or not there
        folder = Path(made) / options.out.name
        folder.mkdir()
        checked = write(checkpoint, about, options.benchmark, folder)
        if options.out.exists():
            options.out.rmdir()
        folder.rename(options.out)
    return "\n".join(
        [
            f"wrote {options.out}, the {'native' if options.native else 'self-contained'} form",
            checked,
            *_sizes(options.out),
        ]
    )


def read_recipes(checkpoint: str) -> list[dict[str, Any]]:
    """A checkpoint's recipe, that of the checkpoint which it went on from, and so on; empty if it brings none.

    Raises:
        OSError: a checkpoint was not found.
    """
    recipes: list[dict[str, Any]] = []
    name = checkpoint
    while name and (path := locate(name) / "recipe.json").exists():
        recipes.append(json.loads(path.read_text(encoding="utf-8")))
        name = recipes[-1].get("init", "")
    return recipes


def write(checkpoint: Checkpoint, about: About, benchmarks: Sequence[Benchmark], folder: Path) -> str:
    """Write all files of one form; returns how its vectors compare with the checkpoint's."""
    (write_native if about.native else write_custom)(checkpoint, folder)
    queries = [*EXAMPLES, *(name for names in EXAMPLES.values() for name in names)]
    difference = compare(checkpoint, folder, queries)
    write_benchmarks(about.results, about.system, benchmarks, folder)
    write_card(checkpoint, about, folder)
    return f"largest difference of a number in the vectors of {len(queries)} type queries: {difference:.1e}"


def _sizes(folder: Path) -> list[str]:
    """Size and name of each file, the largest first."""
    files = [(path, (folder / path).stat().st_size) for path in files_of(folder)]
    lines = [f"{size:>12,}  {path.as_posix()}" for path, size in sorted(files, key=lambda one: -one[1])]
    return [*lines, f"{sum(size for _, size in files):>12,}  bytes in {len(files)} files"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hub_card.build",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add: Any = parser.add_argument
    add("checkpoint", metavar="CHECKPOINT", help="built-in name, folder or repository id")
    add("out", type=Path, metavar="OUT", help="folder to write; it must not exist or be empty")
    add("--native", action="store_true", help="write stock modules without code")
    add("--results", type=Path, nargs="+", default=[], metavar="FILE", help="what `eval.run --out` wrote, for the card")
    add("--system", metavar="NAME", help="name of the checkpoint in the results (default: CHECKPOINT)")
    add(
        "--benchmark",
        type=_benchmark,
        action="append",
        default=[],
        metavar="CORPUS=OWNER/DATASET:TASK",
        help="write .eval_results for a dataset that the Hub knows as a benchmark; it ignores results of others",
    )
    add(
        "--training-set",
        type=_set_licence,
        action="append",
        default=[],
        metavar="NAME=LICENCE",
        help="licence of a set of your own that the checkpoint was trained on",
    )
    add("--license", metavar="ID", help="licence of the weights, by the Hub's name (default: that of known backbones)")
    add(
        "--notes",
        type=Path,
        metavar="FILE",
        help="Markdown for the card's head, such as a notice that a licence asks for",
    )
    add("--push", metavar="REPO_ID", help="upload as owner/name")
    add("--private", action="store_true", help="make the repository private")
    add("--dry-run", action="store_true", help="with --push: only list what would be uploaded, with sizes")
    return parser


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


if __name__ == "__main__":
    sys.exit(main())
