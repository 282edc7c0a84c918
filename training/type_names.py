"""Give a checkpoint its bank of type names: `python -m modeling_nerret.training.type_names FOLDER`.

The names are those of the project's own corpus. Training writes them by itself at the end of a run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from modeling_nerret.detection import Detector, GivenSpans
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.pretrained.type_names import FILE, TypeNames
from modeling_nerret.spans import Span

from .data.corpus import SOURCE_FOLDER, Types, parse, read_corpus_types

BATCH = 256  # names that are embedded at a time
TEXTS = 2  # of each domain of the corpus, whose mentions show how near names usually are
# What the detector finds and the corpus does not mark, with parents: without these, dates look like holidays
AMOUNTS = {
    "point in time": (),
    "date": ("point in time",),
    "year": ("point in time",),
    "duration": (),
    "quantity": (),
    "number": ("quantity",),
    "percentage": ("quantity",),
    "amount of money": ("quantity",),
    "age": ("quantity",),
    "dosage": ("quantity",),
    "web address": (),
}


def main(arguments: list[str] | None = None) -> int:
    """Write the file into a checkpoint's folder, in the place of what is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the checkpoint's folder")
    folder: Path = parser.parse_args(arguments).folder
    checkpoint = load_checkpoint(str(folder))
    bank = corpus_type_names(checkpoint.model, checkpoint.tokenizer, checkpoint.detector)
    bank.save(folder)
    print(f"{len(bank)} names of types are in {folder / FILE}")
    return 0


def corpus_type_names(model: NerretModel, tokenizer: Any, detector: Detector | None) -> TypeNames:
    """The types of the project's corpus under their first wordings, and some of amounts, with the model's vectors.

    The background is that of the mentions in some of the corpus's texts.

    Args:
        model: the model.
        tokenizer: its tokenizer.
        detector: what finds the mentions in the texts; `None`: those that the corpus marks.

    Raises:
        ValueError: the model gives vectors that are no numbers.
    """
    types = read_corpus_types()
    names = {entry.id: entry.wordings[0] for entry in types.values()}
    parents = [*([names[parent] for parent in entry.parents] for entry in types.values()), *AMOUNTS.values()]
    encoder, wordings = Encoder(model, tokenizer, detector or GivenSpans()), [*names.values(), *AMOUNTS]
    was_training = model.training
    model.eval()
    parts = [encoder.embed_queries(wordings[begin : begin + BATCH]) for begin in range(0, len(wordings), BATCH)]
    mentions = np.concatenate([item.vectors for item in encoder.encode(_documents(types))])
    model.train(was_training)
    bank = TypeNames(wordings, parents, np.concatenate(parts))
    return TypeNames(wordings, parents, bank.vectors, bank.cosines(mentions).mean(axis=0)) if len(mentions) else bank


def _documents(types: Types) -> Iterator[Document]:
    """A few of the corpus's texts, evenly from all domains, with the mentions that it marks."""
    for path in sorted(SOURCE_FOLDER.glob("*.txt")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for part in range(TEXTS):
            text, mentions = parse(lines[part * len(lines) // TEXTS].partition(": ")[2].strip(), types)
            spans = sorted({(start, end) for start, end, _ in mentions})
            yield Document(f"{path.stem}-{part}", text, mentions=tuple(Span(*span) for span in spans))


if __name__ == "__main__":
    sys.exit(main())
