"""What answers the app's searches: an index, the demo corpus, or texts that a visitor brought."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from ..demo import demo_corpus
from ..documents import Document, in_groups
from ..index.entities.listing import Entity
from ..index.entities.table import entity_table
from ..index.hit_table import choose_columns, rows
from ..index.plain_text import csv_text
from ..index.readers import read_corpus
from ..index.retriever import EntityRetriever
from . import texts
from .entity_list import render_entities
from .html import render_faults, render_message, render_sheet
from .limits import MAX_VISITORS
from .marks import MarkBook, Marks, Question, write_mark
from .mention_map import MIN_MENTIONS, MentionMap
from .note import write_note
from .private_texts import PrivateTexts, read_texts
from .search_request import SearchRequest
from .sheet import answer_of, entities_of, make_sheet
from .type_list import render_types
from .uploads import Uploads

logger = logging.getLogger(__name__)

MAX_MAPPED = 2_000  # mentions on a map
GROUP_CHARACTERS, GROUP_DOCUMENTS = 5_000, 50  # of a visitor's texts between two progress messages


@dataclass(frozen=True, eq=False)
class SearchableCorpus:
    """An open index.

    Args:
        retriever: the index.
        source: what a private index was made from: the pasted text, the key and the version of the files, the columns.
        texts: what was read of it.
    """

    retriever: EntityRetriever
    source: tuple[Any, ...] = ()
    texts: PrivateTexts = field(default_factory=PrivateTexts)

    @cached_property
    def mention_map(self) -> MentionMap | None:
        """The map of its mentions, drawn once; `None` if there are too few mentions."""
        names, vectors = self.retriever.sample(MAX_MAPPED)
        return MentionMap.of(names, vectors) if len(names) >= MIN_MENTIONS else None

    @cached_property
    def types(self) -> str:
        """Which types it holds, as HTML, read once."""
        return render_types(self.retriever)


@dataclass(frozen=True, eq=False)
class Visit:
    """What the server remembers of a visitor's last answer.

    Args:
        request: what was asked; `None` before the first answer.
        corpus: what was searched.
        private_corpus: the corpus of the visitor's own texts, if there is one.
    """

    request: SearchRequest | None = None
    corpus: SearchableCorpus | None = None
    private_corpus: SearchableCorpus | None = None


class View(NamedTuple):
    """What to show now: message, hits and map as HTML, and what to remember.

    `None` for hits and map leaves those of the last search in place.
    """

    message: str
    hits: str | None
    mention_map: str | None
    visit: Visit


class Searcher:
    """Answers the app's searches.

    Args:
        index: an index folder; `None`: the demo corpus, and texts that visitors bring.
        model: name of the model; `None`: the index's own, or the default for the demo corpus and visitors' texts.

    Attributes:
        uploads: the files of the visitors.

    Raises:
        ValueError: the path is no index, or the index was made with another model.
        OSError: there is no such model.
    """

    def __init__(self, index: str | Path | None = None, model: str | None = None):
        self._folder = tempfile.TemporaryDirectory(prefix="nerret-app-")  # which no other user can read
        self._private_corpora: OrderedDict[Path, SearchableCorpus] = OrderedDict()  # least recently used first
        self._lock = Lock()
        self.uploads = Uploads(Path(self._folder.name))
        self.corpus: Future[SearchableCorpus] = Future()
        if index is None:
            self.corpus = ThreadPoolExecutor(1).submit(self._index_demo, model)  # the page opens in the meantime
        else:
            self.corpus.set_result(SearchableCorpus(EntityRetriever(index, model)))

    def search(self, request: SearchRequest, visit: Visit, book: MarkBook | None = None) -> Iterator[View]:
        """Answer a request. Slow steps come with a progress message; the last view is the answer.

        Args:
            request: what to search for.
            visit: what the visitor's last view asks to remember.
            book: the visitor's marks.
        """
        try:
            request.check()
            if not request.query.strip():
                yield _message(texts.EMPTY_QUERY, visit)
                return
            if not self.corpus.done():
                yield _progress(texts.LOADING, visit)
            corpus = self.corpus.result()
            if request.source == texts.PRIVATE:
                corpus = yield from self._index_private(request, visit)
                visit = replace(visit, private_corpus=corpus)
            yield _answer(corpus, request, visit, (book or {}).get(_question(corpus, request), {}))
        except ValueError as error:
            title, text = texts.PROBLEM
            yield _message((title, text.format(error=error)), visit, "problem")
        except (OSError, RuntimeError) as error:  # it may name folders, which are not the visitor's business
            logger.error("nerret app: %s", " ".join(str(error).split()))
            yield _message(texts.FAILURE, visit, "problem")

    def again(self, visit: Visit, book: MarkBook | None = None) -> Iterator[View]:
        """Answer the visitor's last request again, with other marks."""
        if visit.request is not None:
            yield from self.search(visit.request, visit, book)

    def mark(self, order: object, visit: Visit, book: MarkBook) -> MarkBook:
        """The visitor's marks after a button was pressed; see `marks.write_mark`."""
        corpus, request = visit.corpus, visit.request
        if corpus is None or request is None:
            return book
        try:
            return write_mark(book, _question(corpus, request), order, lambda name: bool(corpus.retriever.lookup(name)))
        except (ValueError, OSError, RuntimeError) as error:
            logger.error("nerret app: %s", " ".join(str(error).split()))
            return book

    def table(self, visit: Visit, book: MarkBook | None = None) -> tuple[str | None, str]:
        """The visitor's last answer, all of it, as CSV with the columns of `nerret search --csv`.

        Returns:
            A message if it cannot be had, as HTML, else `None`; and the CSV, or nothing.
        """
        corpus, request = visit.corpus, visit.request
        if corpus is None or request is None:
            return render_message(*texts.NO_ANSWER), ""
        try:
            hits = answer_of(corpus.retriever, request, (book or {}).get(_question(corpus, request), {}))
        except (ValueError, OSError, RuntimeError) as error:
            logger.error("nerret app: %s", " ".join(str(error).split()))
            return render_message(*texts.FAILURE, "problem"), ""
        columns = choose_columns(hits, None)
        return None, csv_text([columns, *rows(hits, columns)])

    def entities(self, visit: Visit, book: MarkBook | None = None) -> Iterator[str]:
        """Who is in the visitor's last answer, as HTML; first what is being done."""
        yield render_message(*texts.COUNTING, "busy")
        corpus = visit.corpus
        try:
            entities = self._entities(visit, book)
            yield render_message(*texts.NO_ANSWER) if corpus is None else render_entities(corpus.retriever, entities)
        except (ValueError, OSError, RuntimeError) as error:
            logger.error("nerret app: %s", " ".join(str(error).split()))
            yield render_message(*texts.FAILURE, "problem")

    def entity_table(self, visit: Visit, book: MarkBook | None = None) -> str:
        """Who is in the visitor's last answer, as CSV with the columns of `nerret entities --csv`; empty if none is."""
        try:
            return csv_text(entity_table(self._entities(visit, book)))
        except (ValueError, OSError, RuntimeError) as error:
            logger.error("nerret app: %s", " ".join(str(error).split()))
            return ""

    def _entities(self, visit: Visit, book: MarkBook | None) -> list[Entity]:
        corpus, request = visit.corpus, visit.request
        if corpus is None or request is None:
            return []
        return entities_of(corpus.retriever, request, (book or {}).get(_question(corpus, request), {}))

    def types(self) -> str:
        """What can be asked, as HTML; empty if the index cannot say it."""
        try:
            return self.corpus.result().types
        except (ValueError, OSError, RuntimeError) as error:
            logger.error("nerret app: %s", " ".join(str(error).split()))
            return ""

    def leave(self, visit: Visit) -> None:
        """Delete what a visitor brought."""
        self.forget(visit.private_corpus)

    def forget(self, private_corpus: SearchableCorpus | None) -> None:
        """Delete the private index."""
        if private_corpus is not None:
            with self._lock:
                self._private_corpora.pop(private_corpus.retriever.path, None)
            shutil.rmtree(private_corpus.retriever.path, ignore_errors=True)

    def _index_demo(self, model: str | None) -> SearchableCorpus:
        retriever = EntityRetriever(Path(self._folder.name) / "demo", model)
        retriever.add(record for record in read_corpus(demo_corpus(), spans=True) if isinstance(record, Document))
        return SearchableCorpus(retriever)

    def _index_private(self, request: SearchRequest, visit: Visit) -> Generator[View, None, SearchableCorpus]:
        """Index what a visitor brought unless the visitor's corpus already holds it; returns its corpus."""
        upload = self.uploads.get(request.files)
        files = (request.files, upload.version) if upload else ()
        source = (request.text, *files, request.columns)
        private_corpus = visit.private_corpus
        if private_corpus is not None and private_corpus.source == source and self._has(private_corpus):
            return private_corpus
        if upload:
            yield _progress(texts.READING, visit)
        contents = read_texts(request.text, upload.folder if upload else None, request.columns)
        checkpoint = self.corpus.result().retriever.checkpoint
        folder = tempfile.mkdtemp(dir=self._folder.name)
        try:
            retriever = EntityRetriever(folder, checkpoint)
            yield from _add(retriever, contents.documents, visit)
        except BaseException:  # also when the visitor leaves meanwhile
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.forget(private_corpus)
        corpus = SearchableCorpus(retriever, source, replace(contents, documents=[]))
        self._keep(corpus)
        return corpus

    def _has(self, corpus: SearchableCorpus) -> bool:
        """Whether a private index is still there; it then counts as used now."""
        with self._lock:
            if corpus.retriever.path not in self._private_corpora:
                return False
            self._private_corpora.move_to_end(corpus.retriever.path)
            return True

    def _keep(self, corpus: SearchableCorpus) -> None:
        """Remember a private index, and forget the oldest of too many: not every visitor says goodbye."""
        with self._lock:
            self._private_corpora[corpus.retriever.path] = corpus
            surplus = list(self._private_corpora.values())[:-MAX_VISITORS]
        for oldest in surplus:
            self.forget(oldest)


def _add(retriever: EntityRetriever, documents: list[Document], visit: Visit) -> Iterator[View]:
    """Index documents, and say how far it is."""
    title, progress = texts.INDEXING
    for group in in_groups(documents, lambda document: len(document.text), GROUP_CHARACTERS, GROUP_DOCUMENTS):
        yield _progress((title, progress.format(number=len(retriever), total=len(documents))), visit)
        retriever.add(group)


def _message(message: tuple[str, str], visit: Visit, kind: str = "hint") -> View:
    """A message instead of hits."""
    return View(render_message(*message, kind), "", "", visit)


def _progress(message: tuple[str, str], visit: Visit) -> View:
    """A message above the hits of the last search."""
    return View(render_message(*message, "busy"), None, None, visit)


def _question(corpus: SearchableCorpus, request: SearchRequest) -> Question:
    return Question(str(corpus.retriever.path), request.words)


def _answer(corpus: SearchableCorpus, request: SearchRequest, visit: Visit, marks: Marks) -> View:
    retriever = corpus.retriever
    sheet, faults = make_sheet(retriever, request, marks), render_faults(corpus.texts)
    if not sheet.hits and not sheet.further:
        reason = texts.NO_WORD_MATCHES if request.mode == "lexical" else texts.NO_MENTIONS
        return View(render_message(texts.NO_HITS, reason) + faults, "", "", visit)
    message = render_message(*write_note(sheet, request), "result") + faults
    vector = retriever.encoder.embed_queries([request.query])[0]  # (hidden_size,)
    mention_map = corpus.mention_map.render(request.words, vector) if corpus.mention_map else ""
    return View(message, render_sheet(sheet), mention_map, replace(visit, request=request, corpus=corpus))
