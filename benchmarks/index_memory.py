"""Memory of one `nerret index` run while it goes from 5,000 to 100,000 documents.

    python -m benchmarks.index_memory

The benchmark writes the corpus itself: short sentences, with one broken line in a hundred, which is skipped. It prints
the peak resident memory of the process and the documents per second so far.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks import show
from modeling_nerret import EntityRetriever
from modeling_nerret.documents import Document
from modeling_nerret.index.memory import share_heap
from modeling_nerret.index.readers import read_corpus

REPORTS = (5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 1_000_000)
NAMES = ("Ada", "Oslo", "Aspirin", "Nokia", "Danube", "Hamlet", "Kenya", "Mozart", "Tesla", "Lisbon")


def main() -> None:
    """Write a corpus, index it, and print memory and speed as the index grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--model", default="nerret-minilm")
    parser.add_argument("--read-only", action="store_true", help="only read the corpus, without a model")
    options = parser.parse_args()
    share_heap()  # as the command does
    folder = Path(tempfile.mkdtemp())
    try:
        corpus = _write(folder / "corpus.jsonl", options.documents)
        if options.read_only:
            print(sum(1 for _ in _documents(corpus)), "documents read")
            return
        retriever = EntityRetriever(folder / "index", options.model)
        retriever.add(_documents(corpus))
        retriever.compact()
        show("at the end", most_mb=_most_mb(), mentions=retriever.info()["mentions"], bytes=retriever.info()["bytes"])
    finally:
        shutil.rmtree(folder)


def _write(path: Path, documents: int) -> Path:
    with path.open("w") as file:
        for number in range(documents):
            text = f"{NAMES[number % 10]} met {NAMES[number // 10 % 10]} in {number}."
            record = json.dumps({"id": f"d{number}", "text": text, "n": number})
            file.write((record[:-1] if number % 100 == 99 else record) + "\n")
    return path


def _documents(corpus: Path) -> Iterator[Document]:
    """The corpus's documents; prints memory and speed at some of them."""
    skips, start = 0, time.perf_counter()
    for number, record in enumerate(read_corpus(str(corpus)), 1):
        if isinstance(record, Document):
            yield record
        else:
            skips += 1
        if number in REPORTS:
            size = psutil.Process().memory_info().rss / 1e6
            rate = number / (time.perf_counter() - start)
            show(number, broken=skips, most_mb=_most_mb(), now_mb=size, documents_per_second=rate)


def _most_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
