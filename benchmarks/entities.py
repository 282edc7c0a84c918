"""Time of listing entities and pairs in an index of 500,000 mentions, and how much of it is the search.

    python -m benchmarks.entities

Vectors are synthetic: mentions lie around the vectors of twenty types, with a cosine of some 0.8. A document has three.
Names are drawn so that few are common, and a fifth of the mentions are last names alone. Every count is
compared with a plain count over the answer.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks import show
from benchmarks.index_search import QUERIES
from modeling_nerret import EntityRetriever
from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.index.entities.listing import list_entities, without_names
from modeling_nerret.index.entities.names import key_of
from modeling_nerret.index.hits import Hit, remove_overlaps
from modeling_nerret.index.store import Store
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.spans import Span

PER_DOCUMENT = 3
NAMES = 2_000  # of each type
SHORT = 0.2  # of the mentions are last names


def main() -> None:
    """Write the index, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=500_000, help="mentions")
    parser.add_argument("--rounds", type=int, default=2, help="times that each query is asked")
    options = parser.parse_args()
    checkpoint = load_checkpoint()
    size = checkpoint.model.config.hidden_size
    folder = Path(tempfile.mkdtemp())
    try:
        names = {"model": checkpoint.name, "fingerprint": checkpoint.fingerprint}
        store = Store.create(folder / "index", size, **names)
        retriever = EntityRetriever(store.path, checkpoint)
        with store.writing() as writer:
            for group in _documents(retriever.encoder.embed_queries(QUERIES), options.size // PER_DOCUMENT):
                writer.write(group)
            writer.compact()
        for mode in ("vector", "hybrid"):
            for k in (100, 1_000):
                show(f"{mode} k={k}", **_measure(retriever, mode, k, options.rounds))
    finally:
        shutil.rmtree(folder)


def _documents(centres: np.ndarray, count: int) -> Iterator[list[EncodedDocument]]:
    """Groups of documents whose mentions lie around the types' vectors, (types, size)."""
    random = np.random.default_rng(0)
    for first in range(0, count, 5_000):
        rows = range(first, min(first + 5_000, count))
        shape = len(rows), PER_DOCUMENT
        types = random.integers(len(centres), size=shape)
        noise = random.normal(size=(*shape, centres.shape[1]))
        noise *= 0.75 / np.linalg.norm(noise, axis=2, keepdims=True)
        vectors = centres[types] + noise
        vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
        numbers = random.zipf(1.3, size=shape) % NAMES
        is_short = random.random(shape) < SHORT
        for_rows = zip(rows, types.tolist(), numbers.tolist(), is_short.tolist(), vectors, strict=True)
        yield [_document(row, zip(*names, strict=True), vector) for row, *names, vector in for_rows]


def _document(row: int, names: Iterator[tuple[int, int, bool]], vectors: np.ndarray) -> EncodedDocument:
    text, spans = "", []
    for kind, number, is_short in names:
        name = f"Last{kind}x{number}" if is_short else f"First{number} Last{kind}x{number}"
        spans.append(Span(len(text), len(text) + len(name)))
        text += f"{name} stood there and said nothing. "
    return EncodedDocument(Document(f"{row:06}", text), spans, vectors.astype(np.float32))


def _measure(retriever: EntityRetriever, mode: str, k: int, rounds: int) -> dict[str, float]:
    """Milliseconds of the whole call and of its parts, the median and the 95th percentile over all queries."""
    times: dict[str, list[float]] = defaultdict(list)
    counts: dict[str, list[int]] = defaultdict(list)

    def timed(name: str, act: Callable[[], object]) -> object:
        start = time.perf_counter()
        result = act()
        times[name].append(1000 * (time.perf_counter() - start))
        return result

    retriever.entities(QUERIES[0], k, mode=mode)
    for query in QUERIES * rounds:
        timed("whole", lambda query=query: retriever.entities(query, k, mode=mode))
        hits = timed("search", lambda query=query: retriever.search(query, k, mode=mode))
        assert isinstance(hits, list)
        vectors = timed("vectors", lambda hits=hits: retriever._vectors(hits))
        entities = timed("count", lambda hits=hits, vectors=vectors: list_entities(hits, vectors))
        _check(hits)
        counts["mentions"].append(sum(entity.mentions for entity in entities))
        counts["entities"].append(len(entities))
        partner = QUERIES[(QUERIES.index(query) + 1) % len(QUERIES)]
        timed("pairs", lambda query=query, partner=partner: retriever.pairs(query, partner, k, mode=mode))
    figures = {
        f"{name}_{label}": float(np.percentile(values, share))
        for name, values in times.items()
        for label, share in (("p50_ms", 50), ("p95_ms", 95))
    }
    return {**{name: float(np.median(values)) for name, values in counts.items()}, **figures}


def _check(hits: list[Hit]) -> None:
    """Compare the numbers without merges and vectors with a plain count."""
    mentions, documents = Counter[str](), defaultdict[str, set[str]](set)
    for hit in without_names(hits, ["nothing"]):
        for mention in remove_overlaps(hit.mentions):
            mentions[key_of(mention.text)] += 1
            documents[key_of(mention.text)].add(hit.id)
    for entity in list_entities(hits, merge=False):
        key = key_of(entity.name)
        assert (entity.mentions, entity.documents) == (mentions.pop(key), len(documents[key]))
    assert not mentions


if __name__ == "__main__":
    main()
