"""Give a checkpoint its bank of type names: `python -m modeling_nerret.training.type_names FOLDER`.

The names are those of the project's own corpus. Training writes them by itself at the end of a run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from modeling_nerret.detection import GivenSpans
from modeling_nerret.encoding import Encoder
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.pretrained.type_names import FILE, TypeNames

from .data.corpus import read_corpus_types

BATCH = 256  # names that are embedded at a time


def main(arguments: list[str] | None = None) -> int:
    """Write the file into a checkpoint's folder, in the place of what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the checkpoint's folder")
    folder: Path = parser.parse_args(arguments).folder
    checkpoint = load_checkpoint(str(folder))
    bank = corpus_type_names(checkpoint.model, checkpoint.tokenizer)
    bank.save(folder)
    print(f"{len(bank)} names of types are in {folder / FILE}")
    return 0


def corpus_type_names(model: NerretModel, tokenizer: Any) -> TypeNames:
    """The types of the project's corpus under their first wordings, with the model's vectors.

    Args:
        model: the model.
        tokenizer: its tokenizer.

    Raises:
        ValueError: the model gives vectors that are no numbers.
    """
    types = read_corpus_types()
    names = {entry.id: entry.wordings[0] for entry in types.values()}
    parents = [[names[parent] for parent in entry.parents] for entry in types.values()]
    encoder, wordings = Encoder(model, tokenizer, GivenSpans()), list(names.values())
    was_training = model.training
    model.eval()
    parts = [encoder.embed_queries(wordings[begin : begin + BATCH]) for begin in range(0, len(wordings), BATCH)]
    model.train(was_training)
    return TypeNames(wordings, parents, np.concatenate(parts))


if __name__ == "__main__":
    sys.exit(main())
