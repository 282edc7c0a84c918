"""Kill `nerret index` with SIGKILL at random moments, also with a power cut, and look whether anything is lost.

    python -m benchmarks.reliability.kills [--kills 40]

A tiny model indexes a corpus of 2,000 documents. Every second kill comes while the index is compacted, when the vector
index is built and files are merged. The others come at any time, also while the index is created. At every third kill
the power goes too: of the files that no commit names, a random half is emptied and the rest cut off. After each kill
the index must open, hold every document that it held before, and have no fault; then the command runs again. If a run
ends before its kill, the next one starts a new index.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from benchmarks.reliability.table import print_table
from modeling_nerret import cli, encoding
from modeling_nerret.index import retriever as retriever_module
from modeling_nerret.index import writer as writer_module
from modeling_nerret.index.check import Check
from modeling_nerret.index.commits import read_checksums, read_commit, table_files
from modeling_nerret.index.folder import is_vacant
from modeling_nerret.index.store import Store
from modeling_nerret.index.tables import vector_index
from modeling_nerret.index.writer import Writer
from tests.tiny import save_checkpoint

DOCUMENTS, MENTIONS = 2_000, 3
CONTEXT = multiprocessing.get_context("forkserver")  # imports once for all runs
PRELOAD = ["modeling_nerret.encoding", "transformers.models.bert.modeling_bert", "tests.tiny"]


def _index(messages: Connection, arguments: list[str]) -> None:
    """Run `nerret index` with small commits, and report when it begins and when it compacts."""
    torch.set_num_threads(1)
    retriever_module.COMMIT_DOCUMENTS = encoding.BUFFER_DOCUMENTS = 100
    writer_module.APPROXIMATE_FROM = DOCUMENTS  # so that even few documents get a vector index
    writer_module.SPARE_COMMITS = 5
    compact = Writer.compact

    def report_and_compact(writer: Writer) -> None:
        messages.send("compacting")
        compact(writer)

    Writer.compact = report_and_compact  # type: ignore[method-assign]
    messages.send("begun")
    sys.exit(cli.main(arguments))


def main() -> None:
    """Kill, check and run again; print a table, and end with 1 if anything was lost or wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=40, metavar="N", help="default: 40")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    CONTEXT.set_forkserver_preload(PRELOAD)
    generator = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp())
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    try:
        corpus = _corpus(folder / "corpus.jsonl")
        model = save_checkpoint(folder)
        path, ids = folder / "index0", set[str]()
        duration = _run(corpus, folder / "timing", model)[1]
        for number in range(options.kills):
            in_compaction = number % 2 == 1 and not is_vacant(path)
            delay = generator.uniform(0, 0.5 if in_compaction else 0.6 * duration)
            moment, _ = _run(corpus, path, model, delay, in_compaction)
            if number % 3 == 2 and moment != "ran to its end":
                moment = f"{moment}, power cut"
                _cut_power(path, generator)
            ids = _look(path, ids, counts[moment], is_whole=moment == "ran to its end")
            print(f"{number + 1}: {moment}, {len(ids)} documents", file=sys.stderr, flush=True)
            if moment == "ran to its end":
                path, ids = folder / f"index{number + 1}", set()
        _run(corpus, path, model)
        _look(path, {str(number) for number in range(DOCUMENTS)}, counts["run again to its end"], is_whole=True)
    finally:
        shutil.rmtree(folder)
    names = ("times", "documents lost", "faults", "could not be opened")
    print_table([{"moment": moment} | {name: count[name] for name in names} for moment, count in counts.items()])
    sys.exit(any(count[name] for count in counts.values() for name in names[1:]))


def _corpus(path: Path) -> Path:
    """Write a corpus with mentions."""
    with path.open("w") as file:
        for number in range(DOCUMENTS):
            text = f"ada{number} was born in paris and wrote notes in london"
            starts = [0, text.index("paris"), text.index("london")]
            spans = [(start, text.find(" ", start) if " " in text[start:] else len(text)) for start in starts]
            mentions = [{"start": start, "end": end} for start, end in spans]
            file.write(json.dumps({"id": str(number), "text": text, "n": number, "mentions": mentions}) + "\n")
    return path


def _cut_power(path: Path, generator: random.Random) -> None:
    """Damage the files that no commit names, as if they had not reached the disk."""
    if not (path / "commit.json").exists():
        return
    checksums = read_checksums(path, read_commit(path))
    for name, file in table_files(path).items():
        if name not in checksums:
            content = file.read_bytes()
            file.write_bytes(content[: len(content) // 2 * generator.randrange(2)])


def _look(path: Path, before: set[str], counts: Counter[str], is_whole: bool) -> set[str]:
    """Count what is lost or wrong in an index that held the documents `before`; returns those that it holds.

    One that `is_whole` has a vector index.
    """
    counts["times"] += 1
    if is_vacant(path):
        counts["documents lost"] += len(before)
        return set()
    try:
        snapshot = Store(path).snapshot()
    except ValueError as error:
        print(error, file=sys.stderr)
        counts["could not be opened"] += 1
        return set()
    ids = set(snapshot.ids_from(""))
    counts["documents lost"] += len(before - ids)
    mentions = snapshot.mentions(sorted(snapshot.keys(sorted(ids)).values()))
    counts["faults"] += sum(len(places) != MENTIONS for places in mentions.values())
    rest = [fault for fault in Check(path).faults(deep=True) if "nerret compact" not in fault]
    counts["faults"] += len(rest) + (is_whole and not vector_index(snapshot.tables["mentions"]))
    print(*rest, sep="\n", end="", file=sys.stderr)
    return ids


def _run(
    corpus: Path, index: Path, model: str, delay: float | None = None, in_compaction: bool = False
) -> tuple[str, float]:
    """Run `nerret index` and kill it after `delay` seconds; returns how it ended and the seconds it took.

    With `in_compaction` the delay counts from the moment at which the index is compacted.
    """
    messages, sender = CONTEXT.Pipe(duplex=False)
    arguments = ["index", str(corpus), str(index), "--model", model, "--detector", "given"]
    process = CONTEXT.Process(target=_index, args=(sender, arguments))
    process.start()
    sender.close()
    assert messages.recv() == "begun"
    start = time.perf_counter()
    reached_compaction = in_compaction and _next(messages) == "compacting"
    process.join(delay)
    process.kill()
    process.join()
    seconds = time.perf_counter() - start
    if process.exitcode == -signal.SIGKILL:
        reached_compaction = reached_compaction or _next(messages) == "compacting"
        return ("killed while compacting" if reached_compaction else "killed while writing"), seconds
    assert process.exitcode == 0
    return "ran to its end", seconds


def _next(messages: Connection) -> str | None:
    """The other process's next message; `None` if it has ended."""
    try:
        return messages.recv()
    except EOFError:
        return None


if __name__ == "__main__":
    main()
