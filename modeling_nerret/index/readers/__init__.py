"""Read corpora: tables, texts, pages, mails and documents of Office programs, or JSONL on standard input.

Each kind of file is a module that turns it into records, and `kinds` lists them. `corpus` makes documents of them:
every record becomes a document, or a `BadLine` that says where it stands and why it was refused. `tree` finds the files
of folders and patterns, and `collection` reads them all.
"""

from .collection import Collection
from .corpus import BadLine, Corpus, read_corpus
from .lines import Line, read_lines, standard_input
from .tree import Tree

__all__ = ["BadLine", "Collection", "Corpus", "Line", "Tree", "read_corpus", "read_lines", "standard_input"]
