"""Change an index: add, replace and delete documents, each time as one commit; compact it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from ..documents import EncodedDocument
from .commits import (
    Checksum,
    Commit,
    add_checksums,
    checksum,
    make_durable,
    read_checksums,
    read_commit,
    remove_halves,
    remove_hints,
    table_files,
    write_commit,
)
from .engine import IvfRq, connect
from .folder import TABLES, plain_errors
from .memory import trim_memory
from .tables import (
    chunks,
    count_terms,
    document_rows,
    is_in,
    keys_by_id,
    metadata_rows,
    rows_in,
    rows_of,
    term_rows,
    unindexed_rows,
    vector_index,
    vector_rows,
)

APPROXIMATE_FROM = 20_000  # mentions; below, an exact scan is fast enough
ROUNDS = 5  # of optimising a table; merging files is one, updating indexes another, and the last finds nothing to do
TRIM_FROM = 500  # documents of a commit; it takes longer than a commit of one
SPARE_COMMITS = 100  # so many, and another for each 2,000 documents, until the many small files are counts
SPARE_DOCUMENTS, SPARE_SHARE = 500, 0.1  # documents, at least and of all, that may be in no index of words


class Writer:
    """Changes an index whose lock is held; `Store.writing` makes it.

    Args:
        path: the index folder.
    """

    def __init__(self, path: Path):
        self.path = path
        self.commit = self._first = read_commit(path)
        self._checksums = read_checksums(path, self.commit)
        self._tables = self._open()

    def write(self, documents: Sequence[EncodedDocument]) -> int:
        """Add documents, and replace those with the same ids; returns how many were replaced.

        Either all of them are stored or none.

        Raises:
            ValueError: a vector is not finite, or an id was written before by this writer.
        """
        if not documents:
            return 0
        if not all(np.isfinite(part).all() for item in documents for part in (item.vectors, item.window_vectors)):
            raise ValueError("a vector is not finite (NaN or infinite); is the model damaged?")
        old_keys = keys_by_id(self._tables["documents"], _distinct_ids(documents))
        repeats = {name for name, key in old_keys.items() if key >= self._first.next_key}
        if repeats:
            raise ValueError(f"the id {min(repeats)!r} stands twice; ids must differ")
        self._finish(self._write, documents, list(old_keys.values()))
        if len(documents) >= TRIM_FROM:
            trim_memory()
        return len(old_keys)

    def delete(self, ids: Sequence[str]) -> int:
        """Remove documents; returns how many there were."""
        keys = list(keys_by_id(self._tables["documents"], ids).values())
        if keys:
            self._finish(self._write, [], keys)
        return len(keys)

    def roll_back(self) -> None:
        """Undo everything that this writer has committed."""
        self._finish(self._roll_back)

    @property
    def is_behind(self) -> bool:
        """Whether so much was added that searches and changes have become slower, and `compact` pays."""
        documents = self._tables["documents"].count_rows()
        vectors = (self._tables[name] for name in ("mentions", "windows"))
        return (
            self.commit.cleanup
            or self.commit.since_compaction > SPARE_COMMITS + documents // 2_000
            or self._unindexed_documents() > max(SPARE_DOCUMENTS, SPARE_SHARE * documents)
            or any(unindexed_rows(table, vector_index(table)) >= APPROXIMATE_FROM for table in vectors)
        )

    def compact(self) -> None:
        """Update the indexes, merge small files, and remove what deletions and killed writers left on disk.

        Raises:
            OSError: the disk is full; nothing is lost.
        """
        with plain_errors(self.path):
            for name in ("mentions", "windows"):
                table = self._tables[name]
                if table.count_rows() >= APPROXIMATE_FROM and not vector_index(table):
                    table.create_index("vector", config=IvfRq(distance_type="dot", num_bits=4))
        self._finish(self._merge_terms)
        with plain_errors(self.path):
            is_settled = all([_optimize(table) for table in self._tables.values()])
        self._finish(self._clean_up if is_settled else self._commit, since_compaction=0)

    def _finish(self, act: Callable[..., None], *arguments: Any, **options: Any) -> None:
        """Do something that Ctrl-C must not cut in two: the engine would go on after the lock is released."""
        with plain_errors(self.path), ThreadPoolExecutor(1) as pool:
            pool.submit(act, *arguments, **options).result()

    def _open(self) -> dict[str, Any]:
        """The tables as the last commit left them; what an interrupted writer has added is undone."""
        tables = self._open_latest()
        for name, table in tables.items():
            if table.version != self.commit.versions[name]:
                table.restore(self.commit.versions[name])
        return tables

    def _open_latest(self) -> dict[str, Any]:
        try:
            return self._connect()
        except (ValueError, OSError, RuntimeError):
            remove_halves(self.path, self._checksums)
            return self._connect()

    def _connect(self) -> dict[str, Any]:
        database = connect(self.path)
        return {name: database.open_table(name) for name in TABLES}

    def _roll_back(self) -> None:
        for name, table in self._tables.items():
            if table.version != self._first.versions[name]:
                table.restore(self._first.versions[name])
        self._commit(words=self._first.words, next_key=self._first.next_key)

    def _write(self, documents: Sequence[EncodedDocument], old_keys: Sequence[int]) -> None:
        """Commit some documents in the place of those with `old_keys`."""
        tables, next_key = self._tables, self.commit.next_key
        words, counts = self._remove(old_keys)
        if documents:
            keys = np.arange(next_key, next_key + len(documents))
            next_key += len(documents)
            rows = {name: vector_rows(documents, keys, tables[name].schema, name) for name in ("mentions", "windows")}
            rows["metadata"] = metadata_rows(documents, keys, tables["metadata"].schema)
            rows["documents"] = document_rows(documents, keys, tables["documents"].schema)
            words += sum(rows["documents"]["length"].to_pylist())
            counts.update(count_terms(rows["documents"]["words"].to_pylist()))
            for name, part in rows.items():
                if part.num_rows:
                    tables[name].add(part)
        changes = term_rows(counts, tables["terms"].schema)
        if changes.num_rows:
            tables["terms"].add(changes)
        self._commit(next_key=next_key, words=self.commit.words + words)

    def _remove(self, keys: Sequence[int]) -> tuple[int, Counter[str]]:
        """Delete the rows of some documents; returns the change of the number of words, and that of each term."""
        words, counts = 0, Counter[str]()
        for rows in rows_in(self._tables["documents"], ["words", "length"], "key", keys):
            words -= sum(rows["length"].to_pylist())
            counts.subtract(count_terms(rows["words"].to_pylist()))
        for part in chunks(sorted(keys)):
            for name in TABLES:
                if name != "terms":
                    self._tables[name].delete(is_in("key", part))
        return words, counts

    def _merge_terms(self) -> None:
        """Replace the terms' many changes by one row for each term."""
        table = self._tables["terms"]
        rows = rows_of(table, ["term", "documents"])
        if rows.num_rows:
            sums = rows.group_by("term").aggregate([("documents", "sum")])
            counts = dict(zip(sums["term"].to_pylist(), sums["documents_sum"].to_pylist(), strict=True))
            table.delete("true")
            table.add(term_rows(counts, table.schema))

    def _commit(self, **changes: Any) -> None:
        """Wait until everything that was written would survive a power cut, then make it the last commit."""
        remove_hints(self.path)
        files = {name: file for name, file in table_files(self.path).items() if name not in self._checksums}
        make_durable(self.path, files.values())
        checksums = {name: checksum(file) for name, file in files.items()}
        size = add_checksums(self.path, self.commit, checksums)
        self._checksums |= checksums
        versions = {name: table.version for name, table in self._tables.items()}
        since = self.commit.since_compaction + 1
        self._replace(self.commit, **({"versions": versions, "bytes": size, "since_compaction": since} | changes))

    def _clean_up(self, **changes: Any) -> None:
        """Commit, then remove the files that only earlier commits need."""
        self._commit(cleanup=True, **changes)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of other users: writers are locked out, readers try again
            for table in self._tables.values():
                table.optimize(cleanup_older_than=timedelta(0), delete_unverified=True)
        self._forget_files()

    def _forget_files(self) -> None:
        """Begin a new file of checksums, without those of files that are gone."""
        former = self.path / self.commit.checksums
        remove_hints(self.path)
        present: dict[str, Checksum] = {
            name: self._checksums.get(name) or checksum(file) for name, file in table_files(self.path).items()
        }
        fresh = replace(self.commit, checksums=f"checksums-{self.commit.number + 1}.jsonl", bytes=0)
        self._checksums = present
        self._replace(fresh, cleanup=False, bytes=add_checksums(self.path, fresh, present))
        former.unlink(missing_ok=True)

    def _replace(self, commit: Commit, **changes: Any) -> None:
        """Make a changed copy of a commit the last one."""
        self.commit = replace(commit, number=commit.number + 1, **changes)
        write_commit(self.path, self.commit)

    def _unindexed_documents(self) -> int:
        table = self._tables["documents"]
        names = (index.name for index in table.list_indices() if index.columns == ["words"])
        return unindexed_rows(table, next(names, None))


def _optimize(table: Any) -> bool:
    """Merge a table's files and update its indexes, until there is nothing left to do; returns whether that is so.

    Removing old versions does all this once more. If it made a new version, it would remove the committed one.
    """
    for _ in range(ROUNDS):
        version = table.version
        table.optimize()
        if table.version == version:
            return True
    return False


def _distinct_ids(documents: Sequence[EncodedDocument]) -> list[str]:
    ids = [item.document.id for item in documents]
    if len(set(ids)) < len(ids):
        name = next(name for name in ids if ids.count(name) > 1)
        raise ValueError(f"the id {name!r} stands twice; ids must differ")
    return ids
