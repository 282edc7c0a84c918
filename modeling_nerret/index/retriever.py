"""EntityRetriever: index documents once, then ask for any type of entity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..detection import Detector
from ..documents import Document, in_groups
from ..encoding import BATCH_TOKENS, Encoder, Report
from ..pretrained.checkpoints import DEFAULT, Checkpoint, load_checkpoint
from .hits import Hit, Mention
from .store import MANIFEST, Store, is_vacant

MODES = ("hybrid", "vector", "document", "lexical")
COMMIT_CHARACTERS, COMMIT_DOCUMENTS = 1_000_000, 5_000  # that are committed together


class EntityRetriever:
    """An index of documents that answers type queries.

    Args:
        path: the index folder; made when the first documents are added.
        model: built-in name, path or repository id of a checkpoint, or a loaded `Checkpoint`.
        detector: what finds mentions; `None`: the checkpoint's own.
        device: where the model runs.

    Raises:
        ValueError: the path is no index, the index was made with another model, or there is no detector.
        OSError: there is no such model.

    Example:
        >>> from modeling_nerret import EntityRetriever
        >>> retriever = EntityRetriever(index_path, model=tiny_checkpoint)
        >>> retriever.add([{"id": "a", "text": "Ada Lovelace met Charles Babbage in London."}]).documents
        1
        >>> [hit.id for hit in retriever.search("mathematician", k=1)]
        ['a']
    """

    def __init__(
        self,
        path: str | Path,
        model: str | Checkpoint = DEFAULT,
        detector: Detector | None = None,
        device: str = "cpu",
        batch_tokens: int = BATCH_TOKENS,
        on_long: str = "window",
    ):
        self.path = Path(path)
        self._store = None if is_vacant(path) else Store(path)
        if self._store and isinstance(model, str):
            self._check_model(model, None)
        self.checkpoint = load_checkpoint(model, device) if isinstance(model, str) else model
        self._check_model(self.checkpoint.name, self.checkpoint.fingerprint)
        detector = detector or self.checkpoint.detector
        if detector is None:
            raise ValueError(
                f"the model {self.checkpoint.name!r} has no detector of its own; give one, "
                "for example detector=GivenSpans() or TokenClassifier('dslim/bert-base-NER')"
            )
        self.encoder = Encoder(self.checkpoint.model, self.checkpoint.tokenizer, detector, batch_tokens, on_long)

    def __len__(self) -> int:
        """Number of documents."""
        return len(self._store) if self._store else 0

    def info(self) -> dict[str, Any]:
        """Path, model, numbers of documents and mentions, bytes on disk."""
        if self._store is None:
            return {"path": str(self.path), "model": self.checkpoint.name, "documents": 0, "mentions": 0, "bytes": 0}
        return self._store.info()

    def add(self, documents: Iterable[Mapping[str, Any] | Document]) -> Report:
        """Add documents (`{"id", "text", ...metadata}`), each in the place of what has its id.

        They are streamed, and committed every so many: what was committed is there after an interruption, and after
        an error of the stream itself. A document that is refused takes the whole call back.

        Returns:
            How many documents, characters, windows and mentions were read, and how many mentions no token covers.

        Raises:
            ValueError: a document without id or text, an id twice, a span outside its text.
            RuntimeError: another process writes to the index.
            OSError: the disk is full or the folder read-only.
        """
        self.encoder.report = Report()
        encoded = self.encoder.encode(map(_document, documents))
        groups = in_groups(encoded, lambda one: len(one.document.text), COMMIT_CHARACTERS, COMMIT_DOCUMENTS)
        first = next(groups, None)  # before an index is made, so that bad input leaves nothing behind
        if first is None:
            return self.encoder.report
        with self._writable().writing():
            self._open.write(first)
            for group in groups:
                self._open.write(group)
            if self._open.is_behind:
                self._open.compact()
        return self.encoder.report

    def compact(self) -> None:
        """Bring the index's own indexes up to date after many changes, and give unused space back to the disk.

        Searches are right without, but slower. `add` does it by itself after many additions.
        """
        if self._store is not None:
            with self._store.writing():
                self._store.compact()

    def delete(self, ids: str | Sequence[str]) -> int:
        """Remove documents by id; returns how many were there."""
        if self._store is None:
            return 0
        with self._store.writing():
            return self._store.delete([ids] if isinstance(ids, str) else list(ids))

    def lookup(self, ids: Sequence[str]) -> dict[str, Document]:
        """Documents by id; ids that are not there are left out."""
        return self._store.lookup(ids) if self._store else {}

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
            k: how many different documents; fewer come only if there are fewer.
            where: conditions on metadata, see `Store.filter`.
            mode: `"vector"` (best mention's cosine), `"document"` (the text's own cosine), `"lexical"` (BM25 over the
                texts) or `"hybrid"` (all of them).
            min_score: leave out documents with a lower score.

        Raises:
            ValueError: an empty query, `k` below 1, an unknown mode or one that the model has not, a malformed filter.
        """
        vector = self._checked(type_query, k, mode)
        if self._store is None:
            return []

        def read() -> list[Hit]:
            ranked = self._rank(type_query, vector, k, where, mode, min_score)
            keys = [key for key, _, _ in ranked]
            documents = self._open.documents(keys)
            mentions = self._open.mentions([] if mode == "lexical" else keys, vector)
            there = [(key, score) for key, _, score in ranked if key in documents]
            return [self._hit(documents[key], score, mentions.get(key, [])) for key, score in there]

        return self._store.consistently(read)

    def rank(
        self,
        type_query: str,
        k: int = 10,
        where: Mapping[str, Any] | None = None,
        mode: str = "hybrid",
        min_score: float | None = None,
    ) -> list[tuple[str, float]]:
        """As `search`, but only ids and scores: for rankings of thousands of documents."""
        vector = self._checked(type_query, k, mode)
        if self._store is None:
            return []
        ranked = self._store.consistently(lambda: self._rank(type_query, vector, k, where, mode, min_score))
        return [(name, score) for _, name, score in ranked]

    def sample(self, limit: int) -> tuple[list[str], np.ndarray]:
        """Texts of some mentions, at most `limit`, evenly from the whole index, and their vectors.

        The vectors are (mentions, hidden_size) float32, as stored (in half precision).
        """
        if self._store is None:
            return [], np.zeros((0, self.checkpoint.model.config.hidden_size), np.float32)

        def read() -> tuple[list[str], np.ndarray]:
            places, vectors = self._open.sample(limit)
            documents = self._open.documents(sorted({key for key, _, _ in places}))
            there = [row for row, (key, _, _) in enumerate(places) if key in documents]
            return [documents[key].text[a:b] for key, a, b in (places[row] for row in there)], vectors[there]

        return self._store.consistently(read)

    def _checked(self, type_query: str, k: int, mode: str) -> np.ndarray:
        """The query's vector (hidden_size,), the other arguments being checked too."""
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; accepted are {', '.join(MODES)}")
        if mode == "document" and self.checkpoint.model.document_head is None:
            raise ValueError(f"the model {self.checkpoint.name!r} has no document head; use mode='hybrid' or 'vector'")
        if not isinstance(k, int) or k < 1:
            raise ValueError(f"k is {k!r}; it must be a whole number from 1")
        return self.encoder.embed_queries([type_query])[0]

    def _rank(
        self,
        query: str,
        vector: np.ndarray,
        k: int,
        where: Mapping[str, Any] | None,
        mode: str,
        min_score: float | None,
    ) -> list[tuple[int, str, float]]:
        """Key, id and score of the best `k`."""
        keys = self._open.filter(where) if where else None
        most = max(len(self._open), self._open.count_mentions(), self._open.count_windows(), 1)
        k = min(k, most if keys is None else len(keys))
        limit = min(max(2 * k, 200), most)
        while True:
            scores = self._scores(query, vector, limit, keys, mode)
            best = self._best(scores, k)
            no_more = limit == most or (mode == "lexical" and len(scores) < limit)
            if len(best) == k or no_more:
                return [one for one in best if min_score is None or one[2] >= min_score]
            limit = min(4 * limit, most)  # several mentions of a document, or of one that is gone, took the places

    def _scores(self, query: str, vector: np.ndarray, limit: int, keys: set[int] | None, mode: str) -> dict[int, float]:
        """Scores by key of the documents that have one of the `limit` nearest mentions or windows, or best texts."""
        store, config = self._open, self.checkpoint.model.config
        if mode == "lexical":
            return store.matching(query, limit, keys)
        if mode == "document":
            return store.nearest(vector, limit, keys, of="windows")
        mentions = store.nearest(vector, limit, keys)
        if mode == "vector":
            return mentions
        lexical = store.matching(query, limit, keys)
        windows = store.nearest(vector, limit, keys, of="windows") if config.document_weight else {}
        found = sorted({*mentions, *lexical, *windows})
        self._complete(mentions, found, vector, "mentions")
        if config.document_weight:
            self._complete(windows, found, vector, "windows")
        scores = {}
        for key in found:
            word, whole = lexical.get(key, 0.0), windows.get(key, 0.0)
            score = max(mentions[key], config.document_floor * whole) + config.document_weight * whole
            scores[key] = float(np.float32(score + config.lexical_weight * word / (word + config.lexical_half)))
        return scores

    def _complete(self, scores: dict[int, float], keys: Sequence[int], vector: np.ndarray, of: str) -> None:
        """Score those of `keys` that have no score yet, 0 where a document has no mention (or window)."""
        missing = self._open.mentions([key for key in keys if key not in scores], vector, of)
        for key, found in missing.items():
            scores[key] = max((score for _, _, score in found), default=0.0)

    def _best(self, scores: dict[int, float], k: int) -> list[tuple[int, str, float]]:
        """Key, id and score of the best `k` of the scored documents that are still there; ties in order of ids."""
        ranked = sorted(scores, key=lambda key: -scores[key])
        while ranked and k:
            level = scores[ranked[min(k, len(ranked)) - 1]]
            candidates = [key for key in ranked if scores[key] >= level]  # the k-th score may be shared by many
            ids = self._open.ids(candidates)
            if len(ids) >= min(k, len(ranked)):
                return [
                    (key, ids[key], scores[key]) for key in sorted(ids, key=lambda key: (-scores[key], ids[key]))[:k]
                ]
            gone = set(candidates) - set(ids)  # replaced, deleted, or of an interrupted write
            ranked = [key for key in ranked if key not in gone]
        return []

    def _hit(self, document: Document, score: float, found: Sequence[tuple[int, int, float]]) -> Hit:
        """A hit with those mentions that match the type: above the model's match score, and the best one anyway."""
        best = max((score for _, _, score in found), default=0.0)
        least = min(self.checkpoint.model.config.match_score, best)
        matching = [Mention(a, b, document.text[a:b], score) for a, b, score in found if score >= least]
        return Hit(document.id, score, document.text, matching, document.metadata)

    @property
    def _open(self) -> Store:
        assert self._store is not None
        return self._store

    def _writable(self) -> Store:
        if self._store is None:
            size = self.checkpoint.model.config.hidden_size
            names = {"model": self.checkpoint.name, "fingerprint": self.checkpoint.fingerprint}
            self._store = Store.create(self.path, size, **names)
            self._check_model(self.checkpoint.name, self.checkpoint.fingerprint)  # another process may have made it
        return self._store

    def _check_model(self, name: str, fingerprint: str | None) -> None:
        """Refuse a model other than the index's; by its name, where the fingerprint is not known yet."""
        if self._store is None:
            return
        made = self._store.manifest
        if fingerprint == made["fingerprint"] or (fingerprint is None and name == made["model"]):
            return
        if fingerprint is None and (Path(name).exists() or Path(made["model"]).exists()):
            return  # one checkpoint under two paths is told by its fingerprint
        same_name = " (its files have changed since)" if name == made["model"] else ""
        raise ValueError(
            f"the index {self.path} was made with the model {made['model']!r}, not with {name!r}{same_name}; "
            f"open it with model={made['model']!r} or index the corpus again under another path"
        )


def index_model(path: str | Path) -> str | None:
    """The name of the model that an index was made with; `None` if there is no index yet."""
    return Store(path).manifest["model"] if (Path(path) / MANIFEST).exists() else None


def _document(entry: Mapping[str, Any] | Document) -> Document:
    return entry if isinstance(entry, Document) else Document.from_dict(entry)
