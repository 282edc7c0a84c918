"""What a system is given, and what it answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .corpora import Task
from .detection import detect
from modeling_nerret.documents import Document
from modeling_nerret.spans import Span


@dataclass(frozen=True)
class Options:
    """How systems run.

    Args:
        device: where models run.
        batch_size: texts of a batch; systems that batch by tokens take 128 tokens for a text.
        dtype: of backbones' weights.
        seed: of what is random.
        detector: what finds predicted mentions, see `detect`.
        trust_remote_code: whether models may run code from their repositories.
    """

    device: str = "cpu"
    batch_size: int = 32
    dtype: str = "float32"
    seed: int = 0
    detector: str = "nerret-minilm"
    trust_remote_code: bool = False


@dataclass
class Trial:
    """A task with the mentions that systems are given: `"gold"` or `"predicted"` ones."""

    task: Task
    spans: str
    options: Options = field(default_factory=Options)
    detection_seconds: float = 0.0

    @cached_property
    def documents(self) -> list[Document]:
        """The task's documents with these mentions."""
        if self.spans == "gold":
            return self.task.documents
        began = time.perf_counter()
        found = detect(self.task.documents, self.options.detector, self.options.device, self.options.batch_size * 128)
        self.detection_seconds = time.perf_counter() - began
        return [replace(one, mentions=tuple(own)) for one, own in zip(self.task.documents, found, strict=True)]


@dataclass(frozen=True)
class Answer:
    """A system's answer to one query.

    Args:
        scores: (documents,) float32, -inf for documents that it does not return.
        earned: for a depth, the mention that earned each of the best so many documents their place, by number; only
            before the next answer is asked for.
    """

    scores: np.ndarray
    earned: Callable[[int], dict[int, Span]] = lambda depth: {}


@dataclass(frozen=True)
class Answers:
    """A system's answers to a task.

    Args:
        each: for each query in order.
        mentions: how many mentions it indexed, 0 for systems without mentions.
        bytes_per_document: what it stores for a document: vectors in half precision, or postings.
        given: whether it used `Trial.documents`, so that their detection is part of its work.
    """

    each: Iterator[Answer]
    mentions: int
    bytes_per_document: float
    given: bool = False


System = Callable[[Trial], Answers]
