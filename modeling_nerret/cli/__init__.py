"""The command `nerret`: index, search, detect, delete, compact, info, models, convert."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from transformers.utils import logging

from ..documents import Document, in_groups
from ..metadata import as_number, to_json

OK, FAILURE, USAGE = 0, 1, 2
DEFAULT_MODEL = "nerret-minilm"

EPILOG = """examples:
  nerret index articles.jsonl my-index
  nerret search my-index "drug that lowers blood pressure" -k 20
  nerret search my-index dinosaur --where "year>=1990" --json | jq .id
  cat articles.jsonl | nerret index - my-index
"""


class Failure(Exception):
    """Something went wrong that the user can mend; the message says how."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code: 0, 1 (failure) or 2 (bad usage)."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logging.disable_progress_bar()  # of loading weights, which takes a moment
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("nerret: interrupted; what was committed is kept, run the command again to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone, which is no error
        return OK
    except (Failure, ValueError, OSError, RuntimeError, ImportError) as error:
        if options.debug:
            raise
        print(f"nerret: {' '.join(str(error).split())}", file=sys.stderr)
        return FAILURE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nerret",
        description="Find every document that mentions an entity of a type that nobody foresaw.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    index = commands.add_parser("index", help="add a corpus to an index; run again, it goes on where it stopped")
    index.add_argument("corpus", help="JSONL, JSONL.gz, TXT (a document a line), CSV, Parquet, or - for JSONL on stdin")
    index.add_argument("index", help="the index folder; made if it is not there")
    _add_model(index)
    index.add_argument("--text-column", default="text", metavar="NAME", help="field with the text (default: text)")
    index.add_argument(
        "--id-column", default="id", metavar="NAME", help="field with the id (default: id; else the line)"
    )
    index.add_argument(
        "--on-error",
        choices=("stop", "skip"),
        default="stop",
        help="a broken line ends the run (default) or is skipped",
    )
    index.set_defaults(run=_index)

    search = commands.add_parser("search", help="documents that mention an entity of a type")
    search.add_argument("index", help="the index folder")
    search.add_argument("type", help='the type in plain words, such as "dinosaur"')
    search.add_argument("-k", type=_positive, default=10, help="how many documents (default: 10)")
    search.add_argument(
        "--mode",
        choices=("hybrid", "vector", "document", "lexical"),
        default="hybrid",
        help="by mentions (vector), whole texts (document), words (lexical), or all of them (hybrid, the default)",
    )
    search.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COND",
        help='"field=value", also != >= <= > <, or "field" alone (it is there); may be repeated',
    )
    search.add_argument("--min-score", type=float, metavar="S", help="leave out documents with a lower score")
    search.add_argument("--json", action="store_true", help="one JSON object a line: id, score, text, mentions")
    search.add_argument("--model", metavar="NAME", help="default: the model that the index was made with")
    search.set_defaults(run=_search)

    app = commands.add_parser("app", help="ask an index in the browser, on this computer only")
    app.add_argument("index", nargs="?", help="the index folder; without it, the demo corpus and text that you paste")
    app.add_argument("--port", type=_positive, metavar="N", help="default: the first free one from 7860")
    app.add_argument("--no-browser", action="store_true", help="only print the address")
    app.set_defaults(run=_app)

    detect = commands.add_parser("detect", help="show the mentions that the detector finds, without an index")
    detect.add_argument("text", nargs="?", help="a text; default: one text a line on standard input")
    detect.add_argument("--json", action="store_true", help="one JSON object a line: text, mentions")
    _add_model(detect)
    detect.set_defaults(run=_detect)

    delete = commands.add_parser("delete", help="remove documents from an index")
    delete.add_argument("index", help="the index folder")
    delete.add_argument("ids", nargs="+", metavar="ID", help="ids of documents")
    delete.set_defaults(run=_delete)

    compact = commands.add_parser("compact", help="give the space of deleted and replaced documents back to the disk")
    compact.add_argument("index", help="the index folder")
    compact.set_defaults(run=_compact)

    info = commands.add_parser("info", help="what an index holds")
    info.add_argument("index", help="the index folder")
    info.set_defaults(run=_info)

    models = commands.add_parser("models", help="models that come with nerret")
    models.set_defaults(run=_models)

    convert = commands.add_parser("convert", help="the published head of NER Retriever as a checkpoint of nerret")
    convert.add_argument("head", type=Path, help="the authors' file, .pth or .safetensors")
    convert.add_argument("out", type=Path, help="the checkpoint's folder; made if it is not there")
    convert.add_argument(
        "--backbone",
        metavar="NAME",
        default="meta-llama/Llama-3.1-8B",
        help="Hub id or folder of the model that the head was trained on (default: meta-llama/Llama-3.1-8B); its "
        "weights are read, and the checkpoint names it so",
    )
    convert.add_argument("--revision", metavar="COMMIT", help="of the backbone (default: the one that is found)")
    convert.add_argument("--layer", type=int, default=17, metavar="K", help="0-based block (default: 17)")
    convert.set_defaults(run=_convert)
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", help=f"built-in name, folder or Hub id (default: {DEFAULT_MODEL})")
    parser.add_argument(
        "--detector",
        metavar="WHICH",
        default="probe",
        help="probe (the model's own, default), given (mentions in the corpus), hf:NAME (a token classifier), "
        "gliner:NAME (GLiNER), or generative:NAME (a language model)",
    )
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, mps")


def _positive(value: str) -> int:
    try:
        number = int(value)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{value!r} is no whole number from 1")
    return number


def _index(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from ..index.readers import read_corpus

    records = read_corpus(options.corpus, options.text_column, options.id_column)
    first = next(records, None)  # a corpus that cannot be read at all should say so before a model is loaded
    records = chain([] if first is None else [first], records)
    retriever = _retriever(options.index, options.model, options.detector, options.device)
    counts: Counter[str] = Counter()
    with tqdm(unit=" documents", desc="indexing", file=sys.stderr, disable=None) as progress:
        documents = _good(records, counts, options.on_error == "stop", progress)
        added = retriever.add(_unknown(documents, retriever, counts, progress)).documents
    if added:
        retriever.compact()
    print(
        f"{options.index}: {added} documents added, {counts['known']} were there, "
        f"{counts['bad']} broken lines skipped; "
        f"{len(retriever)} documents, {retriever.info()['mentions']} mentions in all",
        file=sys.stderr,
    )
    return OK


def _good(records: Iterable[Any], counts: Counter[str], stop: bool, progress: Any) -> Iterator[Document]:
    """The documents among the records; another record ends the run, or is told and left out."""
    for record in records:
        if isinstance(record, Document):
            yield record
        elif stop:
            raise Failure(f"{record.where}: {record.reason} (--on-error skip leaves such lines out)")
        else:
            counts["bad"] += 1
            progress.write(f"nerret: skipped {record.where}: {record.reason}", file=sys.stderr)


def _unknown(documents: Iterable[Document], index: Any, counts: Counter[str], progress: Any) -> Iterator[Document]:
    """Those of the documents that the index does not hold just so."""
    for group in in_groups(documents, lambda document: len(document.text), 1_000_000, 1_000):
        there = index.lookup([document.id for document in group])
        new = [document for document in group if not _same(there.get(document.id), document)]
        counts["known"] += len(group) - len(new)
        progress.update(len(group))
        yield from new


def _same(stored: Document | None, document: Document) -> bool:
    """Whether the index holds just this; metadata is compared as JSON, which is how it is stored."""
    if stored is None or stored.text != document.text:
        return False
    return to_json(stored.metadata) == to_json(document.metadata)


def _search(options: argparse.Namespace) -> int:
    from ..index.store import Store

    where = _conditions(options.where)
    made_with = Store(options.index).manifest["model"]
    hits = _retriever(options.index, options.model or made_with, "given", "cpu").search(
        options.type, options.k, where or None, options.mode, options.min_score
    )
    if options.json:
        for hit in hits:
            print(json.dumps(hit.as_dict(), ensure_ascii=False))
        return OK
    from .display import print_hits

    print_hits(hits)
    return OK


def _app(options: argparse.Namespace) -> int:
    from ..index.store import Store

    if options.index is not None:
        Store(options.index)  # a wrong path should say so before everything else is loaded
    from ..app.page import run

    run(options.index, options.port, not options.no_browser)
    return OK


def _detect(options: argparse.Namespace) -> int:
    from ..pretrained.checkpoints import load_checkpoint
    from ..encoding import Encoder

    checkpoint = load_checkpoint(options.model or DEFAULT_MODEL, options.device)
    detector = _detector(options.detector, options.device) or checkpoint.detector
    if detector is None:
        raise Failure(f"the model {checkpoint.name!r} has no detector of its own; name one with --detector")
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, detector)
    texts = [options.text] if options.text is not None else (line.rstrip("\n") for line in sys.stdin if line.strip())
    documents = (Document.from_dict({"id": str(number), "text": text}) for number, text in enumerate(texts, 1))
    for one in encoder.encode(documents):
        text = one.document.text
        mentions = [span._asdict() | {"text": text[span.start : span.end]} for span in one.mentions]
        if options.json:
            print(json.dumps({"text": text, "mentions": mentions}, ensure_ascii=False))
        else:
            print("\n".join(f"{m['start']:>6} {m['end']:>6}  {m['score']:.2f}  {m['text']}" for m in mentions))
    return OK


def _delete(options: argparse.Namespace) -> int:
    from ..index.store import Store

    store = Store(options.index)
    with store.writing():
        removed = store.delete(options.ids)
    print(f"{removed} of {len(options.ids)} documents removed", file=sys.stderr)
    return OK if removed == len(options.ids) else FAILURE


def _compact(options: argparse.Namespace) -> int:
    from ..index.store import Store

    store = Store(options.index)
    before = store.info()["bytes"]
    with store.writing():
        store.compact()
    print(f"{options.index}: {before:,} bytes before, {store.info()['bytes']:,} now", file=sys.stderr)
    return OK


def _info(options: argparse.Namespace) -> int:
    from ..index.store import Store

    for name, value in Store(options.index).info().items():
        print(f"{name:<10} {value}")
    return OK


def _models(options: argparse.Namespace) -> int:
    from ..pretrained.checkpoints import BUILT_IN, built_in

    for name in built_in():
        config = json.loads((BUILT_IN / name / "config.json").read_text(encoding="utf-8"))
        sizes = f"layer {config['layer']}, {config['pooling']} pooling, {config['hidden_size']} numbers a mention"
        print(f"{name:<16} {config['backbone']}, {sizes}")
    return OK


def _convert(options: argparse.Namespace) -> int:
    from ..pretrained.convert import convert

    config = convert(options.head, options.backbone, options.layer, options.out, options.revision).config
    print(
        f"{options.out}: a head over block {config.layer} of {config.backbone}, {config.hidden_size} numbers a "
        f"mention. It has no detector; use it with: nerret index CORPUS INDEX --model {options.out} --detector given "
        "(or hf:NAME, gliner:NAME, generative:NAME)",
        file=sys.stderr,
    )
    return OK


def _retriever(index: str, model: str | None, detector: str, device: str) -> Any:
    from ..index.retriever import EntityRetriever, index_model

    if model is None:
        model = index_model(index) if Path(index).exists() else None
    return EntityRetriever(index, model or DEFAULT_MODEL, _detector(detector, device), device)


def _detector(which: str, device: str) -> Any:
    from ..detection import GivenSpans
    from ..detectors.generative import GenerativeExtractor
    from ..detectors.gliner import Gliner
    from ..detectors.token_classifier import TokenClassifier

    if which == "probe":
        return None
    if which == "given":
        return GivenSpans()
    makers = {"hf": TokenClassifier, "gliner": Gliner, "generative": GenerativeExtractor}
    kind, _, name = which.partition(":")
    if kind not in makers or not name:
        raise Failure(
            f"--detector {which!r} is unknown; accepted are probe, given, hf:NAME, gliner:NAME, generative:NAME"
        )
    return makers[kind](name, device)


def _conditions(tests: list[str]) -> dict[str, dict[str, Any]]:
    """`["year>=1990", "topic=nature", "author"]` as a filter; what spells a number is compared as a number."""
    where: dict[str, dict[str, Any]] = {}
    for test in tests:
        match = re.fullmatch(r"\s*([^=!<>]+?)\s*(==|=|!=|>=|<=|>|<)\s*(.*?)\s*", test)
        if match is not None:
            name, operator, text = match.groups()
            number = as_number(text)
            value: Any = text if number is None else number
            operator = "==" if operator == "=" else operator
        elif re.fullmatch(r"[\w\s.-]+", test):
            name, operator, value = test.strip(), "exists", True
        else:
            raise Failure(f'--where {test!r} is no condition; write "field=value", or != >= <= > < in the place of =')
        if operator in where.setdefault(name, {}):
            raise Failure(f"--where compares {name!r} twice with {operator}; a field can be compared so once")
        where[name][operator] = value
    return where


if __name__ == "__main__":
    sys.exit(main())
