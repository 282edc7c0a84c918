"""Kill `nerret index` with SIGKILL at random moments, and prove that nothing is lost or doubled.

    python -m benchmarks.index_kill [--kills 20]

A corpus of 2,000 documents is indexed by a tiny model; every second kill falls while the index is compacted (when the
vector index is built and files are merged), the others anywhere, the making of the index included. After each kill the
index must open and hold only whole documents; then the command is run again. A run that ends before its kill is
checked whole, and the next starts a new index.
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
from modeling_nerret.index.store import Store, _vector_index, is_vacant
from tests.tiny import save_checkpoint

DOCUMENTS, MENTIONS = 2_000, 3
CONTEXT = multiprocessing.get_context("forkserver")  # what is imported once is there in every run


def _index(told: Connection, arguments: list[str]) -> None:
    """`nerret index` in a process of its own, in small commits; tells when it begins and when it compacts."""
    torch.set_num_threads(1)
    retriever_module.COMMIT_DOCUMENTS = encoding.BUFFER_DOCUMENTS = 100
    store_module.APPROXIMATE_FROM = DOCUMENTS  # so that so few documents need a vector index
    compact = Store.compact

    def telling(store: Store) -> None:
        told.send("compacting")
        compact(store)

    Store.compact = telling  # type: ignore[method-assign]
    told.send("begun")
    sys.exit(cli.main(arguments))


def main() -> None:
    """Kill, check and run again; ends with an error if anything is not whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    CONTEXT.set_forkserver_preload(["modeling_nerret.cli", "transformers.models.bert.modeling_bert", "tests.tiny"])
    chance = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp())
    try:
        corpus, expected = _corpus(folder / "corpus.jsonl")
        model = save_checkpoint(folder)
        counts: Counter[str] = Counter()
        path = folder / "index0"
        duration = _run(corpus, folder / "timing", model)[1]
        for number in range(options.kills):
            inside = number % 2 == 1 and not is_vacant(path)
            moment, _ = _run(corpus, path, model, chance.uniform(0, 0.5 if inside else 0.6 * duration), inside)
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
    """Write a corpus that brings its mentions; returns each id's text and spans too."""
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


def _run(corpus: Path, index: Path, model: str, after: float | None = None, inside: bool = False) -> tuple[str, float]:
    """Run `nerret index`, killed `after` seconds (of compacting, if `inside`); how it ended and how long it took."""
    told, tells = CONTEXT.Pipe(duplex=False)
    arguments = ["index", str(corpus), str(index), "--model", model, "--detector", "given"]
    process = CONTEXT.Process(target=_index, args=(tells, arguments))
    process.start()
    tells.close()
    assert told.recv() == "begun"
    begun = time.perf_counter()
    compacting = inside and _next(told) == "compacting"
    process.join(after)
    process.kill()
    process.join()
    seconds = time.perf_counter() - begun
    if process.exitcode == -signal.SIGKILL:
        compacting = compacting or _next(told) == "compacting"
        return ("killed while compacting" if compacting else "killed while writing"), seconds
    assert process.exitcode == 0
    return "ran to its end", seconds


def _next(told: Connection) -> str | None:
    """What the other process tells next; `None` if it has ended."""
    try:
        return told.recv()
    except EOFError:
        return None


def _check(path: Path, expected: dict[str, tuple[str, list[tuple[int, int]]]], complete: bool = False) -> int:
    """Every document that is there is the right one and whole; with `complete`, nothing else is on disk."""
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
        assert store.filter({"n": {">=": 0}}) == set(documents) and _vector_index(store._vectors["mentions"])
    return len(documents)


if __name__ == "__main__":
    main()
