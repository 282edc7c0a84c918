"""`nerret index`: add a corpus to an index."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from .arguments import add_model

if TYPE_CHECKING:
    from tqdm import tqdm

    from ..documents import Document
    from ..index.readers import BadLine
    from ..index.retriever import EntityRetriever

GROUP_CHARACTERS, GROUP_DOCUMENTS = 1_000_000, 1_000  # that are looked up at once


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add(
        "corpus",
        help="JSONL, JSONL.gz, TXT (a document a line), CSV, Parquet, - for JSONL on stdin, or demo for the 339 short "
        "texts that come with nerret",
    )
    add("index", help="the index folder; made if it is not there")
    add_model(parser)
    add("--text-column", default="text", metavar="NAME", help="field with the text (default: text)")
    add("--id-column", default="id", metavar="NAME", help="field with the id (default: id, or else the line's number)")
    add(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="what to do at a broken line: stop (default), or skip it and say so",
    )


def run(options: argparse.Namespace) -> int:
    """Index what is new or has changed, and print a summary."""
    from ..detectors import check_name, load_detector

    check_name(options.detector)

    from ..demo import demo_corpus
    from ..index.memory import share_heap
    from ..index.readers import read_corpus

    share_heap()  # before anything starts threads
    corpus = demo_corpus() if options.corpus == "demo" else options.corpus
    records = read_corpus(corpus, options.text_column, options.id_column)
    first = next(records, None)  # a corpus that cannot be read should say so before a model is loaded
    records = chain([] if first is None else [first], records)

    from tqdm import tqdm

    from ..index.retriever import EntityRetriever

    detector = load_detector(options.detector, options.device)
    retriever = EntityRetriever(options.index, options.model, detector, options.device)
    counts: Counter[str] = Counter()
    with tqdm(unit=" documents", desc="indexing", file=sys.stderr, disable=None) as progress:
        documents = _documents(records, counts, options.on_error == "stop", progress)
        additions = retriever.add(_changes(documents, retriever, counts, progress)).documents
    print(
        f"{options.index}: {additions} documents added, {counts['unchanged']} were there, "
        f"{counts['broken']} broken lines skipped; "
        f"{len(retriever)} documents, {retriever.info()['mentions']} mentions in all",
        file=sys.stderr,
    )
    return 0


def _documents(
    records: Iterable[Document | BadLine], counts: Counter[str], stop: bool, progress: tqdm[Any]
) -> Iterator[Document]:
    """The documents among the records; a broken line ends the run, or is named and skipped."""
    from ..documents import Document

    for record in records:
        if isinstance(record, Document):
            yield record
        elif stop:
            raise ValueError(f"{record.where}: {record.reason} (--on-error skip leaves such lines out)")
        else:
            counts["broken"] += 1
            progress.write(f"nerret: skipped {record.where}: {record.reason}", file=sys.stderr)


def _changes(
    documents: Iterable[Document], retriever: EntityRetriever, counts: Counter[str], progress: tqdm[Any]
) -> Iterator[Document]:
    """The documents that the index does not hold in this form."""
    from ..documents import in_groups

    for group in in_groups(documents, lambda document: len(document.text), GROUP_CHARACTERS, GROUP_DOCUMENTS):
        old = retriever.lookup([document.id for document in group])
        changes = [document for document in group if not _is_same(old.get(document.id), document)]
        counts["unchanged"] += len(group) - len(changes)
        progress.update(len(group))
        yield from changes


def _is_same(old: Document | None, document: Document) -> bool:
    """Whether the index holds exactly this; metadata is compared as JSON, the form in which it is stored."""
    from ..metadata import to_json

    if old is None or old.text != document.text:
        return False
    return to_json(old.metadata) == to_json(document.metadata)
