"""Damage an index in many ways, and look whether it is opened in silence, hangs, or says which file is damaged.

    python -m benchmarks.reliability.indexes [--count 260]

A small index, with additions, replacements, deletions and a compaction behind it, is copied, and one of its files is
damaged: a bit flipped, cut off, emptied, removed, exchanged with another, turned into a link, a FIFO or a folder; in
files of JSON also a value changed and the seal renewed. Then another process opens the index, searches and checks it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reliability.table import print_table
from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.index.check import Check
from modeling_nerret.index.folder import write_sealed
from modeling_nerret.index.store import Store
from modeling_nerret.spans import Span

SIZE = 16
PATIENCE = 30.0  # seconds for opening, searching and checking
NOT_DATA = ("write.lock",)
CONTEXT = multiprocessing.get_context("forkserver")
VALUES = [None, True, -1, 0, 2**70, 1e308, "x", [], {}, "../../etc/passwd"]


def main() -> None:
    """Damage, look, print a table; end with 1 if anything was silent, hung or crashed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=260, metavar="N", help="of mutations (default: 260)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    CONTEXT.set_forkserver_preload(["modeling_nerret.index.check", __name__])
    generator = random.Random(options.seed)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as folder:
        whole = make_index(Path(folder) / "whole")
        answer = _look(whole)
        for number in range(options.count):
            path = Path(folder) / str(number)
            shutil.copytree(whole, path)
            kind, file = damage(path, generator)
            outcome = _outcome(_look(path), answer, file)
            counts[kind][outcome] += 1
            if outcome not in ("said", "harmless"):
                print(f"{number}: {kind} {file.relative_to(path)}: {outcome}", file=sys.stderr, flush=True)
            shutil.rmtree(path)
    names = ("said", "harmless", "said without the file", "silent", "crashed", "hung")
    print_table([{"damage": kind} | {name: count[name] for name in names} for kind, count in sorted(counts.items())])
    sys.exit(any(count[name] for count in counts.values() for name in names[3:]))


def make_index(path: Path) -> Path:
    """An index with some history."""
    random_vectors = np.random.default_rng(0)
    store = Store.create(path, SIZE, model="none", fingerprint="none")

    def write(names: range, year: int) -> None:
        items = []
        for name in names:
            vectors = random_vectors.normal(size=(3, SIZE)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            document = Document.from_dict({"id": str(name), "text": f"Ada {name} in London", "year": year})
            items.append(EncodedDocument(document, [Span(0, 3), Span(4, 5)], vectors[:2], [Span(0, 9)], vectors[2:]))
        with store.writing() as writer:
            writer.write(items)

    write(range(60), 1900)
    write(range(30, 90), 1901)
    with store.writing() as writer:
        writer.compact()
    write(range(80, 120), 1902)
    with store.writing() as writer:
        writer.delete([str(name) for name in range(70, 85)])
    return path


def damage(path: Path, generator: random.Random) -> tuple[str, Path]:
    """Damage one file; returns how, and which."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.name not in NOT_DATA)
    small = [path / "nerret.json", path / "commit.json"]
    kind = generator.choice(["bit", "bit", "cut", "empty", "removed", "exchanged", "link", "fifo", "folder", "value"])
    file = generator.choice(small if kind == "value" else files)
    content = file.read_bytes()
    if kind == "bit":
        place = generator.randrange(len(content))
        file.write_bytes(content[:place] + bytes([content[place] ^ 1 << generator.randrange(8)]) + content[place + 1 :])
    elif kind == "cut":
        file.write_bytes(content[: generator.randrange(len(content))])
    elif kind == "exchanged":
        rest = [candidate for candidate in files if candidate.read_bytes() != content]
        file.write_bytes(generator.choice(rest).read_bytes())
    elif kind == "value":
        fields = json.loads(content)
        fields.pop("sha256")
        fields[generator.choice(sorted(fields))] = generator.choice(VALUES)
        write_sealed(file, fields)
    else:
        file.unlink()
        if kind == "link":
            (path.parent / "elsewhere").write_bytes(content[::-1])
            file.symlink_to(path.parent / "elsewhere")
        elif kind == "fifo":
            os.mkfifo(file)
        elif kind == "folder":
            file.mkdir()
        elif kind == "empty":
            file.touch()
    return kind, file


def _look(path: Path) -> Any:
    """What another process sees: a text (an error), a list (faults), a dictionary (answers) or nothing (it hung)."""
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_use, args=(path, sender))
    process.start()
    sender.close()
    end = time.monotonic() + PATIENCE
    answer: Any = receiver.recv() if receiver.poll(PATIENCE) and not _is_closed(receiver) else "crashed"
    if time.monotonic() > end:
        answer = None
    process.kill()
    process.join()
    return answer


def _is_closed(receiver: Connection) -> bool:
    """Whether the other process has ended without a word; `poll` is true then, too."""
    try:
        return not receiver.poll() or receiver.closed
    except (EOFError, OSError):
        return True


def _use(path: Path, sender: Connection) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the engine writes its panics there
    try:
        faults = Check(path).faults(deep=True)
        snapshot = Store(path).snapshot()
        vector = np.eye(SIZE)[0]
        nearest = snapshot.ids(sorted(snapshot.nearest(vector, 50)))
        words = {key: round(score, 6) for key, score in snapshot.matching("Ada 33", 50).items()}
        sender.send(faults or {"nearest": nearest, "words": words, "documents": snapshot.size})
    except (ValueError, OSError, RuntimeError) as error:
        sender.send(str(error))
    except BaseException as error:
        sender.send(f"crashed: {error!r}")


def _outcome(answer: Any, right: Any, file: Path) -> str:
    if answer is None:
        return "hung"
    if isinstance(answer, dict):
        return "harmless" if answer == right else "silent"
    text = " ".join(answer) if isinstance(answer, list) else answer
    if text.startswith("crashed"):
        print(text, file=sys.stderr)
        return "crashed"
    if file.name not in text:
        print(text, file=sys.stderr)
    return "said" if file.name in text else "said without the file"


if __name__ == "__main__":
    main()
