"""EntityRetriever: index documents once, then ask for any type of entity."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from ..detection import Detector, GivenSpans
from ..documents import Document, EncodedDocument, as_documents, as_ids
from ..encoding import BATCH_TOKENS, Encoder, Report
from ..pretrained.built_in import DEFAULT, built_in
from ..pretrained.checkpoints import Checkpoint, load_checkpoint
from .engine import refuse_fork
from .filters import Filter
from .folder import as_path, has_index, is_vacant
from .hits import Hit, Mention
from .ranking import MODES, Query, Rank, Ranking
from .snapshot import Snapshot
from .store import Store
from .terms import terms_of
from .type_tree import MENTIONS, TypeTree, read_types

COMMIT_CHARACTERS, COMMIT_DOCUMENTS = 1_000_000, 5_000  # of one commit
# Seconds after which documents are committed, however few they are: the first ones, and, doubled each time, at most
FIRST_SECONDS, COMMIT_SECONDS = 0.5, 5.0
LEAST_LENGTH = 1e-3  # of a mention's vector; in half precision, a shorter one would lose its direction
Where = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class EntityRetriever:
    """An index of documents that answers type queries.

    Args:
        path: the index folder; made when the first documents are added. A relative path is meant from the folder in
            which the process works now.
        model: built-in name, path or repository id of a checkpoint, or a loaded `Checkpoint`. `None`: the model that
            the index was made with, or the default model for a new index.
        detector: what finds mentions in added documents; `None`: the checkpoint's own.
        device: where the model runs.
        batch_tokens: most tokens of a batch, padding included.
        on_long: what to do with a text that exceeds the model's window: `"window"` cuts it, `"error"` refuses it.

    A retriever may be used by several threads. It can be pickled and copied: the copy opens the same folder with a
    model that it loads again. A forked process cannot use it; start processes with the method "spawn".

    Raises:
        ValueError: the path is no index, or the index was made with another model.
        OSError: there is no such model.
        RuntimeError: the process was forked.

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
        self.path = as_path(path)
        self._index = None if is_vacant(self.path) else Store(self.path)
        if model is None:
            model = DEFAULT if self._index is None else self._index.manifest["model"]
        if isinstance(model, str):
            model = _fixed(model)
            self._check_model(model, None, self._index)
            model = load_checkpoint(model, device)
        self.checkpoint: Checkpoint = model
        self._check_model(self.checkpoint.name, self.checkpoint.fingerprint, self._index)
        self.detector = detector or self.checkpoint.detector
        self.encoder = Encoder(
            self.checkpoint.model, self.checkpoint.tokenizer, self.detector or GivenSpans(), batch_tokens, on_long
        )
        self._arguments = (detector, device, batch_tokens, on_long)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path and the model's name, not the open files and weights."""
        return type(self), (self.path, self.checkpoint.name, *self._arguments)

    @property
    def _store(self) -> Store | None:
        """The index, if there is one; another process may have made it after this object."""
        if self._index is None and has_index(self.path):
            store = Store(self.path)
            self._check_model(self.checkpoint.name, self.checkpoint.fingerprint, store)
            self._index = store
        return self._index

    def __len__(self) -> int:
        """Number of documents."""
        store = self._store
        return 0 if store is None else len(store)

    def info(self) -> dict[str, Any]:
        """Path, model, numbers of documents and mentions, bytes on disk."""
        if self._store is None:
            return {"path": str(self.path), "model": self.checkpoint.name, "documents": 0, "mentions": 0, "bytes": 0}
        return self._store.info()

    def add(self, documents: Iterable[Mapping[str, Any] | Document]) -> Report:
        """Add documents (`{"id", "text", ...metadata}`), and replace those with the same ids.

        They are streamed and committed in parts, at least every few seconds. What was committed is kept after an
        interruption, and after an error of the stream itself. A document that is refused rolls the whole call back.

        Args:
            documents: mappings or `Document`s, or a table with a row for each: of pandas, polars, pyarrow or datasets;
                also an iterable of tables.

        Returns:
            How many documents were added and replaced, how many characters, windows and mentions were read, and how
            many mentions no token covers.

        Raises:
            ValueError: a document without id or text, a repeated id, a span outside its text, or no detector.
            RuntimeError: another process writes to the index.
            OSError: the disk is full or the folder read-only.
        """
        refuse_fork()
        if self.detector is None:
            raise ValueError(
                f"the model {self.checkpoint.name!r} has no detector of its own; give one, "
                "for example detector=GivenSpans() or TokenClassifier('dslim/bert-base-NER')"
            )
        report = Report()
        stream = as_documents(documents, spans=isinstance(self.detector, GivenSpans))
        groups = _commits(map(self._weigh, self.encoder.encode(stream, report)))
        first = next(groups, None)  # before an index is made, so that bad input leaves nothing behind
        if first is None:
            if self._store is not None:
                self._store.finish()
            return report
        with self._writable().writing() as writer:
            report.replaced += writer.write(first)
            for group in groups:
                report.replaced += writer.write(group)
        report.added = report.documents - report.replaced
        return report

    def compact(self) -> None:
        """Update the index's own indexes after many changes, and give unused space back to the disk.

        Searches are right without it, but slower. `add` does it by itself after many additions.
        """
        if self._store is not None:
            with self._store.writing() as writer:
                writer.compact()

    def delete(self, ids: Any) -> int:
        """Remove documents by id, one or several; returns how many there were.

        Raises:
            ValueError: an id is no string and no whole number.
        """
        names = as_ids(ids)
        if self._store is None:
            return 0
        with self._store.writing() as writer:
            return writer.delete(names)

    def lookup(self, ids: Any, spans: bool = False) -> dict[str, Document]:
        """Documents by id, of one or several; ids that no document has are left out.

        Args:
            ids: as for `delete`.
            spans: whether to read the documents' mentions too.

        Raises:
            ValueError: an id is no string and no whole number.
        """
        names = as_ids(ids)
        store = self._store
        return {} if store is None else store.lookup(names, spans)

    def ids(self, prefix: str = "") -> list[str]:
        """Ids of all documents, or of those whose ids begin with `prefix`, in alphabetical order."""
        store = self._store
        return [] if store is None else store.read(lambda snapshot: snapshot.ids_from(prefix))

    def search(
        self,
        type_query: str,
        k: int = 10,
        where: Where | None = None,
        mode: str = "hybrid",
        min_score: float | None = None,
    ) -> list[Hit]:
        """The `k` documents that most surely mention an entity of a type, best first; ties in order of their ids.

        Args:
            type_query: the type in plain words, such as "dinosaur" or "drug that lowers blood pressure".
            k: how many documents; fewer come only if there are fewer.
            where: conditions on metadata, see `filters.Filter`.
            mode: `"vector"` (best mention's cosine, less if the detector is not certain of it), `"document"` (the
                text's own cosine), `"lexical"` (BM25 over the texts) or `"hybrid"` (all of them).
            min_score: leave out documents with a lower score.

        Raises:
            ValueError: an empty query, `k` below 1, a mode that is unknown or that the model lacks, a malformed filter.
        """
        query = self._query(type_query, k, mode, where, min_score)
        if self._store is None:
            return []

        def hits(snapshot: Snapshot) -> list[Hit]:
            ranks = self._ranks(snapshot, query)
            keys = [rank.key for rank in ranks]
            documents = snapshot.documents(keys)
            mentions = snapshot.mentions([] if mode == "lexical" else keys, query.vector)
            return [self._hit(documents[rank.key], rank.score, mentions.get(rank.key, [])) for rank in ranks]

        return self._store.read(hits)

    def rank(
        self,
        type_query: str,
        k: int = 10,
        where: Where | None = None,
        mode: str = "hybrid",
        min_score: float | None = None,
    ) -> list[tuple[str, float]]:
        """As `search`, but only ids and scores: for rankings of thousands of documents."""
        query = self._query(type_query, k, mode, where, min_score)
        if self._store is None:
            return []
        ranks = self._store.read(lambda snapshot: self._ranks(snapshot, query))
        return [(rank.id, rank.score) for rank in ranks]

    def sample(self, limit: int) -> tuple[list[str], np.ndarray]:
        """At most `limit` mentions, evenly from the whole index.

        Returns:
            Their texts, and their vectors, each of length 1. (mentions, hidden_size)
        """
        if self._store is None:
            return [], np.zeros((0, self.checkpoint.model.config.hidden_size), np.float32)

        def mentions(snapshot: Snapshot) -> tuple[list[str], np.ndarray]:
            places, vectors = snapshot.sample(limit)
            documents = snapshot.documents(sorted({key for key, _, _ in places}))
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)  # (mentions, 1), see `_weigh`
            return [documents[key].text[start:end] for key, start, end in places], vectors / lengths

        return self._store.read(mentions)

    def types(self, limit: int = MENTIONS) -> TypeTree:
        """Which types the index holds: a tree with rough numbers and examples, so that one sees what can be asked.

        Args:
            limit: how many mentions are looked at, evenly from the whole index; the cost does not grow with the index.

        Raises:
            ValueError: the model has no names of types, or `limit` is below 1.

        Example:
            >>> tree = EntityRetriever(index_path.with_name("new")).types()
            >>> [group.name for group in tree.types], tree.mentions
            ([], 0)
        """
        if isinstance(limit, bool) or not isinstance(limit, Integral) or limit < 1:
            raise ValueError(f"limit is {limit!r}; it must be a whole number from 1")
        bank = self.checkpoint.type_names
        if bank is None:
            raise ValueError(
                f"the model {self.checkpoint.name!r} has no names of types; write them into its folder with "
                "python -m modeling_nerret.training.type_names FOLDER"
            )
        if self._store is None:
            return TypeTree([], 0, 0, 0, 0)
        return self._store.read(lambda snapshot: read_types(snapshot, bank, int(limit)))

    def _query(self, text: str, k: int, mode: str, where: Where | None, min_score: float | None) -> Query:
        """The query with its vector, its arguments checked."""
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; accepted are {', '.join(MODES)}")
        if mode == "document" and self.checkpoint.model.document_head is None:
            raise ValueError(f"the model {self.checkpoint.name!r} has no document head; use mode='hybrid' or 'vector'")
        if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
            raise ValueError(f"k is {k!r}; it must be a whole number from 1")
        is_number = isinstance(min_score, (int, float, np.number)) and not isinstance(min_score, bool)
        if min_score is not None and not (is_number and min_score == min_score):
            raise ValueError(f"min_score is {min_score!r}; it must be a number")
        refuse_fork()
        conditions = None if where is None or where == {} else Filter(where)
        vector = self.encoder.embed_queries([text])[0]
        if mode == "lexical" and not terms_of(text):
            raise ValueError(f"{text!r:.60} has no word that can be searched, only such as 'the'; use another mode")
        return Query(text, vector, int(k), mode, conditions, min_score)

    def _ranks(self, snapshot: Snapshot, query: Query) -> list[Rank]:
        return Ranking(snapshot, self.checkpoint.model.config, query).best()

    def _hit(self, document: Document, score: float, mentions: Sequence[tuple[int, int, float]]) -> Hit:
        """A hit with the mentions above the model's match score, or else with the best one."""
        best = max((score for _, _, score in mentions), default=0.0)
        least = min(self.checkpoint.model.config.match_score, best)
        matches = [
            Mention(start, end, document.text[start:end], score) for start, end, score in mentions if score >= least
        ]
        return Hit(document.id, score, document.text, matches, document.metadata)

    def _weigh(self, document: EncodedDocument) -> EncodedDocument:
        """A document with vectors as long as the detector is certain of the mentions; their products are the scores."""
        scores = np.array([span.score for span in document.mentions], dtype=np.float32)  # (mentions,)
        lengths = scores.clip(0, 1) ** self.checkpoint.model.config.certainty
        return replace(document, vectors=document.vectors * lengths.clip(LEAST_LENGTH)[:, None])

    def _writable(self) -> Store:
        store = self._store
        if store is None:
            size = self.checkpoint.model.config.hidden_size
            names = {"model": self.checkpoint.name, "fingerprint": self.checkpoint.fingerprint}
            store = Store.create(self.path, size, **names)
            self._check_model(self.checkpoint.name, self.checkpoint.fingerprint, store)  # another process may be first
            self._index = store
        return store

    def _check_model(self, name: str, fingerprint: str | None, store: Store | None) -> None:
        """Refuse a model other than the index's; by its name, if the fingerprint is not known yet."""
        if store is None:
            return
        manifest = store.manifest
        if fingerprint == manifest["fingerprint"] or (fingerprint is None and name == manifest["model"]):
            return
        if fingerprint is None and (Path(name).exists() or Path(manifest["model"]).exists()):
            return  # a checkpoint may have two paths; its fingerprint tells
        same_name = " (its files have changed since)" if name == manifest["model"] else ""
        raise ValueError(
            f"the index {self.path} was made with the model {manifest['model']!r}, not with {name!r}{same_name}; "
            f"open it with model={manifest['model']!r} or index the corpus again under another path"
        )


def _fixed(model: str) -> str:
    """A model's name or, for a folder, its absolute path: it must mean the same from wherever the index is opened."""
    path = Path(model).expanduser()
    return str(path.resolve()) if model not in built_in() and path.is_dir() else model


def _commits(documents: Iterator[EncodedDocument]) -> Iterator[list[EncodedDocument]]:
    """Documents in the groups that are committed together: large enough to be fast, and none waits long."""
    group: list[EncodedDocument] = []
    characters, begin, patience = 0, time.monotonic(), FIRST_SECONDS
    for document in documents:
        group.append(document)
        characters += len(document.document.text)
        is_late = time.monotonic() - begin > patience
        if is_late or characters >= COMMIT_CHARACTERS or len(group) == COMMIT_DOCUMENTS:
            yield group
            group, characters, begin, patience = [], 0, time.monotonic(), min(2 * patience, COMMIT_SECONDS)
    if group:
        yield group
