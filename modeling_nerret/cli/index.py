"""`nerret index`: add a corpus to an index."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from .arguments import add_model, allow_mixing, check_device
from .inputs import check_inputs, open_inputs, prune, say_guesses, say_what_was_read
from .streams import as_text, say

if TYPE_CHECKING:
    from ..documents import Document
    from ..index.readers import BadLine
    from ..index.retriever import EntityRetriever
    from .progress import Progress

GROUP_CHARACTERS, GROUP_DOCUMENTS = 1_000_000, 1_000  # that are looked up at once
SKIPPED = 3  # the exit code if files were skipped

EPILOG = """examples:
  nerret index articles.jsonl my-index
  nerret index letters/ reports/*.pdf my-index
  nerret index archive/ my-index --include "*.html" --exclude drafts --prune
  nerret index "mails/**/*.eml" my-index
  nerret index table.csv my-index --text-column title,body
  cat articles.jsonl | nerret index - my-index

Of a folder all files are read, also those in its folders: .jsonl .json .csv .tsv .txt .md .html .eml (these also as .gz
and .zst), .pdf (a document a page), .docx, .xlsx, .parquet, and folders of Hugging Face datasets. Links in it are not
followed. A file that cannot be read costs no other: it is named at the end, and the exit code is 3.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    allow_mixing(parser)
    add = parser.add_argument
    add(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help='files, folders or quoted patterns ("**/*.pdf"); - for JSONL on standard input; demo for the 339 short '
        "texts that come with nerret",
    )
    add("index", metavar="INDEX", help="the index folder; made if it is not there")
    add_model(parser)
    for name, meaning in (
        ("include", "read only files like this"),
        ("exclude", "leave out files or folders like this"),
    ):
        add(
            f"--{name}",
            action="append",
            default=[],
            metavar="PATTERN",
            help=f'of folders, {meaning}: a name such as "*.md", or a path such as "2020/**/*.md"; may be repeated',
        )
    add(
        "--split",
        choices=("file", "paragraph", "line"),
        help="what of a .txt or .md file is a document: the file (default), a paragraph or a line",
    )
    add(
        "--text-column",
        type=as_text,
        default="text",
        metavar="NAME,...",
        help="field with the text (default: text); of several, such as title,body, the texts are joined",
    )
    add(
        "--id-column",
        type=as_text,
        default="id",
        metavar="NAME",
        help="field with the id (default: id); a record without one gets an id from its file and line",
    )
    add(
        "--encoding",
        type=as_text,
        default="",
        metavar="NAME",
        help="encoding of .txt, .md, .csv, .tsv, .json and .jsonl files without a byte-order mark, such as cp1252 or "
        "shift_jis (default: UTF-8; the first four are guessed if they are not UTF-8, and the guess is told)",
    )
    add(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="what to do at a broken line: stop reading its file (default), or skip the line and say so",
    )
    add("--prune", action="store_true", help="remove documents of earlier runs that the files no longer have")


def run(options: argparse.Namespace) -> int:
    """Index what is new or has changed, and print a summary; 3 if files were skipped."""
    from ..detectors import check_name, load_detector

    check_name(options.detector)
    check_inputs(options)

    from ..index.memory import share_heap
    from ..index.readers import Corpus

    share_heap()  # before anything starts threads
    corpus = open_inputs(options)
    first = next(corpus, None)  # a corpus that cannot be read should say so before a model is loaded
    if not isinstance(corpus, Corpus) and first is None and len(options.inputs) == 1 and not corpus.tree.has_folders:
        raise OSError(f"{corpus.faults[0].where}: {corpus.faults[0].reason}")
    check_device(options.device, options.backend)

    from ..index.retriever import EntityRetriever
    from .progress import Progress

    detector = load_detector(options.detector, options.device)
    retriever = EntityRetriever(options.index, options.model, detector, options.device, backend=options.backend)
    counts: Counter[str] = Counter()
    with Progress(None, "indexing", "documents") as progress:
        records = chain([] if first is None else [first], corpus)
        documents = _documents(records, counts, options.on_error == "stop", progress)
        report = retriever.add(_changes(documents, retriever, counts, progress))
    message = prune(retriever, corpus, counts["broken"], options)
    say(
        f"{options.index}: {report.added} documents added, {report.replaced} replaced, "
        f"{counts['unchanged']} unchanged, {counts['broken']} broken lines skipped; "
        f"{len(retriever)} documents, {retriever.info()['mentions']} mentions in all"
    )
    if message:
        say(message)
    if isinstance(corpus, Corpus):
        say_guesses({corpus.guess: options.inputs} if corpus.guess else {})
        return 0
    say_what_was_read(corpus)
    return SKIPPED if corpus.faults else 0


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
