"""Arguments that several commands share."""

from __future__ import annotations

import argparse

from ..pretrained.built_in import DEFAULT


def add_index(parser: argparse.ArgumentParser) -> None:
    """Add the index folder."""
    parser.add_argument("index", help="the index folder")


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the model, the detector and the device."""
    parser.add_argument("--model", metavar="NAME", help=f"built-in name, folder or Hub id (default: {DEFAULT})")
    parser.add_argument(
        "--detector",
        metavar="NAME",
        default="probe",
        help="probe (the model's own, default), given (mentions in the corpus), hf:NAME (a token classifier), "
        "gliner:NAME (GLiNER), or generative:NAME (a language model)",
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, mps")


def positive(value: str) -> int:
    """A whole number from 1, for argparse."""
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number from 1")
    return number
