"""`nerret detect`: show the mentions that a detector finds."""

from __future__ import annotations

import argparse
import json
import sys

from .arguments import add_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("text", nargs="?", help="a text; default: one text a line on standard input")
    parser.add_argument("--json", action="store_true", help="one JSON object a line: text, mentions")
    add_model(parser)


def run(options: argparse.Namespace) -> int:
    """Print each mention's start, end, score and text."""
    from ..detectors import check_name, load_detector

    check_name(options.detector)

    from ..documents import Document
    from ..encoding import Encoder
    from ..pretrained.built_in import DEFAULT
    from ..pretrained.checkpoints import load_checkpoint

    checkpoint = load_checkpoint(options.model or DEFAULT, options.device)
    detector = load_detector(options.detector, options.device) or checkpoint.detector
    if detector is None:
        raise ValueError(f"the model {checkpoint.name!r} has no detector of its own; name one with --detector")
    texts = [options.text] if options.text is not None else (line.rstrip("\n") for line in sys.stdin if line.strip())
    documents = (Document.from_dict({"id": str(number), "text": text}) for number, text in enumerate(texts, 1))
    for item in Encoder(checkpoint.model, checkpoint.tokenizer, detector).encode(documents):
        text = item.document.text
        mentions = [span._asdict() | {"text": text[span.start : span.end]} for span in item.mentions]
        if options.json:
            print(json.dumps({"text": text, "mentions": mentions}, ensure_ascii=False))
        else:
            print("\n".join(f"{m['start']:>6} {m['end']:>6}  {m['score']:.2f}  {m['text']}" for m in mentions))
    return 0
