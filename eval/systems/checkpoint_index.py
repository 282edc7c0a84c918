"""An index of a task's documents that a checkpoint makes once, for all systems that search it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modeling_nerret.cli.progress import Progress
from modeling_nerret.detection import GivenSpans
from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.encoding import Encoder, Report
from modeling_nerret.index.retriever import EntityRetriever
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.spans import Span

from .predicted_mentions import absent_detector

if TYPE_CHECKING:
    from .trial import Settings


@dataclass(frozen=True)
class CheckpointIndex:
    """An index in a temporary folder.

    Args:
        retriever: searches it.
        folder: where it lies.
        mentions: the spans of each document, in the order of the documents.
        bytes_per_document: of the mentions' vectors, in half precision.
        seconds: what loading the checkpoint and indexing took.
        detection_seconds: the part of it that finding the mentions alone would have taken: all but the storing.
    """

    retriever: EntityRetriever
    folder: tempfile.TemporaryDirectory[str]
    mentions: list[list[Span]]
    bytes_per_document: float
    seconds: float
    detection_seconds: float

    @property
    def mention_count(self) -> int:
        """How many mentions it holds."""
        return sum(map(len, self.mentions))


class _WatchedEncoder(Encoder):
    """An encoder that remembers the mentions, and how long it took."""

    seconds = 0.0

    def encode(self, documents: Iterable[Document], report: Report | None = None) -> Iterator[EncodedDocument]:
        """As of `Encoder`."""
        self.mentions: list[list[Span]] = []
        items = super().encode(documents, report)
        while True:
            start = time.perf_counter()
            item = next(items, None)
            self.seconds += time.perf_counter() - start
            if item is None:
                return
            self.mentions.append(item.mentions)
            yield item


def index_checkpoint(
    model: str, documents: Sequence[Document], detects: bool, settings: Settings, description: str
) -> CheckpointIndex:
    """Index documents with a checkpoint.

    Args:
        model: its name.
        documents: with the mentions to index, unless it `detects`.
        detects: whether its own detector finds the mentions, in the same pass as their vectors.
        settings: device, precision and size of batches.
        description: of the progress.

    Raises:
        ValueError: it has no detector and needs one.
    """
    start = time.perf_counter()
    checkpoint = load_checkpoint(model, settings.device, dtype=settings.dtype)
    detector = checkpoint.detector if detects else GivenSpans()
    if detector is None:
        raise absent_detector(model)
    loading_seconds = time.perf_counter() - start
    folder = tempfile.TemporaryDirectory()
    retriever = EntityRetriever(Path(folder.name) / "index", checkpoint, detector, settings.device)
    encoder = _WatchedEncoder(checkpoint.model, checkpoint.tokenizer, detector, settings.batch_tokens)
    retriever.encoder = encoder
    retriever.add(Progress(documents, description))
    retriever.compact()
    size = 2.0 * checkpoint.model.config.hidden_size * sum(map(len, encoder.mentions)) / len(documents)
    seconds = time.perf_counter() - start
    return CheckpointIndex(retriever, folder, encoder.mentions, size, seconds, loading_seconds + encoder.seconds)
