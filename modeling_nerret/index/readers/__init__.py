"""Read corpora: JSONL, JSON, CSV, TSV, Parquet, text with a document a line, or JSONL on standard input.

Each kind of file is a module that turns it into records. `corpus` makes documents of them: every record becomes a
document, or a `BadLine` that says where it stands and why it was refused.
"""

from .corpus import BadLine, Corpus, read_corpus
from .lines import Line, read_lines, standard_input

__all__ = ["BadLine", "Corpus", "Line", "read_corpus", "read_lines", "standard_input"]
