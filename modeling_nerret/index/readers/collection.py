"""A collection: documents of several files. What is wrong with a file costs that file only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...documents import Document
from .corpus import BadLine, Corpus, read_corpus
from .text_file import FILE
from .tree import Tree

REMEDY = "nothing after it is read (--on-error skip leaves such lines out and reads on)"
MADE_ID = re.compile(r"(?P<prefix>(?P<file>.*)@(?P<digest>[0-9a-f]{8}):).+", re.DOTALL)


class Collection(Iterator[Document | BadLine]):
    """The documents of a tree's files, in order.

    Args:
        tree: the files.
        is_strict: whether a broken row or line ends its file; else it is given as a `BadLine`, and reading goes on.
        options: arguments of `read_corpus`.

    Attributes:
        faults: files that were not read, or not to their end, and pages that were not read, with their reasons.
        guesses: names of files by the encoding that was guessed for them.
        broken_lines: how many were given.
        has_made_ids: whether a record so far had no id.
    """

    def __init__(self, tree: Tree, is_strict: bool, **options: Any):
        self.tree, self.faults = tree, list(tree.faults)
        self.guesses: dict[str, list[str]] = {}
        self.broken_lines, self.has_made_ids = 0, False
        self._is_strict, self._options = is_strict, options
        self._hashes: set[int] = set()  # of all ids so far
        self._complete: set[str] = set()  # prefixes of the files that were read without a fault
        self._items = self._read()

    def __next__(self) -> Document | BadLine:
        """The next document, or the next broken line."""
        return next(self._items)

    def cuttable(self) -> int:
        """How many text and Markdown files are a document each, and could be cut."""
        is_whole = self._options.get("split", FILE) == FILE
        return sum(file.kind in (".txt", ".md") for file in self.tree.files) if is_whole else 0

    def stale(self, ids: Iterable[str]) -> tuple[list[str], dict[str, str]]:
        """Which documents of earlier runs are gone from the files; to be asked when all has been read.

        A document is gone if its file is, or if its file was read without a fault and no longer has it.

        Args:
            ids: ids of an index.

        Returns:
            Ids of documents that are gone; and, of those whose folder is none of the tree's, the digest of the folder,
            by id: see `stale_folders`.
        """
        stale: list[str] = []
        strangers: dict[str, str] = {}
        for id in ids:
            match = MADE_ID.fullmatch(id)
            if match is None or hash(id) in self._hashes:
                continue
            if match["prefix"] in self._complete or self.tree.is_gone(match["file"], match["digest"]):
                stale.append(id)
            elif not self.tree.has_digest(match["digest"]):
                strangers[id] = match["digest"]
        return stale, strangers

    def stale_folders(self, documents: Mapping[str, Document], digests: Mapping[str, str]) -> list[str]:
        """Which documents lay in folders that are gone from the tree: their metadata have the path.

        Args:
            documents: by id.
            digests: of their folders, by id.
        """
        paths = {id: document.metadata.get("path") for id, document in documents.items()}
        return [id for id, path in paths.items() if isinstance(path, str) and self.tree.had(path, digests[id])]

    def _read(self) -> Iterator[Document | BadLine]:
        for file in self.tree.files:
            count = len(self.faults) + self.broken_lines
            is_empty, corpus = True, None
            try:
                corpus = read_corpus(str(file.path), name=file.name, hashes=self._hashes, **self._options)
                if corpus.guess:
                    self.guesses.setdefault(corpus.guess, []).append(file.name)
                for record in self._records(corpus) if _has_content(file.path) else ():
                    is_empty = False
                    yield record
            except Exception as error:  # of a library that reads the file, of whatever kind: the others are read
                self.faults.append(BadLine(file.name, _reason(error).removeprefix(f"{file.name}, ")))
            if corpus is None:
                continue
            self.has_made_ids = self.has_made_ids or corpus.has_made_ids
            if len(self.faults) + self.broken_lines == count:
                self._complete.add(corpus.prefix)
                if is_empty:
                    self.faults.append(BadLine(file.name, "it is empty"))

    def _records(self, corpus: Corpus) -> Iterator[Document | BadLine]:
        for record in corpus:
            if isinstance(record, Document):
                yield record
            elif not corpus.is_table:
                self.faults.append(record)
            elif self._is_strict:
                self.faults.append(BadLine(record.where, f"{record.reason}; {REMEDY}"))
                return
            else:
                self.broken_lines += 1
                yield record


def _has_content(path: Path) -> bool:
    return path.is_dir() or path.stat().st_size > 0


def _reason(error: Exception) -> str:
    message = " ".join(str(error).split())
    if isinstance(error, PermissionError):
        return "you may not read it"
    if isinstance(error, ValueError | OSError) and message:
        return message
    return f"it cannot be read ({type(error).__name__}{message and ': '}{message:.200})"
