"""Verify an index: the files behind it and, deeply, every document, mention and vector."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
import pyarrow as pa

from ..documents import Document
from ..metadata import flatten, to_json
from .commits import checksum, read_checksums, table_files
from .folder import REMEDY, as_path, read_manifest, write_lock
from .snapshot import Snapshot
from .store import Store
from .tables import as_array, count_terms, rows_of
from .terms import join, terms_of

LENGTH = 0.02  # how far a vector's length may be from 1: it is sums in half precision


class Check:
    """Looks for faults in an index; nobody can write to it meanwhile.

    Args:
        path: the index folder.

    Raises:
        ValueError: the path is no index, or its manifest or last commit is damaged.
    """

    def __init__(self, path: Any):
        self.path = as_path(path)
        self.manifest = read_manifest(self.path)
        self.store = Store(self.path)
        self.snapshot: Snapshot = self.store.snapshot()

    def faults(self, deep: bool = False) -> list[str]:
        """What is wrong, a sentence each; empty if nothing is.

        Args:
            deep: also read every document, mention and vector, which takes minutes for a large index.

        Raises:
            RuntimeError: another process writes to the index.
        """
        with ExitStack() as stack:
            with suppress(OSError):  # where no lock can be made, nobody writes
                stack.enter_context(write_lock(self.path))
            self.snapshot = self.store.snapshot()
            faults = list(self._files())
            faults += self._counts()
            return faults + (list(self._contents()) if deep and not faults else [])

    def _files(self) -> Iterator[str]:
        """Files that are missing, changed or of nobody."""
        commit, files = self.snapshot.commit, table_files(self.path)
        checksums = read_checksums(self.path, commit)
        if commit.cleanup:
            yield f"a compaction was interrupted; finish it with: nerret compact {self.path}"
        for name, expected in checksums.items():
            if name not in files and commit.cleanup:
                continue
            if name not in files:
                yield f"{name} is missing; {REMEDY}"
            elif files[name].is_symlink() or not files[name].is_file():
                yield f"{name} is no regular file; {REMEDY}"
            elif checksum(files[name]) != expected:
                yield f"{name} has changed since it was written; {REMEDY}"
        strangers = sorted(files.keys() - checksums.keys())
        if strangers:
            yield (
                f"{len(strangers)} files belong to no commit, such as {strangers[0]}: an interrupted writer left them; "
                f"remove them with: nerret compact {self.path}"
            )

    def _counts(self) -> Iterator[str]:
        """Tables whose sizes do not fit each other."""
        documents, commit = self.snapshot.tables["documents"], self.snapshot.commit
        try:
            rows = rows_of(documents, ["key", "id", "length"])
        except (OSError, RuntimeError, ValueError) as error:
            yield f"the documents cannot be read ({' '.join(str(error).split())[:120]}); {REMEDY}"
            return
        words = sum(rows["length"].to_pylist())
        if words != commit.words:
            yield f"the texts have {words:,} words, the last commit says {commit.words:,}; {REMEDY}"
        for name in ("key", "id"):
            repeats = [value for value, count in Counter(rows[name].to_pylist()).items() if count > 1]
            if repeats:
                yield f"{len(repeats)} documents have the {name} of another, such as {repeats[0]!r:.60}; {REMEDY}"
        keys = np.asarray(rows["key"])
        if len(keys) and not 0 < keys.min() <= keys.max() < commit.next_key:
            yield f"a document's key is not below {commit.next_key}, the next one; {REMEDY}"
        for table in ("mentions", "windows", "metadata"):
            try:
                owners = np.asarray(rows_of(self.snapshot.tables[table], ["key"])["key"])
            except (OSError, RuntimeError, ValueError) as error:
                yield f"the table {table} cannot be read ({' '.join(str(error).split())[:120]}); {REMEDY}"
                continue
            orphans = np.setdiff1d(owners, keys)
            if len(orphans):
                yield f"the table {table} has rows of {len(orphans)} documents that are gone; {REMEDY}"

    def _contents(self) -> Iterator[str]:
        """Documents, mentions, windows, vectors and words that are not as they were written."""
        counts: Counter[str] = Counter()
        lengths: dict[int, int] = {}
        faults: Counter[str] = Counter()
        for batch in _batches(self.snapshot.tables["documents"]):
            for row in batch.to_pylist():
                lengths[row["key"]] = len(row["text"])
                for fault in self._document(row):
                    faults[fault] += 1
            counts.update(count_terms(batch["words"].to_pylist()))
        yield from faults
        yield from self._spans(lengths)
        yield from self._terms(counts)

    def _document(self, row: dict[str, Any]) -> Iterator[str]:
        name, words = f"document {row['id']!r:.60}", terms_of(row["text"])
        try:
            metadata = json.loads(row["metadata"])
            document = Document.from_dict(metadata | {"id": row["id"], "text": row["text"]})
        except (ValueError, TypeError) as error:
            yield f"{name}: {error}"
            return
        if row["words"] != join(words) or row["length"] != len(words):
            yield f"{name}: its words for lexical search are not those of its text; {REMEDY}"
        values = rows_of(self.snapshot.tables["metadata"], ["value"], f"key = {row['key']}")["value"].to_pylist()
        if sorted(values) != sorted(set(flatten(metadata))):
            yield f"{name}: filters see other metadata than it has ({to_json(document.metadata)[:80]}); {REMEDY}"

    def _spans(self, lengths: dict[int, int]) -> Iterator[str]:
        """Mentions and windows outside their texts, and vectors of a wrong length; a doubtful mention's is short."""
        for table in ("mentions", "windows"):
            strays = faults = 0
            for batch in _batches(self.snapshot.tables[table]):
                places = zip(*(batch[name].to_pylist() for name in ("key", "start", "end")), strict=True)
                strays += sum(not 0 <= start < end <= lengths[key] for key, start, end in places)
                norms = np.linalg.norm(as_array(batch["vector"]).astype(np.float32), axis=1)  # (rows,)
                least = 0.0 if table == "mentions" else 1 - LENGTH
                faults += int((~((norms > least) & (norms < 1 + LENGTH))).sum())
            if strays:
                yield f"{strays} {table} lie outside their texts; {REMEDY}"
            if faults:
                yield f"{faults} vectors of {table} have a wrong length; {REMEDY}"

    def _terms(self, counts: Counter[str]) -> Iterator[str]:
        rows = rows_of(self.snapshot.tables["terms"], ["term", "documents"])
        sums: Counter[str] = Counter()
        for term, count in zip(rows["term"].to_pylist(), rows["documents"].to_pylist(), strict=True):
            sums[term] += count
        wrong = [term for term in counts.keys() | sums.keys() if counts[term] != sums[term]]
        if wrong:
            yield f"{len(wrong)} words are counted wrongly, such as {min(wrong)!r:.60}; {REMEDY}"


def _batches(table: Any) -> Iterator[pa.Table]:
    """A table's rows, some thousands at a time."""
    for batch in table.search().limit(2**31 - 1).to_batches(5_000):
        yield pa.Table.from_batches([batch])
