"""`nerret models`: list the models that come with nerret."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes no arguments."""


def run(options: argparse.Namespace) -> int:
    """Print the name of each model, and a description."""
    from ..pretrained.built_in import built_in, describe

    for name in built_in():
        print(f"{name:<16} {describe(name)}")
    return 0
