"""What a system receives, and what it returns."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from modeling_nerret.cli.progress import Progress
from modeling_nerret.documents import Document
from modeling_nerret.pretrained.built_in import DEFAULT
from modeling_nerret.spans import Span

from ..tasks.task import Task
from .checkpoint_index import CheckpointIndex, index_checkpoint
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
    """A task, the kind of mentions that systems receive, and the work that its systems share.

    The detector runs once, and each checkpoint indexes once, whatever its modes of search. If the detector is that of a
    checkpoint whose index is searched, its mentions come from the pass that makes the index.

    Args:
        task: the task.
        spans: `"gold"` or `"predicted"`.
        settings: how systems run.
        searches: of each checkpoint how many systems to come search its index; the last one's end removes it.
        detection_seconds: what detection took, or would have taken without an index.
        shared_seconds: what shared work has taken so far, whoever asked for it first.
    """

    task: Task
    spans: str
    settings: Settings = field(default_factory=Settings)
    searches: Counter[str] = field(default_factory=Counter)
    detection_seconds: float = 0.0
    shared_seconds: float = 0.0
    _indexes: dict[str, CheckpointIndex] = field(default_factory=dict)
    _predictions: list[list[Span]] | None = None

    @cached_property
    def documents(self) -> list[Document]:
        """The task's documents with mentions of this kind."""
        if self.spans == "gold":
            return self.task.documents
        pairs = zip(self.task.documents, self._predict(), strict=True)
        return [replace(document, mentions=tuple(mentions)) for document, mentions in pairs]

    def detects(self, model: str) -> bool:
        """Whether a checkpoint's own detector predicts the mentions, so that its pass over the texts finds them."""
        return self.spans == "predicted" and model == self.settings.detector

    def index(self, model: str) -> CheckpointIndex:
        """A checkpoint's index of the documents with mentions of this kind."""
        if model not in self._indexes:
            detects = self.detects(model)
            documents = self.task.documents if detects else self.documents
            index = index_checkpoint(model, documents, detects, self.settings, f"{self.task.name}: {model} indexes")
            self.shared_seconds += index.seconds
            self._indexes[model] = index
            if detects:
                self._predictions, self.detection_seconds = index.mentions, index.detection_seconds
        return self._indexes[model]

    def leave(self, model: str) -> None:
        """Remove a checkpoint's index after the last system that searches it."""
        self.searches[model] -= 1
        if self.searches[model] <= 0:
            self._indexes.pop(model).folder.cleanup()

    def _predict(self) -> list[list[Span]]:
        """The detector's mentions of each document."""
        settings = self.settings
        if self._predictions is None and self.searches[settings.detector] > 0:
            self.index(settings.detector)
        if self._predictions is None:
            start = time.perf_counter()
            documents = Progress(self.task.documents, f"{self.task.name}: {settings.detector} detects")
            self._predictions = predict_mentions(documents, settings.detector, settings.device, settings.batch_tokens)
            self.detection_seconds = time.perf_counter() - start
            self.shared_seconds += self.detection_seconds
        return self._predictions


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
        shared_seconds: what an index took that it shares with other systems.
    """

    queries: Iterator[QueryScores]
    mentions: int
    bytes_per_document: float
    uses_trial_mentions: bool = False
    shared_seconds: float = 0.0


System = Callable[[Trial], TaskScores]
