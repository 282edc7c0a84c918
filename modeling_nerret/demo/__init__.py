"""The demo: a small corpus written for this project, and three type queries to try on it."""

from __future__ import annotations

from importlib.resources import files

QUERIES = ("dinosaur", "chess player", "programming language")


def demo_corpus() -> str:
    """Path of the demo corpus: 339 short texts about real entities of some fifty fine-grained types."""
    return str(files(__package__) / "documents.jsonl")
