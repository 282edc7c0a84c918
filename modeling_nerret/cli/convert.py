"""`nerret convert`: make a checkpoint of the published head of NER Retriever."""

from __future__ import annotations

import argparse
from pathlib import Path

from .streams import say

BACKBONE = "meta-llama/Llama-3.1-8B"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("head", type=Path, help="the authors' file, .pth or .safetensors")
    add("out", type=Path, help="the checkpoint's folder; made if it is not there")
    add(
        "--backbone",
        metavar="NAME",
        default=BACKBONE,
        help=f"Hub id or folder of the model that the head was trained on (default: {BACKBONE}); its weights are read, "
        "and the checkpoint refers to it by this name",
    )
    add("--revision", metavar="COMMIT", help="of the backbone (default: the one that is found)")
    add("--layer", type=int, default=17, metavar="K", help="0-based block (default: 17)")


def run(options: argparse.Namespace) -> int:
    """Write the checkpoint, and say how to use it."""
    from ..pretrained.convert import convert

    config = convert(options.head, options.backbone, options.layer, options.out, options.revision).config
    say(
        f"{options.out}: a head over block {config.layer} of {config.backbone}, {config.hidden_size} numbers a "
        f"mention. It has no detector; use it with: nerret index CORPUS INDEX --model {options.out} --detector given "
        "(or hf:NAME, gliner:NAME, generative:NAME)"
    )
    return 0
