"""Memory of one `nerret index` run while it goes from 5,000 to 100,000 documents.

    python -m benchmarks.index_memory

The corpus is written here: short sentences, one line in a hundred broken and skipped. What is printed is the most
resident memory that the process had until then, and the documents per second so far.
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
from modeling_nerret.index.readers import read_corpus
from modeling_nerret.documents import Document

SHOWN = (5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 1_000_000)
NAMES = ("Ada", "Oslo", "Aspirin", "Nokia", "Danube", "Hamlet", "Kenya", "Mozart", "Tesla", "Lisbon")


def main() -> None:
    """Index a corpus that is written beside it, and print memory and speed as it grows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--model", default="nerret-minilm")
    parser.add_argument("--read-only", action="store_true", help="only read the corpus, without a model")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        corpus = _write(folder / "corpus.jsonl", options.documents)
        if options.read_only:
            print(sum(1 for _ in _told(corpus)), "documents read")
            return
        retriever = EntityRetriever(folder / "index", options.model)
        retriever.add(_told(corpus))
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


def _told(corpus: Path) -> Iterator[Document]:
    """The corpus's documents; says how much memory was needed so far at some of them."""
    bad, begun = 0, time.perf_counter()
    for number, record in enumerate(read_corpus(str(corpus)), 1):
        if isinstance(record, Document):
            yield record
        else:
            bad += 1
        if number in SHOWN:
            now = psutil.Process().memory_info().rss / 1e6
            rate = number / (time.perf_counter() - begun)
            show(number, broken=bad, most_mb=_most_mb(), now_mb=now, documents_per_second=rate)


def _most_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
