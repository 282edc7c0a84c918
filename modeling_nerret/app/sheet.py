"""What the page draws of an answer: its hits, the documents after its end, and those that are worth a mark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..index.entities.listing import Entity
from ..index.hits import Answer, Hit
from ..index.retriever import EntityRetriever
from .marks import Marks
from .search_request import SearchRequest

FURTHER = 5  # documents after the end of the answer
SUGGESTIONS = 5  # documents to judge
MAX_DEPTH = 150  # documents of which all is read; suggestions further down come without their mentions


@dataclass(frozen=True)
class Sheet:
    """What is drawn of an answer.

    Args:
        answer: the answer, with what it promises.
        hits: the first of its hits.
        further: the documents that come after its end; none if not all its hits are drawn.
        suggestions: the documents whose marks would teach most.
        marks: the visitor's.
        has_end: whether the answer ends by itself: the model has a calibration, and the mode is hybrid.
        is_markable: whether marks make a difference.
    """

    answer: Answer
    hits: list[Hit]
    further: list[Hit] = field(default_factory=list)
    suggestions: list[Hit] = field(default_factory=list)
    marks: Marks = field(default_factory=dict)
    has_end: bool = False
    is_markable: bool = True


def make_sheet(retriever: EntityRetriever, request: SearchRequest, marks: Marks) -> Sheet:
    """Search, and collect what is drawn.

    Args:
        retriever: the index.
        request: what is asked for.
        marks: the visitor's; those of documents that are gone are left out.
    """
    is_markable = request.mode != "lexical"  # which knows words, and no examples
    marks = _present(retriever, marks) if is_markable else {}
    answer, size = _search(retriever, request, marks), int(request.k)
    if not _has_end(retriever, request):
        return Sheet(answer, list(answer), marks=marks, is_markable=is_markable)
    names = answer.to_mark(SUGGESTIONS)
    end = len(answer) + FURTHER if len(answer) <= size else size
    places = {name: place for place, (name, _) in enumerate(answer.candidates)}
    depth = max([end, *(places[name] + len(marks) + 1 for name in names)])
    ranks = retriever.search(request.query, min(depth, max(MAX_DEPTH, end)), marks=marks, why=True)
    count = min(len(answer), size)
    suggestions = _suggestions(retriever, names, {hit.id: hit for hit in ranks}, dict(answer.candidates))
    return Sheet(answer, ranks[:count], ranks[count:end], suggestions, marks, has_end=True)


def answer_of(retriever: EntityRetriever, request: SearchRequest, marks: Marks) -> Answer:
    """The answer alone, whole; arguments as of `make_sheet`."""
    return _search(retriever, request, _present(retriever, marks) if request.mode != "lexical" else {})


def entities_of(retriever: EntityRetriever, request: SearchRequest, marks: Marks) -> list[Entity]:
    """The entities of the whole answer; arguments as of `make_sheet`."""
    marks = _present(retriever, marks) if request.mode != "lexical" else {}
    return retriever.entities(request.query, **_options(retriever, request, marks))


def _has_end(retriever: EntityRetriever, request: SearchRequest) -> bool:
    return request.mode == "hybrid" and retriever.checkpoint.calibration is not None


def _search(retriever: EntityRetriever, request: SearchRequest, marks: Marks) -> Answer:
    return retriever.search(request.query, **_options(retriever, request, marks))


def _options(retriever: EntityRetriever, request: SearchRequest, marks: Marks) -> dict[str, Any]:
    """How far the search goes."""
    if _has_end(retriever, request):
        return {"precision": float(request.precision) or None, "marks": marks}
    return {"k": int(request.k), "mode": request.mode, "marks": marks, "why": True}


def _present(retriever: EntityRetriever, marks: Marks) -> Marks:
    """The marks of documents that are still in the index."""
    documents = retriever.lookup(list(marks)) if marks else {}
    return {name: mark for name, mark in marks.items() if name in documents}


def _suggestions(
    retriever: EntityRetriever, names: list[str], hits: Mapping[str, Hit], probabilities: Mapping[str, float]
) -> list[Hit]:
    distant = [name for name in names if name not in hits]
    documents = retriever.lookup(distant) if distant else {}
    plain_hits = {
        name: Hit(name, 0.0, document.text, [], document.metadata, probabilities[name])
        for name, document in documents.items()
    }
    return [hit for name in names if (hit := hits.get(name) or plain_hits.get(name))]
