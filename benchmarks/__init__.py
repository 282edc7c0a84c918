"""Measurements, each one command; results are in RESULTS.md."""

from __future__ import annotations


def show(name: object, **figures: float) -> None:
    """Print figures on one line, as soon as they are there."""
    print(f"{name}:", *(f"{key} {value:,.4g}" for key, value in figures.items()), sep="  ", flush=True)
