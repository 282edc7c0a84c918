"""How well a detector finds mentions, whatever their type."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from modeling_nerret.spans import Span


@dataclass(frozen=True)
class DetectionScores:
    """Precision, recall and F1 in [0, 1] for exact and overlapping spans, the paper's fuzzy recall, and proposals per gold."""

    precision: float
    recall: float
    f1: float
    overlap_precision: float
    overlap_recall: float
    overlap_f1: float
    fuzzy_recall: float
    proposals_per_gold: float


def score_detection(
    texts: Sequence[str], gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]
) -> DetectionScores:
    """Score predicted spans against gold ones.

    Overlap: a span is right if it shares a character with one of the other side. Fuzzy (PAPER section 4): a gold mention is
    found if, accents and articles left out, a prediction's words are a subset of its words or the other way round, or
    their Jaccard similarity is at least 0.8.
    """
    exact = over_gold = over_predicted = fuzzy = 0
    golds = sum(len({span[:2] for span in spans}) for spans in gold)
    proposals = sum(len({span[:2] for span in spans}) for spans in predicted)
    for text, right, found in zip(texts, gold, predicted, strict=True):
        wanted, got = {span[:2] for span in right}, {span[:2] for span in found}
        exact += len(wanted & got)
        over_gold += sum(any(_overlap(one, other) for other in got) for one in wanted)
        over_predicted += sum(any(_overlap(one, other) for other in wanted) for one in got)
        guesses = [_words(text[start:end]) for start, end in got]
        fuzzy += sum(any(_alike(_words(text[start:end]), guess) for guess in guesses) for start, end in wanted)
    precision, recall = exact / max(proposals, 1), exact / max(golds, 1)
    overlap_precision, overlap_recall = over_predicted / max(proposals, 1), over_gold / max(golds, 1)
    return DetectionScores(
        precision,
        recall,
        _f1(precision, recall),
        overlap_precision,
        overlap_recall,
        _f1(overlap_precision, overlap_recall),
        fuzzy / max(golds, 1),
        proposals / max(golds, 1),
    )


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _words(text: str) -> frozenset[str]:
    """Lower-case words without accents and articles.

    Example:
        >>> sorted(_words("The Curaçao River"))
        ['curacao', 'river']
    """
    plain = "".join(
        letter for letter in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(letter)
    )
    return frozenset(re.findall(r"\w+", plain)) - {"the", "a", "an"}


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    if not one or not other:
        return False
    return one <= other or other <= one or len(one & other) / len(one | other) >= 0.8
