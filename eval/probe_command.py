"""The command `nerret probe`. It loads the probe only when it runs, so that `--help` answers at once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from modeling_nerret.cli.arguments import check_device, positive

from .arguments import add_machine_arguments, add_type_arguments

DESCRIPTION = """Find the block and the vectors of a backbone that tell entity types apart best.

The probe looks at every block and every component: query, key, value, attention output, inner vector of the
feed-forward network, and residual. It takes the vector of a mention's last token, and the mean over its tokens. It
measures two things:

- ROC-AUC of the cosine between two mentions: pairs of the same type against pairs that share no type. Types are drawn
  evenly, and the two mentions of a pair come from different documents.
- R-Precision, without a trained head: documents are ranked by the cosine of their best mention and the type's name.

MODEL is a repository id or folder of a stock transformer. The probe keeps only pooled vectors of mentions. If the
vectors of all blocks do not fit into --memory, it reads the corpus once for each group of blocks.
"""
EPILOG = """example:
  nerret probe sentence-transformers/all-MiniLM-L6-v2 dev/fewnerd.jsonl --types dev/types.json --limit 1000
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add: Any = parser.add_argument
    add("model", metavar="MODEL", help="repository id or folder of a stock transformer")
    add("corpus", type=Path, metavar="CORPUS", help="JSONL with gold mentions, as for nerret eval")
    add_type_arguments(parser)
    add("--pairs", type=positive, default=20_000, metavar="N", help="pairs of each kind (default: 20000)")
    add("--out", type=Path, metavar="DIR", help="write probe-MODEL-CORPUS.json and .png")
    add("--memory", type=positive, default=1024, metavar="MIB", help="for mention vectors (default: 1024)")
    add_machine_arguments(parser)
    add("--seed", type=int, default=0, help="for the pairs (default: 0)")


def run(options: argparse.Namespace) -> int:
    """Probe the backbone; returns the exit code.

    Raises:
        ValueError: the corpus has an unknown form or too few types, or the probe does not know the architecture.
        OSError: a file or the model is missing.
    """
    if not options.corpus.is_file():
        raise OSError(f"no corpus at {str(options.corpus)!r}; give a JSONL file with gold mentions")
    check_device(options.device)
    from .probe.run import run_command

    run_command(options)
    return 0
