"""Make a system from its name."""

from __future__ import annotations

from collections.abc import Callable

from .baselines import bm25, random_order
from .gliner_passes import gliner
from .index_search import index_search
from .mention_vectors import last_layer, value_vectors
from .names import parse_name
from .sentences import sentence_model
from .trial import System

SYSTEMS: dict[str, System] = {"bm25": bm25, "random": random_order}
MAKERS: dict[str, Callable[[str], System]] = {
    "checkpoint": index_search,
    "st": sentence_model,
    "bare": value_vectors,
    "last": last_layer,
    "gliner": gliner,
}


def make_system(name: str) -> System:
    """The system with a name of the command line.

    Raises:
        ValueError: an unknown form; the message lists the known ones.
        OSError: there is no such checkpoint or backbone.
        ImportError: the system needs a package that is not installed.
    """
    kind, model = parse_name(name)
    return SYSTEMS[kind] if kind in SYSTEMS else MAKERS[kind](model)
