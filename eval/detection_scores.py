"""How well a detector finds mentions, whatever their type."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from modeling_nerret.spans import Span

LEAST_JACCARD = 0.8  # as in the paper
ARTICLES = frozenset({"the", "a", "an"})


@dataclass(frozen=True)
class DetectionScores:
    """How predicted spans compare with gold spans. All but the last are in [0, 1].

    Args:
        precision, recall, f1: of spans with the same start and end.
        overlap_precision, overlap_recall, overlap_f1: a span counts if it shares a character with a span of the other
            kind.
        fuzzy_recall: as in arXiv 2509.04011, section 4, on words without accents and articles. A gold mention counts
            if a prediction in the same document has all its words or only words of it, or if the Jaccard similarity
            of their words is at least 0.8.
        proposals_per_gold: predicted spans for each gold span.
    """

    precision: float
    recall: float
    f1: float
    overlap_precision: float
    overlap_recall: float
    overlap_f1: float
    fuzzy_recall: float
    proposals_per_gold: float


def score_detection(
    texts: Sequence[str], gold: Sequence[Sequence[Span]], predictions: Sequence[Sequence[Span]]
) -> DetectionScores:
    """Score predicted spans against gold spans, text by text.

    Example:
        >>> scores = score_detection(["Ada met Babbage"], [[Span(0, 3), Span(8, 15)]], [[Span(0, 3), Span(4, 10)]])
        >>> scores.precision, scores.overlap_recall, scores.proposals_per_gold
        (0.5, 1.0, 1.0)
    """
    exact = gold_overlaps = prediction_overlaps = fuzzy = gold_count = prediction_count = 0
    for text, gold_spans, predicted_spans in zip(texts, gold, predictions, strict=True):
        golds, proposals = {span[:2] for span in gold_spans}, {span[:2] for span in predicted_spans}
        gold_count, prediction_count = gold_count + len(golds), prediction_count + len(proposals)
        exact += len(golds & proposals)
        gold_overlaps += sum(any(overlap(span, proposal) for proposal in proposals) for span in golds)
        prediction_overlaps += sum(any(overlap(proposal, span) for span in golds) for proposal in proposals)
        guesses = [_words(text[start:end]) for start, end in proposals]
        fuzzy += sum(any(_alike(_words(text[start:end]), guess) for guess in guesses) for start, end in golds)
    precision, recall = exact / max(prediction_count, 1), exact / max(gold_count, 1)
    overlap_precision = prediction_overlaps / max(prediction_count, 1)
    overlap_recall = gold_overlaps / max(gold_count, 1)
    return DetectionScores(
        precision,
        recall,
        _f1(precision, recall),
        overlap_precision,
        overlap_recall,
        _f1(overlap_precision, overlap_recall),
        fuzzy / max(gold_count, 1),
        prediction_count / max(gold_count, 1),
    )


def overlap(left: tuple[int, int], right: tuple[int, int]) -> bool:
    """Whether two spans share a character."""
    return left[0] < right[1] and right[0] < left[1]


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _words(text: str) -> frozenset[str]:
    """Lower-case words without accents and articles.

    Example:
        >>> sorted(_words("The Curaçao River"))
        ['curacao', 'river']
    """
    letters = unicodedata.normalize("NFD", text.lower())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return frozenset(re.findall(r"\w+", plain)) - ARTICLES


def _alike(left: frozenset[str], right: frozenset[str]) -> bool:
    if not left or not right:
        return False
    return left <= right or right <= left or len(left & right) / len(left | right) >= LEAST_JACCARD
