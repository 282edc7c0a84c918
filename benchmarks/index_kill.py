"""Kill `nerret index` with SIGKILL at random moments, and prove that nothing is lost or doubled.

    python -m benchmarks.index_kill [--kills 20]

A corpus of 8,000 documents is indexed by a tiny model; every second kill falls while the index is optimised (when the
vector index is built and files are merged), the others anywhere, the making of the index included. After each kill the
index must open and hold only whole documents; then the command is run again. A run that ends before its kill is
checked whole, and the next starts a new index.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from modeling_nerret.store import APPROXIMATE_FROM, Store, is_vacant
from tests.tiny import save_checkpoint

DOCUMENTS, MENTIONS = 8_000, 3
CHILD = """
import sys, torch
from modeling_nerret import cli, encoding, retriever, store
torch.set_num_threads(1)
retriever.COMMIT_DOCUMENTS = encoding.BUFFER_DOCUMENTS = 400
optimize = store.Store.optimize
def told(self, *arguments):
    print("optimizing", flush=True)
    optimize(self, *arguments)
store.Store.optimize = told
print("begun", flush=True)
sys.exit(cli.main(sys.argv[1:]))
"""


def main() -> None:
    """Kill, check and run again; ends with an error if anything is not whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    assert DOCUMENTS * MENTIONS >= APPROXIMATE_FROM
    chance = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
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
    """Run `nerret index`; with `after`, kill it so many seconds after it began (or `inside` optimize). How it ended."""
    arguments = ["index", str(corpus), str(index), "--model", model, "--detector", "given"]
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    begun = process.stdout.readline()
    assert begun == "begun\n", process.communicate()[1]
    time_begun = time.perf_counter()
    if after is not None and (not inside or process.stdout.readline()):
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
    rest, errors = process.communicate()
    seconds = time.perf_counter() - time_begun
    if process.returncode == -signal.SIGKILL:
        optimizing = inside or "optimizing" in rest
        return ("killed while optimizing" if optimizing else "killed while writing"), seconds
    assert process.returncode == 0, errors
    return "ran to its end", seconds


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
        assert store.filter({"n": {">=": 0}}) == set(documents) and not store.is_behind
    return len(documents)


if __name__ == "__main__":
    main()
