"""Read corpora: tables, texts, pages, mails and documents of Office programs, or JSONL on standard input.

Each kind of file is a module that turns it into records, and `kinds` lists them. `corpus` makes documents of them:
every record becomes a document, or a `BadLine` that says where it stands and why it was refused. `tree` finds the files
of folders and patterns, and `collection` reads them all. A name is loaded when it is first used: a filter needs one of
these files, and should not wait for the others.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .collection import Collection
    from .corpus import BadLine, Corpus, read_corpus
    from .lines import Line, read_lines, standard_input
    from .tree import Tree

__all__ = ["BadLine", "Collection", "Corpus", "Line", "Tree", "read_corpus", "read_lines", "standard_input"]
_FILES = {
    "collection": ("Collection",),
    "corpus": ("BadLine", "Corpus", "read_corpus"),
    "lines": ("Line", "read_lines", "standard_input"),
    "tree": ("Tree",),
}
_FILE_OF = {name: file for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_FILE_OF[name]}"), name)
