"""Measurements. Each is one command, and RESULTS.md has the results."""

from __future__ import annotations


def show(name: object, **figures: float) -> None:
    """Print figures on one line, at once."""
    print(f"{name}:", *(f"{key} {value:,.4g}" for key, value in figures.items()), sep="  ", flush=True)
