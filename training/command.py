"""The command `nerret train`: its arguments, and what it runs. Loads nothing heavy before it runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from .recipes import describe_keys, shipped_recipes

DESCRIPTION = """Train a checkpoint from a recipe.

A recipe is a small TOML file. It states only what differs from another recipe (base = "other.toml") and from the
defaults below. Its sets are texts with marked mentions:

  corpus                    the texts of this project
  open, mentions            names, or all mentions, in sets of --data DIR, with the types of this project
  kinds, phrases            common nouns with WordNet's types, and noun phrases, both built in --data DIR by
                            python -m modeling_nerret.training.kinds.build
  data                      the files that --data names
  NAME                      NAME.jsonl in --data DIR; types.json there has plain names of its types
  FILE, hf:ID               a file in --data DIR, or a dataset

Forms of files and datasets:

  FILE.jsonl                {"id", "text", "mentions": [{"start", "end", "type"}]} or {"type", "examples": [...]}
  FILE.conll .bio .iob      a token and its tag per line, an empty line after a sentence
  FILE.toml .csv            examples of types: dinosaur = ["Triceratops", ...] or lines dinosaur,Triceratops
  hf:ID[@CONFIG][:SPLIT]    a dataset of the Hugging Face Hub or a local folder

OUT becomes a checkpoint (`nerret index --model OUT`, `EntityRetriever(..., model=OUT)`) with metrics.json, curves.png
and recipe.json, the whole recipe, which is itself a recipe. If a run was interrupted, give the same command again: it
goes on, with the same result.
"""
EXAMPLES = """examples:
  nerret train own-data --data beekeeping --out runs/bees        # an example that nerret ships
  nerret train own-data --data my-texts.jsonl --out runs/mine
  nerret train nerret-minilm --data data/train --out runs/minilm --set head.steps=500
  accelerate launch -m modeling_nerret.cli train nerret-minilm --data data/train --out runs/minilm   # several processes
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's description and arguments to its parser."""
    parser.description = DESCRIPTION
    parser.epilog = f"{EXAMPLES}\nkeys of a recipe, with their defaults:\n\n{describe_keys()}\n"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    names = ", ".join(shipped_recipes())
    parser.add_argument("recipe", help=f"a TOML file, a recipe.json, or the name of a shipped recipe ({names})")
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="PATH",
        help="a folder of sets (default: data), or a file, hf:ID or shipped example (beekeeping, beekeeping-names) for "
        "the set data; repeatable",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the checkpoint")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="value vectors (default: runs/cache)")
    parser.add_argument("--seed", type=int, help="short for --set seed=N")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="override a key, such as head.steps=500; repeatable",
    )


def run(options: argparse.Namespace) -> int:
    """Train; 0 if all went well.

    Raises:
        OSError: a file is missing.
        ValueError: the recipe is not valid, or does not fit the data.
        ImportError: a library of the extra `train` is not installed.
    """
    from .data.sets import Data
    from .recipe_files import resolve
    from .run import train

    seed = [] if options.seed is None else [f"seed={options.seed}"]
    recipe = resolve(options.recipe, [*options.overrides, *seed])
    train(recipe, Data.of(options.data), options.out, options.cache)
    return 0
