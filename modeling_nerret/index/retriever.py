"""EntityRetriever: index documents once, then ask for any type of entity."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import TORCH
from ..detection import NAME, Detector, GivenSpans
from ..documents import Document, EncodedDocument, as_documents, as_ids
from ..encoding import BATCH_TOKENS, Encoder, Report
from ..pretrained.built_in import DEFAULT, built_in
from ..pretrained.checkpoints import Checkpoint, load_checkpoint
from .answers.asking import Extent, ask, check_promise
from .answers.evidence import explain, make_hits, match
from .answers.saved_queries import read_query, write_query
from .answers.scopes import DOCUMENT, check_scope
from .answers.type_query import Example, Expression, Type, as_expression
from .answers.type_search import TypeSearch
from .answers.type_vectors import embed_type
from .engine import refuse_fork
from .entities.groups import Place
from .entities.listing import Entity, list_entities, without_names
from .entities.pairs import Pair, pair_entities
from .filters import Filter
from .folder import as_path, has_index, is_vacant
from .hits import Answer, Hit, Mention
from .ranking import MODES, Query
from .snapshot import Snapshot
from .store import Store
from .terms import terms_of
from .type_tree import MENTIONS, TypeTree, read_types

COMMIT_CHARACTERS, COMMIT_DOCUMENTS = 1_000_000, 5_000  # of one commit
# Seconds after which documents are committed, however few they are: the first ones, and, doubled each time, at most
FIRST_SECONDS, COMMIT_SECONDS = 0.5, 5.0
RESIDENT = 500_000  # mentions of an index that is kept in memory
SHORT = 10  # documents of an answer that cannot say where it ends
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
        backend: what runs the backbone of a model that is loaded by name: `"torch"` or `"openvino"`, see
            `load_checkpoint`. Each searches an index that was made with the other.

    A retriever may be used by several threads. It can be pickled and copied: the copy opens the same folder with a
    model that it loads again. A forked process cannot use it; start processes with the method "spawn".

    Raises:
        ValueError: the path is no index, the index was made with another model, or the backend cannot run the model.
        OSError: there is no such model.
        ImportError: the backend is not installed.
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
        backend: str = TORCH,
    ):
        if not isinstance(model, str | None) and backend not in (TORCH, model.backend):
            raise ValueError(f"the checkpoint is loaded with the backend {model.backend}; load it with {backend!r:.60}")
        self.path = as_path(path)
        self._index = None if is_vacant(self.path) else Store(self.path)
        if model is None:
            model = DEFAULT if self._index is None else self._index.manifest["model"]
        if isinstance(model, str):
            model = _fixed(model)
            self._check_model(model, None, self._index)
            model = load_checkpoint(model, device, backend)
        self.checkpoint: Checkpoint = model
        self._check_model(self.checkpoint.name, self.checkpoint.fingerprint, self._index)
        self.detector = detector or self.checkpoint.detector
        self.encoder = Encoder(
            self.checkpoint.model, self.checkpoint.tokenizer, self.detector or GivenSpans(), batch_tokens, on_long
        )
        self._arguments = (detector, device, batch_tokens, on_long, self.checkpoint.backend)

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
        groups = map(self._weigh, _commits(self.encoder.encode(stream, report)))
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

    def keep_in_memory(self, most: int = RESIDENT) -> None:
        """Keep vectors and words in memory, so that a process which answers many searches answers them faster.

        After a commit the index is read again in the background; until then, searches read the disk.

        Args:
            most: mentions of an index up to which that is done; of the default model's, each takes 1 to 2 KB.
        """
        store = self._store
        if store is not None:
            store.most_resident = most
            store.snapshot()

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
        type_query: str | Expression,
        k: int | None = None,
        where: Where | None = None,
        mode: str = "hybrid",
        min_score: float | None = None,
        precision: float | None = None,
        within: str | int = DOCUMENT,
        wordings: Sequence[str] = (),
        like: Sequence[Example] = (),
        unlike: Sequence[Example] = (),
        marks: Mapping[str, bool] | None = None,
        why: bool = False,
    ) -> Answer:
        """The documents that mention an entity of a type, best first; ties in order of their ids.

        Args:
            type_query: the type in plain words, such as "dinosaur" or "drug that lowers blood pressure", or several
                types, such as `Type("politician") & ~Type("election")`.
            k: how many documents; fewer come only if there are fewer. `None`: the answer that is expected to be best,
                neither too short nor too long; none, if probably nothing is right. Without a calibration, and in modes
                other than hybrid, 10.
            where: conditions on metadata, see `filters.Filter`.
            mode: `"vector"` (best mention's cosine, less if it may be no name), `"document"` (the
                text's own cosine), `"lexical"` (BM25 over the texts) or `"hybrid"` (all of them).
            min_score: leave out documents with a lower score; of several types, with a lower probability.
            precision: as many documents as possible of which at least this share is expected to be right, in (0, 1];
                with `k`, at most so many.
            within: how near the mentions of several types must stand: in one `"document"` or `"sentence"`, or with so
                many characters between them at most.
            wordings: other words for the type.
            like: examples of the type, such as "Triceratops", or mentions `{"text": ..., "start": ..., "end": ...}`.
            unlike: examples of what is not of the type.
            marks: documents that were judged, `{"id": True, ...}`; they move the query, and sharpen what is promised.
            why: whether each hit says what its best mention looks like, see `Hit.why`.

        Returns:
            The hits as a list, with what they promise, see `Answer`.

        Raises:
            ValueError: an empty query, `k` below 1, a mode that is unknown or that the model lacks, a malformed filter,
                example or mark, a document to mark that is not there, or a promise that the model cannot make.
        """
        expression = as_expression(type_query, wordings=wordings, like=like, unlike=unlike, marks=marks)
        check_promise(expression, mode, precision, self.checkpoint)
        check_scope(within)
        if k is None and (self.checkpoint.calibration is None or mode != "hybrid"):
            k = SHORT
        least = min_score if isinstance(expression, Type) else None  # that of several types is of their probability
        queries = {type_: self._type_query(type_, k, mode, where, least) for type_ in expression.types()}
        if self._store is None:
            return Answer(query=str(expression))

        def answer(snapshot: Snapshot) -> Answer:
            searches = {type_: self._type_search(snapshot, type_, query) for type_, query in queries.items()}
            verdict = ask(snapshot, expression, searches, Extent(k, precision, min_score), within)
            sources = [searches[type_] for type_ in expression.wanted()]
            hits = make_hits(snapshot, self.checkpoint.model.config, verdict, sources)
            if why and self.checkpoint.type_names is not None:
                hits = explain(snapshot, self.checkpoint.type_names, verdict, hits)
            mark_ids = {name for type_ in expression.types() for name in type_.marks}
            return Answer(hits, str(expression), **verdict.promises(k is None, mark_ids))

        return self._store.read(answer)

    def mentions(self, id: str, type_query: str | Expression) -> list[Mention]:
        """The mentions of a document that match a type well, in order of their start.

        Raises:
            ValueError: an empty query, or the index has no such document.

        Example:
            >>> retriever = EntityRetriever(index_path.with_name("one"), model=tiny_checkpoint)
            >>> report = retriever.add([{"id": "a", "text": "Ada Lovelace met Charles Babbage in London."}])
            >>> all(mention.text in "Ada Lovelace met Charles Babbage." for mention in retriever.mentions("a", "x"))
            True
        """
        types = as_expression(type_query).wanted()
        vectors = [self._type_query(type_, None, "vector", None, None).vector for type_ in types]
        config, store = self.checkpoint.model.config, self._store
        mentions = None if store is None else store.read(lambda snapshot: match(snapshot, config, id, vectors))
        if mentions is None:
            raise ValueError(f"{self.path} has no document {id!r}")
        return mentions

    def rank(
        self,
        type_query: str,
        k: int = 10,
        where: Where | None = None,
        mode: str = "hybrid",
        min_score: float | None = None,
    ) -> list[tuple[str, float]]:
        """As `search`, but only ids and scores: for rankings of thousands of documents."""
        type_ = Type(type_query)
        query = self._type_query(type_, k, mode, where, min_score)
        if self._store is None:
            return []
        ranks = self._store.read(lambda snapshot: self._type_search(snapshot, type_, query).best(k))
        return [(rank.id, rank.score) for rank in ranks]

    def save_query(self, name: str, type_query: str | Expression, **fields: Any) -> Path:
        """Save a type, moved by its examples and marks, under a name: for this index and others of the same model.

        Args:
            name: up to 80 letters, digits, spaces, dots, hyphens and underscores.
            type_query: one type.
            fields: `wordings`, `like`, `unlike` and `marks`, as for `search`.

        Returns:
            The file, in the folder that the environment variable `NERRET_HOME` names or else in the user's own.

        Raises:
            ValueError: a name that cannot be a file's, several types, or what `search` refuses.
        """
        type_ = as_expression(type_query, **fields)
        if not isinstance(type_, Type):
            raise ValueError(f"one type can be saved, not several: {type_}")
        query = self._type_query(type_, None, "hybrid", None, None)
        vector, intercept = query.vector, type_.intercept
        if type_.marks:
            if self._store is None:
                raise ValueError("the index is empty, so its documents cannot be marked")
            search = self._store.read(lambda snapshot: self._type_search(snapshot, type_, query))
            vector = search.query.vector
            if search.calibration is not None:
                knowledge = search.knowledge()
                intercept = knowledge.mean, knowledge.deviation
        refinement = Type(type_.name, vector=tuple(vector.tolist()), intercept=intercept)
        return write_query(name, refinement, self.checkpoint.fingerprint)

    def saved_query(self, name: str) -> Type:
        """The type that was saved under a name.

        Raises:
            ValueError: there is none, or it was saved with another model.
        """
        return read_query(name, self.checkpoint.fingerprint)

    def entities(
        self, type_query: str | Expression, k: int | None = None, merge: bool = True, **options: Any
    ) -> list[Entity]:
        """Which entities of a type the index holds, the one in most documents first.

        Mentions of equal text are one entity, but for case, blanks, possessive and article; they are split where their
        vectors say that they name different things. Mentions that only repeat the query ("the company") are left out.

        Args:
            type_query: the type in plain words, or several types, as for `search`.
            k: how many documents are looked at; `None`: the whole answer.
            merge: whether to count aliases to their entity; each is listed with its reason.
            options: further arguments of `search`.

        Returns:
            The entities by number of documents, then of mentions, then by name; the numbers are exact for the answer.

        Raises:
            ValueError: as `search`.

        Example:
            >>> from modeling_nerret import EntityRetriever, GivenSpans
            >>> retriever = EntityRetriever(index_path.with_name("cities"), tiny_checkpoint, GivenSpans())
            >>> mentions = [{"start": 0, "end": 5}]
            >>> documents = [{"id": name, "text": name, "mentions": mentions} for name in ("Paris", "PARIS", "Paris.")]
            >>> report = retriever.add(documents)
            >>> entity, = retriever.entities("city", k=10)
            >>> entity.name, entity.spellings, entity.documents
            ('Paris', {'Paris': 2, 'PARIS': 1}, 3)
        """
        return self._entities(self.search(type_query, k=k, **options), type_query, merge)

    def pairs(
        self,
        type_query: str | Expression,
        other_query: str | Expression,
        k: int | None = None,
        within: str | int = DOCUMENT,
        merge: bool = True,
        **options: Any,
    ) -> list[Pair]:
        """Which entities of two types stand together, and in which documents.

        Args:
            type_query: a type, as for `search`.
            other_query: the other type.
            k: how many documents are looked at for either type; `None`: the whole answers.
            within: how near both must stand, as for `search`.
            merge: whether to count aliases to their entity.
            options: further arguments of `search`.

        Returns:
            The pairs by number of documents, then by names.

        Raises:
            ValueError: as `search`, or `within` is something else.

        Example:
            >>> from modeling_nerret import EntityRetriever, GivenSpans
            >>> retriever = EntityRetriever(index_path.with_name("writers"), tiny_checkpoint, GivenSpans())
            >>> mentions = [{"start": 0, "end": 3}, {"start": 12, "end": 18}]
            >>> report = retriever.add([{"id": "a", "text": "Ada lived in London.", "mentions": mentions}])
            >>> len(retriever.pairs("writer", "city", k=1, within="sentence")) <= 2
            True
        """
        check_scope(within)
        answers = [self.search(query, k=k, **options) for query in (type_query, other_query)]
        texts = {hit.id: hit.text for answer in answers for hit in answer}
        first, second = (
            self._entities(answer, query, merge)
            for answer, query in zip(answers, (type_query, other_query), strict=True)
        )
        return pair_entities(first, second, texts, within)

    def _entities(self, answer: Answer, query: str | Expression, merge: bool) -> list[Entity]:
        hits = without_names(answer, [type_.name for type_ in as_expression(query).types()])
        return list_entities(hits, self._vectors(hits), merge)

    def _vectors(self, hits: Sequence[Hit]) -> dict[Place, np.ndarray]:
        """The vectors of all mentions of some documents, by place; those of documents that have gone since are not."""
        if self._store is None or not hits:
            return {}

        def vectors(snapshot: Snapshot) -> dict[Place, np.ndarray]:
            ids = {key: name for name, key in snapshot.keys([hit.id for hit in hits]).items()}
            places, rows = snapshot.vectors(list(ids))
            return {Place(ids[key], start, end): row for (key, start, end), row in zip(places, rows, strict=True)}

        return self._store.read(vectors)

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

    def _type_query(self, type_: Type, k: int | None, mode: str, where: Where | None, min_score: float | None) -> Query:
        """The query of a type with its vector, its arguments checked."""
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; accepted are {', '.join(MODES)}")
        if mode == "document" and self.checkpoint.model.document_head is None:
            raise ValueError(f"the model {self.checkpoint.name!r} has no document head; use mode='hybrid' or 'vector'")
        if k is not None and (isinstance(k, bool) or not isinstance(k, Integral) or k < 1):
            raise ValueError(f"k is {k!r}; it must be a whole number from 1")
        is_number = isinstance(min_score, (int, float, np.number)) and not isinstance(min_score, bool)
        if min_score is not None and not (is_number and min_score == min_score):
            raise ValueError(f"min_score is {min_score!r}; it must be a number")
        refuse_fork()
        conditions = None if where is None or where == {} else Filter(where)
        vector = embed_type(self.encoder, type_)
        if mode == "lexical" and not terms_of(type_.name):
            raise ValueError(
                f"{type_.name!r:.60} has no word that can be searched, only such as 'the'; use another mode"
            )
        return Query(type_.name, vector, int(k or SHORT), mode, conditions, min_score)

    def _type_search(self, snapshot: Snapshot, type_: Type, query: Query) -> TypeSearch:
        def is_unknown() -> bool:
            return not self.encoder.known_words(type_.name) and not snapshot.has_words(type_.name)

        checkpoint = self.checkpoint
        return TypeSearch(snapshot, checkpoint.model.config, checkpoint.calibration, query, type_, is_unknown)

    def _weigh(self, documents: list[EncodedDocument]) -> list[EncodedDocument]:
        """Documents with vectors as long as their mentions count; their products with a query's are the scores."""
        config = self.checkpoint.model.config
        scores = np.array([span.score for document in documents for span in document.mentions], dtype=np.float32)
        chances = ((scores - NAME) / (1 - NAME)).clip(0, 1)  # of being a name
        lengths = np.where(scores > NAME, chances**config.certainty, config.phrase_weight).astype(np.float32)
        vectors = np.concatenate([document.vectors for document in documents])  # (mentions, hidden_size)
        if config.hubness and self.checkpoint.type_names is not None:
            lengths *= 1 - config.hubness * self.checkpoint.type_names.hubness(vectors)
        vectors *= lengths.clip(LEAST_LENGTH)[:, None]
        ends = np.cumsum([len(document.mentions) for document in documents]).tolist()
        pieces = zip(documents, pairwise([0, *ends]), strict=True)
        return [replace(document, vectors=vectors[begin:end]) for document, (begin, end) in pieces]

    def _writable(self) -> Store:
        store = self._store
        if store is None:
            size = self.checkpoint.model.config.hidden_size
            names = {"model": self.checkpoint.name, "fingerprint": self.checkpoint.fingerprint}
            names["detector"] = type(self.detector).__name__  # so that a server does not add with another one
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
