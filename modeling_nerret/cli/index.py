"""`nerret index`: add a corpus to an index."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from .arguments import add_model, check_device
from .streams import as_text, say

if TYPE_CHECKING:
    from ..documents import Document
    from ..index.readers import BadLine, Corpus
    from ..index.retriever import EntityRetriever
    from .progress import Progress

DEMO = "demo"
GROUP_CHARACTERS, GROUP_DOCUMENTS = 1_000_000, 1_000  # that are looked up at once


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add(
        "corpus",
        help="JSONL, JSON, CSV, TSV, TXT (a document a line), the same with .gz, Parquet, - for JSONL on stdin, or "
        "demo for the 339 short texts that come with nerret",
    )
    add("index", help="the index folder; made if it is not there")
    add_model(parser)
    add("--text-column", type=as_text, default="text", metavar="NAME", help="field with the text (default: text)")
    add(
        "--id-column",
        type=as_text,
        default="id",
        metavar="NAME",
        help="field with the id (default: id); a record without one gets an id from its file and line",
    )
    add(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="what to do at a broken line: stop (default), or skip it and say so",
    )
    add("--prune", action="store_true", help="remove documents of earlier lines that the file no longer has")


def run(options: argparse.Namespace) -> int:
    """Index what is new or has changed, and print a summary."""
    from ..detectors import check_name, load_detector

    check_name(options.detector)
    if options.prune and options.corpus in ("-", DEMO):
        raise ValueError("--prune compares an index with a file; without a file, remove documents with: nerret delete")

    from ..demo import demo_corpus
    from ..index.memory import share_heap
    from ..index.readers import read_corpus

    share_heap()  # before anything starts threads
    is_demo = options.corpus == DEMO
    path = demo_corpus() if is_demo else options.corpus
    # the demo's mentions are gold, no metadata
    corpus = read_corpus(path, options.text_column, options.id_column, spans=is_demo or options.detector == "given")
    first = next(corpus, None)  # a corpus that cannot be read should say so before a model is loaded
    check_device(options.device)

    from ..index.retriever import EntityRetriever
    from .progress import Progress

    detector = load_detector(options.detector, options.device)
    retriever = EntityRetriever(options.index, options.model, detector, options.device)
    counts: Counter[str] = Counter()
    with Progress(None, "indexing", "documents") as progress:
        records = chain([] if first is None else [first], corpus)
        documents = _documents(records, counts, options.on_error == "stop", progress)
        report = retriever.add(_changes(documents, retriever, counts, progress))
    message = _prune(retriever, corpus, counts["broken"], options)
    say(
        f"{options.index}: {report.added} documents added, {report.replaced} replaced, "
        f"{counts['unchanged']} unchanged, {counts['broken']} broken lines skipped; "
        f"{len(retriever)} documents, {retriever.info()['mentions']} mentions in all"
    )
    if message:
        say(message)
    return 0


def _documents(
    records: Iterable[Document | BadLine], counts: Counter[str], stop: bool, progress: Progress
) -> Iterator[Document]:
    """The documents among the records; a broken line ends the run, or is named and skipped."""
    from ..documents import Document

    for record in records:
        if isinstance(record, Document):
            yield record
        elif stop:
            # not ValueError, which would take back what was committed before this line
            raise OSError(f"{record.where}: {record.reason} (--on-error skip leaves such lines out)")
        else:
            counts["broken"] += 1
            with progress.external_write_mode():
                say(f"nerret: skipped {record.where}: {record.reason}")


def _changes(
    documents: Iterable[Document], retriever: EntityRetriever, counts: Counter[str], progress: Progress
) -> Iterator[Document]:
    """The documents that the index does not hold in this form; given spans are a part of it."""
    from ..detection import GivenSpans
    from ..documents import in_groups

    spans = isinstance(retriever.detector, GivenSpans)

    for group in in_groups(documents, lambda document: len(document.text), GROUP_CHARACTERS, GROUP_DOCUMENTS):
        old = retriever.lookup([document.id for document in group], spans)
        changes = [document for document in group if not _is_same(old.get(document.id), document, spans)]
        counts["unchanged"] += len(group) - len(changes)
        progress.update(len(group))
        yield from changes


def _is_same(old: Document | None, document: Document, spans: bool) -> bool:
    """Whether the index holds exactly this; metadata is compared as JSON, the form in which it is stored."""
    from ..metadata import to_json

    if old is None or old.text != document.text:
        return False
    if spans and {span[:2] for span in old.mentions} != {span[:2] for span in document.mentions}:
        return False
    return to_json(old.metadata) == to_json(document.metadata)


def _prune(retriever: EntityRetriever, corpus: Corpus, faults: int, options: argparse.Namespace) -> str:
    """Remove documents of lines that the file no longer has, if asked; what there is to say about it."""
    stale = [name for name in retriever.ids(corpus.prefix) if not corpus.has_given(name)] if corpus.prefix else []
    if stale and not options.prune:
        return (
            f"{len(stale)} documents in the index come from lines that {options.corpus} no longer has; "
            "run the command again with --prune to remove them"
        )
    if stale and faults:
        return f"--prune removed nothing, because {faults} broken lines were skipped; mend them first"
    if stale:
        return f"{retriever.delete(stale)} documents removed that {options.corpus} no longer has"
    if options.prune and not corpus.has_made_ids:
        return (
            f"--prune removed nothing: {options.corpus} has ids of its own, which do not tell the file of a document; "
            "remove documents with: nerret delete"
        )
    return "--prune had nothing to remove" if options.prune else ""
