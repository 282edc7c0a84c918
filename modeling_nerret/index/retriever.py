"""EntityRetriever: index documents once, then ask for any type of entity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ..detection import Detector, GivenSpans
from ..documents import Document, in_groups
from ..encoding import BATCH_TOKENS, Encoder, Report
from ..pretrained.built_in import DEFAULT
from ..pretrained.checkpoints import Checkpoint, load_checkpoint
from .folder import is_vacant
from .hits import Hit, Mention
from .ranking import MODES, Query, Rank, Ranking
from .store import Store

COMMIT_CHARACTERS, COMMIT_DOCUMENTS = 1_000_000, 5_000  # of one commit


class EntityRetriever:
    """An index of documents that answers type queries.

    Args:
        path: the index folder; made when the first documents are added.
        model: built-in name, path or repository id of a checkpoint, or a loaded `Checkpoint`. `None`: the model that
            the index was made with, or the default model for a new index.
        detector: what finds mentions in added documents; `None`: the checkpoint's own.
        device: where the model runs.
        batch_tokens: most tokens of a batch, padding included.
        on_long: what to do with a text that exceeds the model's window: `"window"` cuts it, `"error"` refuses it.

    Raises:
        ValueError: the path is no index, or the index was made with another model.
        OSError: there is no such model.

    Example:
        >>> from modeling_nerret import EntityRetriever
        >>> retriever = EntityRetriever(index_path, model=tiny_checkpoint)
        >>> retriever.add([{"id": "a", "text": "Ada Lovelace met Charles Babbage in London."}]).documents
        1
        >>> [hit.id for hit in EntityRetriever(index_path).search("mathematician", k=1)]
        ['a']
    """

    def __init__(
        self,
        path: str | Path,
        model: str | Checkpoint | None = None,
        detector: Detector | None = None,
        device: str = "cpu",
        batch_tokens: int = BATCH_TOKENS,
        on_long: str = "window",
    ):
        self.path = Path(path)
        self._store = None if is_vacant(path) else Store(path)
        if model is None:
            model = self._store.manifest["model"] if self._store else DEFAULT
        if isinstance(model, str):
            self._check_model(model, None)
            model = load_checkpoint(model, device)
        self.checkpoint: Checkpoint = model
        self._check_model(self.checkpoint.name, self.checkpoint.fingerprint)
        self.detector = detector or self.checkpoint.detector
        self.encoder = Encoder(
            self.checkpoint.model, self.checkpoint.tokenizer, self.detector or GivenSpans(), batch_tokens, on_long
        )

    def __len__(self) -> int:
        """Number of documents."""
        return len(self._store) if self._store else 0

    def info(self) -> dict[str, Any]:
        """Path, model, numbers of documents and mentions, bytes on disk."""
        if self._store is None:
            return {"path": str(self.path), "model": self.checkpoint.name, "documents": 0, "mentions": 0, "bytes": 0}
        return self._store.info()

    def add(self, documents: Iterable[Mapping[str, Any] | Document]) -> Report:
        """Add documents (`{"id", "text", ...metadata}`), and replace those with the same ids.

        They are streamed and committed in parts. What was committed is kept after an interruption, and after an error
        of the stream itself. A document that is refused rolls the whole call back.

        Returns:
            How many documents, characters, windows and mentions were read, and how many mentions no token covers.

        Raises:
            ValueError: a document without id or text, a repeated id, a span outside its text, or no detector.
            RuntimeError: another process writes to the index.
            OSError: the disk is full or the folder read-only.
        """
        if self.detector is None:
            raise ValueError(
                f"the model {self.checkpoint.name!r} has no detector of its own; give one, "
                "for example detector=GivenSpans() or TokenClassifier('dslim/bert-base-NER')"
            )
        self.encoder.report = Report()
        stream = self.encoder.encode(map(_as_document, documents))
        groups = in_groups(stream, lambda item: len(item.document.text), COMMIT_CHARACTERS, COMMIT_DOCUMENTS)
        first = next(groups, None)  # before an index is made, so that bad input leaves nothing behind
        if first is None:
            return self.encoder.report
        store = self._writable()
        with store.writing():
            for group in chain([first], groups):
                replaced_documents = len(store.lookup([item.document.id for item in group]))
                store.write(group)
                self.encoder.report.replaced += replaced_documents
                self.encoder.report.added += len(group) - replaced_documents
            if store.is_behind:
                store.compact()
        return self.encoder.report

    def compact(self) -> None:
        """Update the index's own indexes after many changes, and give unused space back to the disk.

        Searches are right without it, but slower. `add` does it by itself after many additions.
        """
        if self._store is not None:
            with self._store.writing():
                self._store.compact()

    def delete(self, ids: str | Sequence[str]) -> int:
        """Remove documents by id; returns how many there were."""
        if self._store is None:
            return 0
        with self._store.writing():
            return self._store.delete([ids] if isinstance(ids, str) else list(ids))

    def lookup(self, ids: Sequence[str]) -> dict[str, Document]:
        """Documents by id; ids that no document has are left out."""
        return self._store.lookup(ids) if self._store else {}

    def ids(self, prefix: str = "") -> list[str]:
        """Ids of documents that begin with `prefix`, in order."""
        return self._store.ids_with(prefix) if self._store else []

    def search(
        self,
        type_query: str,
        k: int = 10,
        where: Mapping[str, Any] | None = None,
        mode: str = "hybrid",
        min_score: float | None = None,
    ) -> list[Hit]:
        """The `k` documents that most surely mention an entity of a type, best first; ties in order of their ids.

        Args:
            type_query: the type in plain words, such as "dinosaur" or "drug that lowers blood pressure".
            k: how many documents; fewer come only if there are fewer.
            where: conditions on metadata, see `Store.filter`.
            mode: `"vector"` (best mention's cosine), `"document"` (the text's own cosine), `"lexical"` (BM25 over the
                texts) or `"hybrid"` (all of them).
            min_score: leave out documents with a lower score.

        Raises:
            ValueError: an empty query, `k` below 1, a mode that is unknown or that the model lacks, a malformed filter.
        """
        query = self._query(type_query, k, mode, where, min_score)
        if self._store is None:
            return []
        store = self._store

        def hits() -> list[Hit]:
            ranks = self._ranks(store, query)
            keys = [rank.key for rank in ranks]
            documents = store.documents(keys)
            mentions = store.mentions([] if mode == "lexical" else keys, query.vector)
            return [
                self._hit(documents[rank.key], rank.score, mentions.get(rank.key, []))
                for rank in ranks
                if rank.key in documents
            ]

        return store.consistently(hits)

    def rank(
        self,
        type_query: str,
        k: int = 10,
        where: Mapping[str, Any] | None = None,
        mode: str = "hybrid",
        min_score: float | None = None,
    ) -> list[tuple[str, float]]:
        """As `search`, but only ids and scores: for rankings of thousands of documents."""
        query = self._query(type_query, k, mode, where, min_score)
        if self._store is None:
            return []
        store = self._store
        return [(rank.id, rank.score) for rank in store.consistently(lambda: self._ranks(store, query))]

    def sample(self, limit: int) -> tuple[list[str], np.ndarray]:
        """At most `limit` mentions, evenly from the whole index: their texts, and vectors (mentions, hidden_size)."""
        if self._store is None:
            return [], np.zeros((0, self.checkpoint.model.config.hidden_size), np.float32)
        store = self._store

        def mentions() -> tuple[list[str], np.ndarray]:
            places, vectors = store.sample(limit)
            documents = store.documents(sorted({key for key, _, _ in places}))
            rows = [row for row, (key, _, _) in enumerate(places) if key in documents]
            texts = [documents[key].text[start:end] for key, start, end in (places[row] for row in rows)]
            return texts, vectors[rows]

        return store.consistently(mentions)

    def _query(self, text: str, k: int, mode: str, where: Mapping[str, Any] | None, min_score: float | None) -> Query:
        """The query with its vector, its arguments checked."""
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; accepted are {', '.join(MODES)}")
        if mode == "document" and self.checkpoint.model.document_head is None:
            raise ValueError(f"the model {self.checkpoint.name!r} has no document head; use mode='hybrid' or 'vector'")
        if not isinstance(k, int) or k < 1:
            raise ValueError(f"k is {k!r}; it must be a whole number from 1")
        return Query(text, self.encoder.embed_queries([text])[0], k, mode, where, min_score)

    def _ranks(self, store: Store, query: Query) -> list[Rank]:
        return Ranking(store, self.checkpoint.model.config, query).best()

    def _hit(self, document: Document, score: float, mentions: Sequence[tuple[int, int, float]]) -> Hit:
        """A hit with the mentions above the model's match score, or else with the best one."""
        best = max((score for _, _, score in mentions), default=0.0)
        least = min(self.checkpoint.model.config.match_score, best)
        matches = [
            Mention(start, end, document.text[start:end], score) for start, end, score in mentions if score >= least
        ]
        return Hit(document.id, score, document.text, matches, document.metadata)

    def _writable(self) -> Store:
        if self._store is None:
            size = self.checkpoint.model.config.hidden_size
            names = {"model": self.checkpoint.name, "fingerprint": self.checkpoint.fingerprint}
            self._store = Store.create(self.path, size, **names)
            self._check_model(self.checkpoint.name, self.checkpoint.fingerprint)  # another process may have made it
        return self._store

    def _check_model(self, name: str, fingerprint: str | None) -> None:
        """Refuse a model other than the index's; by its name, if the fingerprint is not known yet."""
        if self._store is None:
            return
        manifest = self._store.manifest
        if fingerprint == manifest["fingerprint"] or (fingerprint is None and name == manifest["model"]):
            return
        if fingerprint is None and (Path(name).exists() or Path(manifest["model"]).exists()):
            return  # a checkpoint may have two paths; its fingerprint tells
        same_name = " (its files have changed since)" if name == manifest["model"] else ""
        raise ValueError(
            f"the index {self.path} was made with the model {manifest['model']!r}, not with {name!r}{same_name}; "
            f"open it with model={manifest['model']!r} or index the corpus again under another path"
        )


def _as_document(entry: Mapping[str, Any] | Document) -> Document:
    return entry if isinstance(entry, Document) else Document.from_dict(entry)
