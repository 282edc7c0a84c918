"""Search time, recall and size of an index of 10,000 to 500,000 mentions, against the memory bandwidth of the machine.

    python -m benchmarks.index_search CORPUS.jsonl

The default model embeds the mentions of a corpus's first sentences. They are multiplied with noise, so that they are
distributed like real ones; a document has three. Recall is of documents, against an exact scan in float32.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks import show
from modeling_nerret import EntityRetriever
from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.encoding import Encoder
from modeling_nerret.index.store import Store
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint
from modeling_nerret.spans import Span

QUERIES = ["politician", "river", "football club", "film", "disease", "company", "airport", "award", "island", "song"]
QUERIES += ["war", "university", "religion", "programming language", "ship", "car", "book", "painting", "law", "actor"]
PER_DOCUMENT = 3
NOISE = 0.5


def main() -> None:
    """Measure each size and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help='JSONL with "text"')
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 500_000], help="mentions")
    parser.add_argument("--sentences", type=int, default=1000)
    options = parser.parse_args()
    checkpoint = load_checkpoint()
    real = _real_vectors(checkpoint, options.corpus, options.sentences)
    names = {"model": checkpoint.name, "fingerprint": checkpoint.fingerprint}
    folder = Path(tempfile.mkdtemp())
    try:
        for size in options.sizes:
            store = Store.create(folder / str(size), real.shape[1], **names)
            vectors = np.concatenate(list(_fill(store, real, size)))  # (mentions, hidden_size), in order of keys
            retriever = EntityRetriever(store.path, checkpoint)
            show(size, **_measure(retriever, vectors))
            shutil.rmtree(store.path)
    finally:
        shutil.rmtree(folder)


def _real_vectors(checkpoint: Checkpoint, corpus: Path, sentences: int) -> np.ndarray:
    with corpus.open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in islice(file, sentences)]
    assert checkpoint.detector is not None
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector)
    documents = (Document(str(number), text) for number, text in enumerate(texts))
    return np.concatenate([encoding.vectors for encoding in encoder.encode(documents)])


def _fill(store: Store, real: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Write `size` mentions; yields their vectors as they are stored."""
    random = np.random.default_rng(0)
    words = [f"word{number}" for number in range(5000)] + QUERIES * 50
    spans = [Span(4 * number, 4 * number + 3) for number in range(PER_DOCUMENT)]
    start = time.perf_counter()
    with store.writing() as writer:
        for first in range(0, size // PER_DOCUMENT, 5000):
            rows = range(first, min(first + 5000, size // PER_DOCUMENT))
            noise = random.normal(scale=NOISE / real.shape[1] ** 0.5, size=(len(rows) * PER_DOCUMENT, real.shape[1]))
            vectors = real[random.integers(len(real), size=len(noise))] + noise
            vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16).astype(np.float32)
            texts = [" ".join(random.choice(words, 20)) for _ in rows]
            groups = vectors.reshape(len(rows), PER_DOCUMENT, -1)
            documents = [Document(f"{row:06}", text) for row, text in zip(rows, texts, strict=True)]
            writer.write(
                [EncodedDocument(document, spans, group) for document, group in zip(documents, groups, strict=True)]
            )
            yield vectors
        end = time.perf_counter()
        writer.compact()
    show("writing", seconds=end - start, compact_seconds=time.perf_counter() - end)


def _measure(retriever: EntityRetriever, vectors: np.ndarray) -> dict[str, float]:
    info = retriever.info()
    figures: dict[str, float] = {"bytes_per_mention": info["bytes"] / info["mentions"]}
    figures["vector_mb_f16"] = vectors.nbytes / 2e6
    figures["bound_ms"] = 1000 * (vectors.nbytes / 2) / _bandwidth()
    queries = retriever.encoder.embed_queries(QUERIES)
    figures["query_embedding_ms"] = _times(lambda query: retriever.encoder.embed_queries([query]))[0]
    exact = (vectors @ queries.T).reshape(-1, PER_DOCUMENT, len(QUERIES)).max(1).T  # (queries, documents)
    snapshot, by_query = Store(retriever.path).snapshot(), dict(zip(QUERIES, queries, strict=True))
    for k in (10, 1000):
        best = np.argsort(-exact, 1, kind="stable")[:, :k]
        lists = [[int(name) for name, _ in retriever.rank(query, k, mode="vector")] for query in QUERIES]
        assert all(len(set(ranking)) == min(k, exact.shape[1]) for ranking in lists)
        recalls = [len(set(ranking) & set(truth.tolist())) / k for ranking, truth in zip(lists, best, strict=True)]
        figures[f"recall@{k}"] = float(np.mean(recalls))
        for name, act in {
            "store": lambda query, k=k: snapshot.nearest(by_query[query], max(2 * k, 200)),
            "rank": lambda query, k=k: retriever.rank(query, k, mode="vector"),
            "search": lambda query, k=k: retriever.search(query, k, mode="vector"),
            "hybrid": lambda query, k=k: retriever.search(query, k),
        }.items():
            figures[f"{name}_k{k}_p50_ms"], figures[f"{name}_k{k}_p95_ms"] = _times(act)
    return figures


def _times(act: Callable[[str], object], rounds: int = 2) -> tuple[float, float]:
    """Milliseconds of one call: median and 95th percentile over all queries."""
    times = []
    for _ in range(rounds):
        for query in QUERIES:
            start = time.perf_counter()
            act(query)
            times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times)), float(np.percentile(times, 95))


def _bandwidth() -> float:
    """Bytes that one thread reads from memory in a second: the best of some passes over 256 MB."""
    block = np.ones(64 << 20, dtype=np.float32)
    times = []
    for _ in range(7):
        start = time.perf_counter()
        block.view(np.int64).max()
        times.append(time.perf_counter() - start)
    return block.nbytes / min(times)


if __name__ == "__main__":
    main()
