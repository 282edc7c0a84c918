"""Micro-batches: type queries that arrive together are embedded in one forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock

import numpy as np

from ..encoding import Encoder

MOST_QUERIES = 64  # of one pass


class BatchEncoder(Encoder):
    """An encoder for many threads. While one pass runs, the queries of other threads gather for the next one.

    Nobody waits for company: a query that comes alone is embedded at once, and the more come, the larger the batches.
    A query that is refused spoils no other.

    Attributes:
        passes: how many passes there were.
        queries: how many different queries they embedded.

    Example:
        >>> from modeling_nerret.pretrained.checkpoints import load_checkpoint
        >>> from modeling_nerret import GivenSpans
        >>> checkpoint = load_checkpoint(tiny_checkpoint)
        >>> encoder = BatchEncoder(Encoder(checkpoint.model, checkpoint.tokenizer, GivenSpans()))
        >>> encoder.embed_queries(["city", "river", "city"]).shape, encoder.passes, encoder.queries
        ((3, 16), 1, 2)
    """

    def __init__(self, encoder: Encoder):
        super().__init__(encoder.model, encoder.tokenizer, encoder.detector, encoder.batch_tokens, encoder.on_long)
        self._turn, self._door = Lock(), Lock()  # to embed, and to join or take the queue
        self._queue: list[tuple[list[str], Future[np.ndarray]]] = []
        self.passes = self.queries = 0

    def embed_queries(self, queries: Sequence[str]) -> np.ndarray:
        """As `Encoder.embed_queries`, together with the queries of other threads."""
        vectors: Future[np.ndarray] = Future()
        with self._door:
            self._queue.append((list(queries), vectors))
        with self._turn:  # whoever is first embeds for all who came meanwhile
            while not vectors.done():
                self._embed_some()
        return vectors.result()

    def _embed_some(self) -> None:
        """Embed the queries that wait: as many as fit one pass, and at least those of one thread."""
        with self._door:
            count = size = 0
            while count < len(self._queue) and (not count or size + len(self._queue[count][0]) <= MOST_QUERIES):
                size += len(self._queue[count][0])
                count += 1
            group, self._queue = self._queue[:count], self._queue[count:]
        try:
            rows = self._embed([query for queries, _ in group for query in queries])
        except Exception:
            for queries, vectors in group:
                _settle(vectors, self._embed, queries)
            return
        for queries, vectors in group:
            vectors.set_result(rows[: len(queries)])
            rows = rows[len(queries) :]

    def _embed(self, queries: list[str]) -> np.ndarray:
        """One pass over the queries, equal ones once. (queries, hidden_size)"""
        texts = list(dict.fromkeys(queries))
        vectors = super().embed_queries(texts)
        self.passes, self.queries = self.passes + 1, self.queries + len(texts)
        places = {text: place for place, text in enumerate(texts)}
        rows: np.ndarray = vectors[[places[query] for query in queries]]
        return rows


def _settle(vectors: Future[np.ndarray], embed: object, queries: list[str]) -> None:
    """Give one thread its vectors, or its error."""
    assert callable(embed)
    try:
        vectors.set_result(embed(queries))
    except Exception as error:
        vectors.set_exception(error)
