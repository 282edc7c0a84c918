"""Where relevant documents are lost before any ranking: their mentions that a detector does not propose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from modeling_nerret.spans import Span

from .detection_scores import overlap
from .tasks.task import Task

KINDS = ("exact", "other_span", "nothing_proposed", "empty_document")


@dataclass(frozen=True)
class Coverage:
    """Pairs of a type that is a query and a document that mentions it; their shares add up to 1.

    Args:
        pairs: how many there are.
        exact: a gold mention of the type is proposed as it is.
        other_span: none is, but a proposal overlaps with one.
        nothing_proposed: no proposal overlaps with any, though the document has proposals elsewhere.
        empty_document: the document has no proposal at all.
    """

    pairs: int
    exact: float
    other_span: float
    nothing_proposed: float
    empty_document: float


def measure_coverage(task: Task, predictions: Sequence[Sequence[Span]]) -> Coverage:
    """How much of the relevant documents a detector's proposals leave to find.

    Args:
        task: the task.
        predictions: the proposals for each document, in order.
    """
    types = set(task.types)
    counts: Counter[str] = Counter()
    for labels, spans in zip(task.labels, predictions, strict=True):
        proposals = {span[:2] for span in spans}
        gold: dict[str, list[tuple[int, int]]] = {}
        for span, span_types in labels.items():
            for type_ in types.intersection(span_types):
                gold.setdefault(type_, []).append(span[:2])
        counts.update(_kind(mentions, proposals) for mentions in gold.values())
    total = sum(counts.values())
    return Coverage(total, *(counts[kind] / total for kind in KINDS))


def _kind(mentions: Sequence[tuple[int, int]], proposals: set[tuple[int, int]]) -> str:
    """What became of a document's mentions of a type: the best of them counts."""
    if not proposals:
        return "empty_document"
    if not proposals.isdisjoint(mentions):
        return "exact"
    if any(overlap(mention, proposal) for mention in mentions for proposal in proposals):
        return "other_span"
    return "nothing_proposed"
