"""The inputs of `nerret index`: opened, said what became of them, and compared with the index."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .streams import say

if TYPE_CHECKING:
    from ..index.readers import Collection, Corpus
    from ..index.retriever import EntityRetriever

STDIN, DEMO = "-", "demo"
LOOKUP = 1_000  # documents that are looked up at once


def check_inputs(options: argparse.Namespace) -> None:
    """Refuse inputs and options that exclude each other.

    Raises:
        ValueError: the message says which.
    """
    alone = next((name for name in options.inputs if name in (STDIN, DEMO)), None)
    if alone is None:
        return
    if len(options.inputs) > 1:
        meaning = "standard input" if alone == STDIN else "the demo corpus"
        raise ValueError(f"{alone} is {meaning} and stands alone; for a file of that name write ./{alone}")
    if options.prune:
        raise ValueError("--prune compares an index with a file; without a file, remove documents with: nerret delete")


def open_inputs(options: argparse.Namespace) -> Corpus | Collection:
    """What the options name: one table or standard input as it is, several files or one document as a collection.

    Raises:
        OSError: an input is not there, or nothing that can be read is in it.
        ValueError: an input is of an unknown kind.
        ImportError: a library that reads some of the files is not installed.
    """
    from ..demo import demo_corpus
    from ..index.readers import Collection, Tree, read_corpus

    columns = {"text_column": options.text_column, "id_column": options.id_column, "encoding": options.encoding}
    name, is_demo = options.inputs[0], options.inputs == [DEMO]
    spans = is_demo or options.detector == "given"  # the demo's mentions are gold, no metadata
    if is_demo or options.inputs == [STDIN]:
        return read_corpus(demo_corpus() if is_demo else name, **columns, spans=spans)
    arguments = columns | {"spans": spans, "split": options.split or "file"}
    if len(options.inputs) == 1 and (not Path(name).is_dir() and Path(name).exists()):
        corpus = read_corpus(name, **arguments)
        if corpus.is_table:
            return corpus
    tree = Tree(options.inputs, options.include, options.exclude)
    return Collection(tree, options.on_error == "stop", **arguments)


def say_what_was_read(collection: Collection) -> None:
    """Say how many files were read, passed over and skipped; each of the last with its reason."""
    from ..index.readers.tree import counts

    tree = collection.tree
    parts = [f"{_count(len(tree.files), 'file')} read"]
    if cuttable := collection.cuttable():
        parts.append(f"{_count(cuttable, 'text')} as one document each (--split paragraph or --split line cuts them)")
    if tree.other_kinds:
        parts.append(f"passed over: {counts(tree.other_kinds)}")
    if tree.hidden_names:
        parts.append(f"{tree.hidden_names} hidden")
    if len(tree.files) != 1 or len(parts) > 1:
        say("; ".join(parts))
    say_guesses(collection.guesses)
    for fault in collection.faults:
        say(f"nerret: skipped {fault.where}: {fault.reason}")
    if collection.faults:
        say(f"{_count(len(collection.faults), 'item')} skipped; everything else is in the index")


def say_guesses(guesses: Mapping[str, Sequence[str]]) -> None:
    """Say of which files the encoding was guessed; nobody else would notice a wrong letter.

    Args:
        guesses: names of files, by encoding.
    """
    for encoding, names in guesses.items():
        say(f"nerret: not UTF-8, so read as {encoding}: {', '.join(names)} (another encoding: --encoding NAME)")


def prune(retriever: EntityRetriever, corpus: Corpus | Collection, faults: int, options: argparse.Namespace) -> str:
    """Remove documents that the inputs no longer have, if asked; what there is to say about it."""
    from ..index.readers import Corpus

    names = ", ".join(options.inputs)
    if isinstance(corpus, Corpus):
        ids = retriever.ids(corpus.prefix) if corpus.prefix else []
        stale = [name for name in ids if not corpus.has_given(name)]
        source = "lines"
    else:
        stale, source = (
            _stale(retriever, corpus, options.prune),
            "lines" if len(options.inputs) == len(corpus.tree.files) == 1 else "files or lines",
        )
        faults = 0  # documents of files with faults are not stale
    if stale and not options.prune:
        return (
            f"{len(stale)} documents in the index come from {source} that {names} no longer has; "
            "run the command again with --prune to remove them"
        )
    if stale and faults:
        return f"--prune removed nothing, because {faults} broken lines were skipped; mend them first"
    if stale:
        return f"{retriever.delete(stale)} documents removed that {names} no longer has"
    if options.prune and not corpus.has_made_ids:
        return (
            f"--prune removed nothing: {names} has ids of its own, which do not tell the file of a document; "
            "remove documents with: nerret delete"
        )
    return "--prune had nothing to remove" if options.prune else ""


def _stale(retriever: EntityRetriever, collection: Collection, is_thorough: bool) -> list[str]:
    """Ids of documents that are gone from the files; those of whole folders that are gone only if `is_thorough`."""
    stale, strangers = collection.stale(retriever.ids())
    if is_thorough and collection.tree.has_folders:
        ids = list(strangers)
        for start in range(0, len(ids), LOOKUP):
            documents = retriever.lookup(ids[start : start + LOOKUP])
            stale += collection.stale_folders(documents, strangers)
    return stale


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
