"""What answers the app's searches: an index, the demo corpus, or text that a visitor pasted."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from ..demo import demo_corpus
from ..documents import Document, in_groups
from ..index.ranking import MODES
from ..index.readers import read_corpus
from ..index.retriever import EntityRetriever
from . import texts
from .html import render_hits, render_message
from .mention_map import MIN_MENTIONS, MentionMap
from .pasted_text import split_documents

logger = logging.getLogger(__name__)

MAX_QUERY = 300  # characters
MAX_HITS = 50
CUTOFFS = {"hybrid": 2.0, "vector": 1.0, "document": 1.0, "lexical": 20.0}  # the highest cut-off of each mode
MAX_PASTED = 20  # indexes of pasted texts; beyond them the one that was used least recently is deleted
MAX_MAPPED = 2_000  # mentions on a map
GROUP_CHARACTERS, GROUP_DOCUMENTS = 5_000, 50  # of pasted text between two progress messages


@dataclass(frozen=True)
class SearchRequest:
    """What a visitor asks for.

    Args:
        query: the type query.
        source: `texts.DEMO` (also for an index) or `texts.PASTED`.
        text: the text to search if `source` is `texts.PASTED`.
        mode: search mode of `EntityRetriever.search`.
        k: most documents to show, from 1 to 50.
        cutoff: least score to show; 0 shows all.
    """

    query: str
    source: str = texts.DEMO
    text: str = ""
    mode: str = "hybrid"
    k: int = 10
    cutoff: float = 0.0

    def check(self) -> None:
        """Refuse what the page's controls cannot send.

        Raises:
            ValueError: a field has another type or is out of its range; the message says which and what is accepted.
        """
        for name, value in (("type", self.query), ("text", self.text)):
            if not isinstance(value, str):
                raise ValueError(f"the {name} is {value!a:.60}; it must be a text")
        if len(self.query) > MAX_QUERY:
            raise ValueError(
                f"the type has {len(self.query):,} characters; use fewer words, at most {MAX_QUERY} characters"
            )
        if not _is_unicode(self.query):
            raise ValueError("the type is not valid Unicode; write it anew")
        for name, value, choices in (("source", self.source, texts.SOURCES), ("mode", self.mode, MODES)):
            if value not in choices:
                raise ValueError(f"the {name} is {value!a:.60}; choose from: {', '.join(choices)}")
        if not _is_number(self.k) or self.k not in range(1, MAX_HITS + 1):
            raise ValueError(f"the number of documents is {self.k!a:.60}; choose a whole number from 1 to {MAX_HITS}")
        if not _is_number(self.cutoff) or not 0 <= self.cutoff <= CUTOFFS[self.mode]:
            raise ValueError(
                f"the cut-off is {self.cutoff!a:.60}; choose a number from 0 to {CUTOFFS[self.mode]:g} for {self.mode} "
                "mode"
            )


@dataclass(frozen=True, eq=False)
class SearchableCorpus:
    """An open index; `text` is the pasted text that it was made from, if any."""

    retriever: EntityRetriever
    text: str | None = None

    @cached_property
    def mention_map(self) -> MentionMap | None:
        """The map of its mentions, drawn once; `None` if there are too few mentions."""
        names, vectors = self.retriever.sample(MAX_MAPPED)
        return MentionMap.of(names, vectors) if len(names) >= MIN_MENTIONS else None


class View(NamedTuple):
    """What to show now: message, hits and map as HTML, and the corpus of the visitor's pasted text.

    `None` for hits and map leaves those of the last search in place.
    """

    message: str
    hits: str | None
    mention_map: str | None
    pasted_corpus: SearchableCorpus | None


class Searcher:
    """Answers the app's searches.

    Args:
        index: an index folder; `None`: the demo corpus, and texts that visitors paste.
        model: name of the model; `None`: the index's own, or the default for the demo corpus and pasted texts.

    Raises:
        ValueError: the path is no index, or the index was made with another model.
        OSError: there is no such model.
    """

    def __init__(self, index: str | Path | None = None, model: str | None = None):
        self._folder = tempfile.TemporaryDirectory(prefix="nerret-app-")  # which no other user can read
        self._pasted_corpora: OrderedDict[Path, SearchableCorpus] = OrderedDict()  # least recently used first
        self._lock = Lock()
        self.corpus: Future[SearchableCorpus] = Future()
        if index is None:
            self.corpus = ThreadPoolExecutor(1).submit(self._index_demo, model)  # the page opens in the meantime
        else:
            self.corpus.set_result(SearchableCorpus(EntityRetriever(index, model)))

    def search(self, request: SearchRequest, pasted_corpus: SearchableCorpus | None = None) -> Iterator[View]:
        """Answer a request. Slow steps come with a progress message; the last view is the answer.

        Args:
            request: what to search for.
            pasted_corpus: the corpus of the visitor's last view.
        """
        try:
            request.check()
            if not request.query.strip():
                yield _message(texts.EMPTY_QUERY, pasted_corpus)
                return
            if not self.corpus.done():
                yield _progress(texts.LOADING, pasted_corpus)
            corpus = self.corpus.result()
            if request.source == texts.PASTED:
                corpus = pasted_corpus = yield from self._index_pasted(request.text, pasted_corpus)
            yield _answer(corpus, request, pasted_corpus)
        except ValueError as error:
            title, text = texts.PROBLEM
            yield _message((title, text.format(error=error)), pasted_corpus, "problem")
        except (OSError, RuntimeError) as error:  # it may name folders, which are not the visitor's business
            logger.error("nerret app: %s", " ".join(str(error).split()))
            yield _message(texts.FAILURE, pasted_corpus, "problem")

    def forget(self, pasted_corpus: SearchableCorpus | None) -> None:
        """Delete the index of a pasted text."""
        if pasted_corpus is not None:
            with self._lock:
                self._pasted_corpora.pop(pasted_corpus.retriever.path, None)
            shutil.rmtree(pasted_corpus.retriever.path, ignore_errors=True)

    def _index_demo(self, model: str | None) -> SearchableCorpus:
        retriever = EntityRetriever(Path(self._folder.name) / "demo", model)
        retriever.add(record for record in read_corpus(demo_corpus(), spans=True) if isinstance(record, Document))
        return SearchableCorpus(retriever)

    def _index_pasted(
        self, text: str, pasted_corpus: SearchableCorpus | None
    ) -> Generator[View, None, SearchableCorpus]:
        """Index a pasted text unless `pasted_corpus` already holds it; returns its corpus."""
        if pasted_corpus is not None and pasted_corpus.text == text and self._has(pasted_corpus):
            return pasted_corpus
        documents = split_documents(text)
        checkpoint = self.corpus.result().retriever.checkpoint
        folder = tempfile.mkdtemp(dir=self._folder.name)
        try:
            retriever = EntityRetriever(folder, checkpoint)
            title, progress = texts.INDEXING
            for group in in_groups(documents, lambda document: len(document.text), GROUP_CHARACTERS, GROUP_DOCUMENTS):
                yield _progress((title, progress.format(number=len(retriever), total=len(documents))), pasted_corpus)
                retriever.add(group)
        except BaseException:  # also when the visitor leaves meanwhile
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self.forget(pasted_corpus)
        corpus = SearchableCorpus(retriever, text)
        self._keep(corpus)
        return corpus

    def _has(self, corpus: SearchableCorpus) -> bool:
        """Whether a pasted text's index is still there; it then counts as used now."""
        with self._lock:
            if corpus.retriever.path not in self._pasted_corpora:
                return False
            self._pasted_corpora.move_to_end(corpus.retriever.path)
            return True

    def _keep(self, corpus: SearchableCorpus) -> None:
        """Remember a pasted text's index, and forget the oldest of too many: not every visitor says goodbye."""
        with self._lock:
            self._pasted_corpora[corpus.retriever.path] = corpus
            surplus = list(self._pasted_corpora.values())[:-MAX_PASTED]
        for oldest in surplus:
            self.forget(oldest)


def _message(message: tuple[str, str], pasted_corpus: SearchableCorpus | None, kind: str = "hint") -> View:
    """A message instead of hits."""
    return View(render_message(*message, kind), "", "", pasted_corpus)


def _progress(message: tuple[str, str], pasted_corpus: SearchableCorpus | None) -> View:
    """A message above the hits of the last search."""
    return View(render_message(*message, "busy"), None, None, pasted_corpus)


def _answer(corpus: SearchableCorpus, request: SearchRequest, pasted_corpus: SearchableCorpus | None) -> View:
    start = time.perf_counter()
    retriever = corpus.retriever
    hits = retriever.search(request.query, int(request.k), mode=request.mode, min_score=request.cutoff or None)
    if not hits:
        return _message((texts.NO_HITS, _explain_no_hits(retriever, request)), pasted_corpus)
    seconds = time.perf_counter() - start
    title, text = texts.HITS
    message = render_message(
        title.format(count=len(hits), noun="document" if len(hits) == 1 else "documents"),
        text.format(query=" ".join(request.query.split()), seconds=seconds),
        "result",
    )
    vector = retriever.encoder.embed_queries([request.query])[0]  # (hidden_size,)
    mention_map = corpus.mention_map.render(request.query, vector) if corpus.mention_map else ""
    return View(message, render_hits(hits), mention_map, pasted_corpus)


def _explain_no_hits(retriever: EntityRetriever, request: SearchRequest) -> str:
    best = retriever.search(request.query, 1, mode=request.mode)
    if best:
        return texts.ALL_BELOW_CUTOFF.format(score=best[0].score)
    return texts.NO_WORD_MATCHES if request.mode == "lexical" else texts.NO_MENTIONS


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
