"""Kill `nerret index` with SIGKILL at random moments, and prove that nothing is lost or doubled.

    python -m benchmarks.index_kill [--kills 20]

A tiny model indexes a corpus of 2,000 documents. Every second kill comes while the index is compacted, when the vector
index is built and files are merged. The others come at any time, also while the index is created. After each kill the
index must open and hold only whole documents; then the command runs again. If a run ends before its kill, its index is
checked and the next run starts a new one.
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
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from modeling_nerret import cli, encoding
from modeling_nerret.index import retriever as retriever_module
from modeling_nerret.index import store as store_module
from modeling_nerret.index.folder import is_vacant
from modeling_nerret.index.store import Store
from modeling_nerret.index.tables import vector_index
from tests.tiny import save_checkpoint

DOCUMENTS, MENTIONS = 2_000, 3
CONTEXT = multiprocessing.get_context("forkserver")  # imports once for all runs
# Without LanceDB, which starts threads and does not survive a fork
PRELOAD = ["modeling_nerret.encoding", "transformers.models.bert.modeling_bert", "tests.tiny"]


def _index(messages: Connection, arguments: list[str]) -> None:
    """Run `nerret index` with small commits, and report when it begins and when it compacts."""
    torch.set_num_threads(1)
    retriever_module.COMMIT_DOCUMENTS = encoding.BUFFER_DOCUMENTS = 100
    store_module.APPROXIMATE_FROM = DOCUMENTS  # so that even few documents get a vector index
    compact = Store.compact

    def report_and_compact(store: Store) -> None:
        messages.send("compacting")
        compact(store)

    Store.compact = report_and_compact  # type: ignore[method-assign, assignment]
    messages.send("begun")
    sys.exit(cli.main(arguments))


def main() -> None:
    """Kill, check and run again; end with an error if anything is not whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    CONTEXT.set_forkserver_preload(PRELOAD)
    generator = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp())
    try:
        corpus, expected = _corpus(folder / "corpus.jsonl")
        model = save_checkpoint(folder)
        counts: Counter[str] = Counter()
        path = folder / "index0"
        duration = _run(corpus, folder / "timing", model)[1]
        for number in range(options.kills):
            in_compaction = number % 2 == 1 and not is_vacant(path)
            delay = generator.uniform(0, 0.5 if in_compaction else 0.6 * duration)
            moment, _ = _run(corpus, path, model, delay, in_compaction)
            counts[moment] += 1
            documents = _check(path, expected)
            print(f"{number + 1}: {moment}, {documents} documents, all whole", flush=True)
            if moment == "ran to its end":
                path = folder / f"index{number + 1}"
        _run(corpus, path, model)
        assert _check(path, expected, complete=True) == DOCUMENTS
        print(
            f"whole after {dict(counts)}: {DOCUMENTS} documents, {DOCUMENTS * MENTIONS} mentions, none lost or doubled"
        )
    finally:
        shutil.rmtree(folder)


def _corpus(path: Path) -> tuple[Path, dict[str, tuple[str, list[tuple[int, int]]]]]:
    """Write a corpus with mentions; returns its path, and the text and spans of each id."""
    expected = {}
    with path.open("w") as file:
        for number in range(DOCUMENTS):
            text = f"ada{number} was born in paris and wrote notes in london"
            starts = [0, text.index("paris"), text.index("london")]
            spans = [(start, text.find(" ", start) if " " in text[start:] else len(text)) for start in starts]
            mentions = [{"start": start, "end": end} for start, end in spans]
            file.write(json.dumps({"id": str(number), "text": text, "n": number, "mentions": mentions}) + "\n")
            expected[str(number)] = (text, spans)
    return path, expected


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


def _check(path: Path, expected: dict[str, tuple[str, list[tuple[int, int]]]], complete: bool = False) -> int:
    """Assert that every document is right and whole, and with `complete` that nothing else is on disk."""
    if is_vacant(path):
        return 0
    store = Store(path)
    documents = store.documents(range(1, 40 * DOCUMENTS))
    assert len(documents) == len(store) == len({document.id for document in documents.values()})
    mentions = store.mentions(list(documents))
    for key, document in documents.items():
        text, spans = expected[document.id]
        assert document.text == text and document.metadata == {"n": int(document.id)}
        assert [(start, end) for start, end, _ in mentions[key]] == spans
    assert set(store.matching("paris", DOCUMENTS)) == set(documents)
    assert store.filter({"n": {">=": 0}}) >= set(documents)
    if complete:
        assert store.count_mentions() == DOCUMENTS * MENTIONS
        assert store.filter({"n": {">=": 0}}) == set(documents) and vector_index(store._vectors["mentions"])
    return len(documents)


if __name__ == "__main__":
    main()
