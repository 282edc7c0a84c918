"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from typing import Any

from ..backends import BACKENDS, TORCH
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
    add_backend(parser)


def add_backend(parser: argparse.ArgumentParser) -> None:
    """Add the backend."""
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default=TORCH,
        help="what runs the model: torch (default), or openvino (the extra of this name), which is faster on a CPU",
    )


def allow_mixing(parser: argparse.ArgumentParser) -> None:
    """Let options stand between arguments of which there may be several; argparse would take the first ones only."""
    parse = parser.parse_known_args

    def parse_mixed(arguments: Any = None, namespace: Any = None) -> Any:
        parser.parse_known_args = parse  # type: ignore[method-assign]
        try:
            return parser.parse_known_intermixed_args(arguments, namespace)
        finally:
            parser.parse_known_args = parse_mixed  # type: ignore[assignment, method-assign]

    parser.parse_known_args = parse_mixed  # type: ignore[assignment, method-assign]


def check_device(name: str, backend: str = TORCH) -> None:
    """Refuse a device that torch cannot use here, or a backend that is not installed or cannot use it.

    Raises:
        ValueError: the message says why, and which devices there are.
        ImportError: the backend is not installed.
    """
    if backend != TORCH:
        from ..backends.states import check_backend

        check_backend(backend, name)
    if name == "cpu":
        return
    import torch

    try:
        torch.zeros(1, device=name).tolist()
    except Exception as error:  # each kind of device fails in a way of its own
        kinds = ["cpu", *(kind for kind in ("cuda", "mps") if getattr(torch, kind).is_available())]
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"the device {name!r} cannot be used ({reason:.200}); available here: {', '.join(kinds)}"
        ) from None


def positive(value: str) -> int:
    """A whole number from 1, for argparse."""
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is not a whole number from 1")
    return number
