"""`nerret detect`: show the mentions that a detector finds."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..index.plain_text import one_line
from .arguments import add_model, check_device
from .streams import as_text, print_json, say

if TYPE_CHECKING:
    from ..documents import Document


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("text", type=as_text, nargs="?", help="a text; default: one text a line on standard input")
    parser.add_argument("--all", action="store_true", help="also what is indexed but unsure, or inside another mention")
    parser.add_argument("--json", action="store_true", help="one JSON object a line: text, mentions")
    add_model(parser)


def run(options: argparse.Namespace) -> int:
    """Print each mention's start, end, score and text; 1 if a line is no text."""
    from ..detectors import check_name, load_detector

    check_name(options.detector)
    check_device(options.device, options.backend)

    from ..detection import readable
    from ..encoding import Encoder
    from ..pretrained.built_in import DEFAULT
    from ..pretrained.checkpoints import load_checkpoint

    checkpoint = load_checkpoint(options.model or DEFAULT, options.device, options.backend)
    detector = load_detector(options.detector, options.device) or checkpoint.detector
    if detector is None:
        raise ValueError(f"the model {checkpoint.name!r} has no detector of its own; name one with --detector")
    faults: list[str] = []
    for item in Encoder(checkpoint.model, checkpoint.tokenizer, detector).encode(_documents(options.text, faults)):
        text = item.document.text
        spans = item.mentions if options.all else readable(item.mentions)
        mentions = [span._asdict() | {"text": text[span.start : span.end]} for span in spans]
        if options.json:
            print_json({"text": text, "mentions": mentions})
        else:
            for mention in mentions:
                print("{start:>6} {end:>6}  {score:.2f}  ".format(**mention) + one_line(mention["text"]))
    return 1 if faults else 0


def _documents(text: str | None, faults: list[str]) -> Iterator[Document]:
    """The text, or the lines of standard input; a line that is no text is named and added to `faults`."""
    from ..documents import Document
    from ..index.readers import read_lines, standard_input

    if text is not None:
        yield Document.from_dict({"id": "1", "text": text})
        return
    for line in read_lines(standard_input()):
        if line.fault:
            faults.append(line.fault)
            say(f"nerret: skipped standard input, line {line.number}: {line.fault}")
        elif line.content.strip():
            yield Document.from_dict({"id": str(line.number), "text": line.content})
