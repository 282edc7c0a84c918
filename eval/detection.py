"""How well a detector finds mentions, whatever their type."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tqdm import tqdm

from modeling_nerret.pretrained.checkpoints import DEFAULT, load_checkpoint
from modeling_nerret.detection import Detector
from modeling_nerret.detectors.token_classifier import TokenClassifier
from modeling_nerret.documents import Document
from modeling_nerret.encoding import BATCH_TOKENS, Encoder
from modeling_nerret.detectors.generative import GenerativeExtractor
from modeling_nerret.detectors.gliner import Gliner
from modeling_nerret.spans import Span

LEAST_JACCARD = 0.8  # the paper's


@dataclass(frozen=True)
class DetectionScores:
    """How predicted spans compare with gold ones, each in [0, 1] but the last.

    Args:
        precision, recall, f1: of spans with the same start and end.
        overlap_precision, overlap_recall, overlap_f1: a span counts if it shares a character with one of the others.
        fuzzy_recall: PAPER section 4: a gold mention counts if, accents and articles left out, the words of a
            prediction in the same document are a subset of its words or the other way round, or their Jaccard
            similarity is at least 0.8.
        proposals_per_gold: predicted spans for each gold one.
    """

    precision: float
    recall: float
    f1: float
    overlap_precision: float
    overlap_recall: float
    overlap_f1: float
    fuzzy_recall: float
    proposals_per_gold: float


def detect(
    documents: Sequence[Document], name: str = DEFAULT, device: str = "cpu", batch_tokens: int = BATCH_TOKENS
) -> list[list[Span]]:
    """What a detector proposes for each document, in order of the start.

    Args:
        documents: the texts; their own mentions are not read.
        name: a checkpoint with a detector, or `hf:MODEL` (a token classifier), `gliner:MODEL`, `generative:MODEL`.
        device: where it runs.
        batch_tokens: most tokens of a batch, padding included.

    Raises:
        OSError: there is no such checkpoint.
        ValueError: the checkpoint has no detector.
        ImportError: the detector needs a package that is not installed.
    """
    kind, _, outside = name.partition(":")
    makers: dict[str, Callable[[str, str], Detector]] = {
        "hf": TokenClassifier,
        "gliner": Gliner,
        "generative": GenerativeExtractor,
    }
    other = kind in makers and bool(outside)
    checkpoint = load_checkpoint(DEFAULT if other else name, device)
    detector = makers[kind](outside, device) if other else checkpoint.detector
    if detector is None:
        raise ValueError(f"the checkpoint {name!r} has no detector; use another with --detector, such as {DEFAULT}")
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, detector, batch_tokens)
    return [one.mentions for one in encoder.encode(tqdm(documents, desc=f"{name} detects", disable=None))]


def score_detection(
    texts: Sequence[str], gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]
) -> DetectionScores:
    """Score predicted spans against gold ones, text by text.

    Example:
        >>> found = score_detection(["Ada met Babbage"], [[Span(0, 3), Span(8, 15)]], [[Span(0, 3), Span(4, 10)]])
        >>> found.precision, found.overlap_recall, found.proposals_per_gold
        (0.5, 1.0, 1.0)
    """
    exact = over_gold = over_predicted = fuzzy = golds = proposals = 0
    for text, right, found in zip(texts, gold, predicted, strict=True):
        wanted, got = {span[:2] for span in right}, {span[:2] for span in found}
        golds, proposals = golds + len(wanted), proposals + len(got)
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
    plain = "".join(one for one in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(one))
    return frozenset(re.findall(r"\w+", plain)) - {"the", "a", "an"}


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    if not one or not other:
        return False
    return one <= other or other <= one or len(one & other) / len(one | other) >= LEAST_JACCARD
