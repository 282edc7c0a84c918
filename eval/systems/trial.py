"""What a system receives, and what it returns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from modeling_nerret.documents import Document
from modeling_nerret.pretrained.built_in import DEFAULT
from modeling_nerret.spans import Span

from ..tasks.task import Task
from .predicted_mentions import predict_mentions

TOKENS_PER_TEXT = 128  # of a batch, for systems that batch by tokens


@dataclass(frozen=True)
class Settings:
    """How systems run.

    Args:
        device: where models run.
        batch_size: texts in a batch.
        dtype: of the backbones' weights.
        seed: for whatever is random.
        detector: predicts mentions, see `predict_mentions`.
        trust_remote_code: whether models may run code from their repositories.
    """

    device: str = "cpu"
    batch_size: int = 32
    dtype: str = "float32"
    seed: int = 0
    detector: str = DEFAULT
    trust_remote_code: bool = False

    @property
    def batch_tokens(self) -> int:
        """Tokens in a batch, padding included."""
        return self.batch_size * TOKENS_PER_TEXT


@dataclass
class Trial:
    """A task, and the kind of mentions that systems receive: `"gold"` or `"predicted"`."""

    task: Task
    spans: str
    settings: Settings = field(default_factory=Settings)
    detection_seconds: float = 0.0

    @cached_property
    def documents(self) -> list[Document]:
        """The task's documents with mentions of this kind."""
        if self.spans == "gold":
            return self.task.documents
        start, settings = time.perf_counter(), self.settings
        spans = predict_mentions(self.task.documents, settings.detector, settings.device, settings.batch_tokens)
        self.detection_seconds = time.perf_counter() - start
        pairs = zip(self.task.documents, spans, strict=True)
        return [replace(document, mentions=tuple(mentions)) for document, mentions in pairs]


@dataclass(frozen=True)
class QueryScores:
    """A system's scores for one query.

    Args:
        scores: (documents,) float32, -inf for documents that the system does not return.
        best_mentions: takes a depth; returns the mention behind the score of each of the best so many documents, by
            document number. Call it before you ask for the next query's scores.
    """

    scores: np.ndarray
    best_mentions: Callable[[int], dict[int, Span]] = lambda depth: {}


@dataclass(frozen=True)
class TaskScores:
    """A system's scores for a task.

    Args:
        queries: the scores for each query, in order.
        mentions: how many mentions the system indexed, 0 if it knows none.
        bytes_per_document: what it stores for a document: vectors in half precision, or postings.
        uses_trial_mentions: whether it read `Trial.documents`, so that their detection is part of its work.
    """

    queries: Iterator[QueryScores]
    mentions: int
    bytes_per_document: float
    uses_trial_mentions: bool = False


System = Callable[[Trial], TaskScores]
