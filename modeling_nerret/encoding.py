"""Documents to vectors of mentions and windows: one forward pass a batch, detection and embedding."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from threading import Lock
from typing import TypeVar

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from .detection import Detector, propose_mentions
from .documents import Document, EncodedDocument, in_groups
from .modeling_nerret import NerretModel
from .spans import Span
from .special_tokens import match_prefix
from .windows import Sighting, Sightings, Window, batches, make_windows, row_owners, stack, token_rows

logger = logging.get_logger(__name__)

BATCH_TOKENS = 1024  # on CPU larger batches are no faster: a layer's output must fit the cache
FIRST_CHARACTERS, BUFFER_CHARACTERS, BUFFER_DOCUMENTS = 2_000, 200_000, 2_000
LONG_TEXTS = ("window", "error")
T = TypeVar("T")
R = TypeVar("R")


@dataclass
class Report:
    """How much was read: documents, characters, windows and mentions. No token covers the `unmapped` mentions.

    Of an index, how many of the documents were `added`, and how many `replaced` others with the same ids.
    """

    documents: int = 0
    characters: int = 0
    windows: int = 0
    mentions: int = 0
    unmapped: int = 0
    added: int = 0
    replaced: int = 0


@dataclass
class Embeddings:
    """Vectors of mentions, or of windows, in the order in which batches bring them.

    Args:
        owners: number of each span's document.
        spans: characters of the document's text.
        vectors: one array (spans, hidden_size) for each batch.
    """

    owners: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)

    def add(self, places: Iterable[tuple[int, Span]], vectors: np.ndarray) -> None:
        """Add a batch's owners and spans, and their vectors (spans, hidden_size)."""
        for owner, span in places:
            self.owners.append(owner)
            self.spans.append(span)
        self.vectors.append(vectors)

    def by_document(self, documents: int, size: int) -> Iterator[tuple[list[Span], np.ndarray]]:
        """Spans of each document in order of their start, and their vectors (spans, size).

        The vectors are views of one array: thousands of small arrays would outlive the large blocks of the following
        passes and fragment the heap.
        """
        order = sorted(range(len(self.spans)), key=lambda row: (self.owners[row], self.spans[row]))
        vectors = np.concatenate([np.zeros((0, size), dtype=np.float32), *self.vectors])[order]
        counts = np.bincount(np.asarray(self.owners, dtype=np.int64), minlength=documents)
        for begin, end in pairwise([0, *np.cumsum(counts).tolist()]):
            yield [self.spans[row] for row in order[begin:end]], vectors[begin:end]


@dataclass
class Chunk:
    """Documents that are encoded together, and their vectors so far.

    Args:
        documents: the documents.
        windows: all their windows.
        sightings: which window shows which mention.
        proposals: by owner and number of each window the mentions to read there; empty until they are proposed.
        mentions: vectors of mentions.
        texts: vectors of windows, if the model has a document head.
    """

    documents: Sequence[Document]
    windows: list[Window]
    sightings: Sightings
    proposals: dict[tuple[int, int], list[Sighting]] = field(default_factory=dict)
    mentions: Embeddings = field(default_factory=Embeddings)
    texts: Embeddings = field(default_factory=Embeddings)

    def propose(self, detector: Detector, batch: Sequence[Window], states: torch.Tensor | None) -> None:
        """Ask a detector for the mentions of a batch's windows, each to be read in the window that shows it best."""
        proposals = propose_mentions(detector, self.documents, batch, states)
        for window, spans in zip(batch, proposals, strict=True):
            self.proposals[window.owner, window.number] = self.sightings.of(window, spans)

    def sightings_in(self, window: Window) -> list[Sighting]:
        """The mentions to read in a window."""
        return self.proposals[window.owner, window.number]

    def results(self, size: int) -> list[EncodedDocument]:
        """The documents with all vectors, each of `size` numbers."""
        count = len(self.documents)
        rows = zip(
            self.documents, self.mentions.by_document(count, size), self.texts.by_document(count, size), strict=True
        )
        return [EncodedDocument(document, *mentions, *windows) for document, mentions, windows in rows]


class Encoder:
    """Finds and embeds the mentions of documents, and embeds type queries.

    Args:
        model: the model; the work is done on its device.
        tokenizer: its fast tokenizer.
        detector: what proposes mentions.
        batch_tokens: most tokens of a batch, padding included.
        on_long: what to do with a text that exceeds the model's window: `"window"` cuts it, `"error"` refuses it.
    """

    def __init__(
        self,
        model: NerretModel,
        tokenizer: PreTrainedTokenizerBase,
        detector: Detector,
        batch_tokens: int = BATCH_TOKENS,
        on_long: str = "window",
    ):
        if on_long not in LONG_TEXTS:
            raise ValueError(f"on_long is {on_long!r}; accepted are 'window' and 'error'")
        self.model, self.tokenizer, self.detector = model, match_prefix(tokenizer, model.config), detector
        self.batch_tokens, self.on_long = batch_tokens, on_long
        self._lock = Lock()  # tokenizers refuse to serve two threads at once, and detectors may have one of their own

    def encode(self, documents: Iterable[Document], report: Report | None = None) -> Iterator[EncodedDocument]:
        """Encode documents in their order; only a bounded number of them is in memory at a time.

        The first ones come after a moment, and more at a time later.

        Args:
            documents: the documents.
            report: counts what is read.

        Raises:
            ValueError: a text exceeds the window and `on_long` is `"error"`.
        """
        report = Report() if report is None else report
        for group, windows in _ahead(_groups(documents), self._cut):
            yield from self._encode_group(group, windows.result(), report)

    @torch.inference_mode()
    def embed_queries(self, queries: Sequence[str]) -> np.ndarray:
        """Vectors of type queries. (queries, hidden_size) float32, each of length 1.

        Raises:
            ValueError: a query is empty or longer than the model's window.
        """
        for query in queries:
            if not isinstance(query, str) or not query.strip():
                raise ValueError(f"a type query is a few words such as 'dinosaur', not {query!r:.60}")
        queries = [" ".join(query.split()) for query in queries]
        windows = self._windows(queries)
        if len(windows) > len(queries):
            raise ValueError(f"a type query is over {self.model.config.max_tokens} tokens; use fewer words")
        spans = []
        for row, window in enumerate(windows):
            tokens = window.token_span(0, len(window.text))
            if tokens is None:
                raise ValueError(f"the type query {window.text!r:.60} has no characters that the model can read")
            spans.append((row, *tokens))
        ids, mask = stack(windows, self.model.device)
        return self.model(ids, mask, spans=torch.tensor(spans)).embeddings.cpu().numpy()

    def known_words(self, text: str) -> list[str]:
        """Those words of a text that are tokens of the model: others it has to spell."""
        words = [word for word in text.split() if any(map(str.isalnum, word))]
        with self._lock:
            return [word for word in words if len(self.tokenizer.tokenize(word)) == 1]

    def _windows(self, texts: Sequence[str]) -> list[Window]:
        with self._lock:
            return make_windows(self.tokenizer, texts, self.model.config.max_tokens)

    def _cut(self, documents: Sequence[Document]) -> list[Window]:
        windows = self._windows([document.text for document in documents])
        if self.on_long == "error" and len(windows) > len(documents):
            self._refuse_long(documents, windows)
        return windows

    def _encode_group(
        self, documents: Sequence[Document], windows: list[Window], report: Report
    ) -> list[EncodedDocument]:
        chunk = Chunk(documents, windows, Sightings(windows, self.model.causal))
        report.documents += len(documents)
        report.characters += sum(len(document.text) for document in documents)
        report.windows += len(windows)
        if not self.detector.reads_states:  # it is asked first, and the model is spared windows without mentions
            for batch in batches(windows, self.batch_tokens):
                with self._lock:
                    chunk.propose(self.detector, batch, None)
            if self.model.document_head is None:
                chunk.windows = self._windows_with_mentions(chunk)
        groups = batches(chunk.windows, self.batch_tokens)
        if self.model.states_by is None:  # torch takes the interpreter's lock for each of many small steps
            for batch in groups:
                self._encode_or_halve(chunk, batch, self._try_states(batch))
        else:
            for batch, states in _ahead(groups, self._try_states):
                self._encode_or_halve(chunk, batch, states.result())
        report.unmapped += len(chunk.sightings.unmapped)
        report.mentions += len(chunk.mentions.spans)
        return chunk.results(self.model.config.hidden_size)

    @torch.inference_mode()
    def _try_states(self, batch: list[Window]) -> torch.Tensor | None:
        """The states of a batch's windows, (windows, tokens, backbone size); `None` if memory runs out.

        Raises:
            MemoryError, RuntimeError: there is not even enough for one window.
        """
        try:
            return self.model.hidden_states(*stack(batch, self.model.device))
        except (MemoryError, RuntimeError) as error:
            if len(batch) == 1 or not _is_out_of_memory(error):
                raise
        return None  # not in the handler, which would keep the failed call's tensors

    def _encode_or_halve(self, chunk: Chunk, batch: list[Window], states: torch.Tensor | None) -> None:
        """As `_encode_batch`; if memory runs out, half of the batch at a time, and smaller batches from then on."""
        try:
            if states is not None:
                self._encode_batch(chunk, batch, states)
                return
        except (MemoryError, RuntimeError) as error:
            if len(batch) == 1 or not _is_out_of_memory(error):
                raise
        # not in the handler, which would keep the failed call's tensors
        states = None
        half = len(batch) // 2
        self.batch_tokens = min(self.batch_tokens, len(batch[0].ids) * half)
        logger.warning("memory ran out; going on with batches of %d tokens", self.batch_tokens)
        for part in (batch[:half], batch[half:]):
            self._encode_or_halve(chunk, part, self._try_states(part))

    @torch.inference_mode()
    def _encode_batch(self, chunk: Chunk, batch: list[Window], states: torch.Tensor) -> None:
        """Embed the mentions to be read in a batch's windows and, with a document head, the windows."""
        if self.detector.reads_states:
            chunk.propose(self.detector, batch, states)
        sightings = [chunk.sightings_in(window) for window in batch]
        vectors = self._vectors(self.model.embed, states, token_rows(sightings))
        texts: list[list[Sighting]] = [[] for _ in batch]  # a window without tokens of its own has no vector
        if self.model.document_head is not None:
            tokens = [window.token_span(*window.span) for window in batch]
            texts = [
                [Sighting(Span(*window.span), *span)] if span else []
                for window, span in zip(batch, tokens, strict=True)
            ]
        text_vectors = self._vectors(self.model.embed_texts, states, token_rows(texts))
        # only now, so that a batch which runs out of memory adds nothing
        chunk.mentions.add(row_owners(batch, sightings), vectors)
        chunk.texts.add(row_owners(batch, texts), text_vectors)

    def _vectors(self, embed: Callable[..., torch.Tensor], states: torch.Tensor, rows: torch.Tensor) -> np.ndarray:
        """Vectors of token spans `rows` (mentions, 3). (mentions, hidden_size) float32."""
        if not len(rows):
            return np.zeros((0, self.model.config.hidden_size), dtype=np.float32)
        return embed(states, rows).cpu().numpy()

    def _windows_with_mentions(self, chunk: Chunk) -> list[Window]:
        """Windows that show a mention; if the model is causal, without the tokens after the last mention."""
        windows = []
        for window in chunk.windows:
            ends = [sighting.last for sighting in chunk.sightings_in(window)]
            if ends:
                windows.append(window.until(max(ends)) if self.model.causal else window)
        return windows

    def _refuse_long(self, documents: Sequence[Document], windows: Sequence[Window]) -> None:
        owners = [window.owner for window in windows]
        number = next(owner for owner, successor in pairwise(owners) if owner == successor)
        raise ValueError(
            f"document {documents[number].id!r} is over {self.model.config.max_tokens} tokens and on_long is 'error'; "
            "use on_long='window' to read it in overlapping windows"
        )


def _ahead(items: Iterable[T], work: Callable[[T], R]) -> Iterator[tuple[T, Future[R]]]:
    """Items with what a thread makes of them: it works on the next one while the caller uses this one's result."""
    queue: deque[tuple[T, Future[R]]] = deque()
    with ThreadPoolExecutor(1) as pool:
        for item in items:
            queue.append((item, pool.submit(work, item)))
            if len(queue) > 1:
                yield queue.popleft()
        while queue:
            yield queue.popleft()


def _groups(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Documents in the groups that are encoded together; each is larger than the one before, up to a limit."""
    iterator, limit = iter(documents), FIRST_CHARACTERS
    while group := next(in_groups(iterator, lambda document: len(document.text), limit, BUFFER_DOCUMENTS), None):
        yield group
        limit = min(2 * limit, BUFFER_CHARACTERS)


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether the error is one of torch's allocators, for CPU or accelerators."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "allocate memory" in words
