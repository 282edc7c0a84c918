"""`nerret export`: an index's mentions as a bulk file for a vector store."""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from .arguments import add_index
from .streams import as_text, check_file, print_json, say

EPILOG = """examples:
  nerret export my-index points.jsonl.gz --format qdrant
  nerret export my-index bulk.ndjson --format elasticsearch
  nerret export my-index --format elasticsearch --mapping

A point is a mention: its vector, document, start, end, text, the passage around it, and the document's metadata.
Vectors are as stored: a shorter one counts less. Rank by the dot product, never by the cosine, and let a document's
best mention decide. A type query's vector comes from POST /embed of nerret serve.
"""
FORMATS = ("qdrant", "elasticsearch")
LEVEL = 3  # of gzip: half the time of the usual one, for a file that is a little larger


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    add_index(parser)
    add = parser.add_argument
    add("file", nargs="?", type=as_text, metavar="FILE", help="the file to write; compressed if its name ends in .gz")
    add(
        "--format",
        required=True,
        choices=FORMATS,
        help="JSON lines of Qdrant's points, or the bulk lines of Elasticsearch and OpenSearch",
    )
    add("--mapping", action="store_true", help="print the store's settings for these points, and write no file")
    add("--texts", action="store_true", help="give each point its document's whole text too; the file is far larger")


def run(options: argparse.Namespace) -> int:
    """Write the file, or print the settings.

    Raises:
        ValueError: the path is no index, or there is neither a file nor --mapping.
        OSError: the file cannot be written.
    """
    from ..index.folder import read_manifest

    size = read_manifest(options.index)["size"]
    if bool(options.file) == options.mapping:
        raise ValueError("give a FILE to write, or --mapping to print the settings")
    if options.file:
        check_file(options.file)

    from ..bridges.vector_stores import FORMATS as FORMS
    from ..bridges.vector_stores import read_points
    from ..index.store import Store
    from .progress import Progress

    form = FORMS[options.format]
    if options.mapping:
        print_json(form.settings(size))
        return 0
    store = Store(options.index)
    count = store.count_mentions()
    with _output(Path(options.file)) as file:
        for point in Progress(read_points(store, options.texts), "exporting", "mentions", count):
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in form.lines(point))
    say(f"{options.file}: {count:,} mentions, vectors of {size} numbers; rank by the dot product, not by the cosine")
    return 0


@contextmanager
def _output(path: Path) -> Iterator[TextIO]:
    """A file to write, which takes its place when it is complete."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with ExitStack() as stack:
            raw: Any = stack.enter_context(draft.open("wb"))
            if path.suffix == ".gz":  # without a time: equal indexes give equal files
                raw = stack.enter_context(gzip.GzipFile("", "wb", LEVEL, raw, mtime=0))
            yield stack.enter_context(io.TextIOWrapper(raw, "utf-8", newline="\n"))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
