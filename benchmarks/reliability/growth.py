"""What a change, a filter and a search cost in a small and in a large index.

    python -m benchmarks.reliability.growth [--sizes 5000 200000]

Documents of 50 words, with three mentions and one window each, are written straight into the store, with vectors in
300 clusters. Then one document is added, replaced and deleted, and a hybrid query is asked with filters that half of
the documents pass, one in a thousand, and all but one. Medians, with the quartiles.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.reliability.table import print_table
from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.index.filters import Filter
from modeling_nerret.index.ranking import Query, Ranking
from modeling_nerret.index.store import Store
from modeling_nerret.spans import Span

SIZE, CLUSTERS, WORDS, LENGTH, BATCH = 256, 300, 50_000, 50, 5_000
MENTIONS = [Span(0, 3), Span(4, 7), Span(8, 11)]
WEIGHTS = SimpleNamespace(
    document_weight=0.3,
    document_floor=0.8,
    lexical_weight=0.3,
    lexical_half=3.0,
    feedback_documents=3,
    feedback_weight=1.0,
)
FILTERS = {
    "half": {"parity": "even"},
    "a thousandth": {"thousand": 7},
    "all but one": {"number": {"!=": 7}},
    "half of a half": {"parity": "even", "number": {">=": 0}, "quarter": {"in": [0, 1]}},
}


def main() -> None:
    """Measure each size, and print one table with the ratio of the last size to the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 200_000], metavar="N", help="documents")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="of each measurement (default: 15)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    columns: dict[int, dict[str, tuple[float, str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in options.sizes:
            print(f"{size:,} documents ...", file=sys.stderr)
            columns[size] = measure(Path(folder) / str(size), size, options.rounds, options.seed)
    first, last = columns[options.sizes[0]], columns[options.sizes[-1]]
    print_table(
        [
            {"": name}
            | {f"{size:,}": column[name][1] for size, column in columns.items()}
            | {"ratio": f"{last[name][0] / first[name][0]:.2f}"}
            for name in first
        ]
    )


def measure(path: Path, size: int, rounds: int, seed: int) -> dict[str, tuple[float, str]]:
    """Seconds, bytes and megabytes of an index of `size` documents: number and text of each row."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(CLUSTERS, SIZE))
    store = Store.create(path, SIZE, model="none", fingerprint="none")
    start = time.perf_counter()
    with store.writing() as writer:
        for first in range(0, size, BATCH):
            writer.write(list(documents(random, centres, range(first, min(first + BATCH, size)))))
    rows = {"writing all, s a thousand": _row((time.perf_counter() - start) / size * 1000)}
    extra = documents(random, centres, count(size))

    def change(*, replace: bool) -> None:
        item = next(extra)
        name = str(random.integers(size)) if replace else item.document.id
        item = EncodedDocument(Document(name, item.document.text, item.document.metadata), *_parts(item))
        with store.writing() as writer:
            writer.write([item])

    def delete() -> None:
        with store.writing() as writer:
            writer.delete([str(random.integers(size))])

    def search(where: Any) -> None:
        vector = _unit(centres[random.integers(CLUSTERS)][None] + random.normal(size=(1, SIZE)))[0]
        query = Query("w17x w300x", vector, 10, "hybrid", Filter(where) if where else None)
        store.read(lambda snapshot: Ranking(snapshot, WEIGHTS, query).best())

    rows["add one, s"] = _times(lambda: change(replace=False), rounds)
    rows["replace one, s"] = _times(lambda: change(replace=True), rounds)
    rows["delete one, s"] = _times(delete, rounds)
    rows["search, s"] = _times(lambda: search(None), rounds)
    for name, where in FILTERS.items():
        rows[f"search, filter {name}, s"] = _times(lambda where=where: search(where), rounds)
    rows["bytes a mention"] = _row(store.info()["bytes"] / store.count_mentions())
    rows["peak memory so far, MB"] = _row(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return rows


def documents(random: np.random.Generator, centres: np.ndarray, numbers: Any) -> Iterator[EncodedDocument]:
    """Documents with random words and with vectors near random centres."""
    for number in numbers:
        words = (WORDS * random.random(LENGTH) ** 3).astype(int)
        vectors = _unit(centres[random.integers(CLUSTERS, size=4)] + random.normal(size=(4, SIZE)))
        metadata = {
            "parity": "odd" if number % 2 else "even",
            "thousand": number % 1000,
            "quarter": number % 4,
            "number": number,
        }
        document = Document(str(number), " ".join(f"w{word}x" for word in words), metadata)
        yield EncodedDocument(document, MENTIONS, vectors[:3], [Span(0, len(document.text))], vectors[3:])


def _parts(item: EncodedDocument) -> tuple[Any, ...]:
    return item.mentions, item.vectors, item.windows, item.window_vectors


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (rows, SIZE) of length 1, float32."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _times(act: Callable[[], None], rounds: int) -> tuple[float, str]:
    act()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        act()
        seconds.append(time.perf_counter() - start)
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return float(median), f"{median:.3f} ({low:.3f} to {high:.3f})"


def _row(number: float) -> tuple[float, str]:
    return number, f"{number:,.2f}"


if __name__ == "__main__":
    main()
