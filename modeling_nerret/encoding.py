"""Documents to vectors of mentions and windows: one forward pass a batch, detection and embedding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from .detection import Detector
from .documents import Document, EncodedDocument, in_groups
from .modeling_nerret import NerretModel
from .spans import Span
from .windows import TextWindows, Window, batches, by_text, make_windows, stack

logger = logging.get_logger(__name__)

BATCH_TOKENS = 1024  # on CPU more are hardly faster or slower: what a layer gives must fit the cache
BUFFER_CHARACTERS, BUFFER_DOCUMENTS = 200_000, 2_000

# What was embedded of a batch: documents' numbers, characters, and vectors (n, hidden_size)
Part = tuple[list[int], list[Span], np.ndarray]
# Mentions by (owner, number) of the window that they are read in: span, and tokens [first, last) of the window
Located = dict[tuple[int, int], list[tuple[Span, tuple[int, int]]]]


@dataclass
class Report:
    """What was read: so many documents, characters, windows and mentions; `unmapped` mentions had no token."""

    documents: int = 0
    characters: int = 0
    windows: int = 0
    mentions: int = 0
    unmapped: int = 0


@dataclass
class Embedded:
    """Mentions, or windows, of all batches of a chunk of documents; the fields are those of a `Part`."""

    owners: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)

    def add(self, part: Part) -> None:
        """Add those of a batch."""
        owners, spans, vectors = part
        self.owners += owners
        self.spans += spans
        self.vectors.append(vectors)

    def by_document(self, documents: int, size: int) -> Iterator[tuple[list[Span], np.ndarray]]:
        """Spans of each document by place, and their vectors (spans, size).

        The vectors are views of one array: thousands of small ones would live on between the large blocks of the
        passes that follow, and scatter the heap.
        """
        order = sorted(range(len(self.spans)), key=lambda at: (self.owners[at], self.spans[at]))
        vectors = np.concatenate([np.zeros((0, size), dtype=np.float32), *self.vectors])[order]
        counts = np.bincount(np.asarray(self.owners, dtype=np.int64), minlength=documents)
        for begin, end in pairwise([0, *np.cumsum(counts).tolist()]):
            yield [self.spans[at] for at in order[begin:end]], vectors[begin:end]


class Encoder:
    """Finds and embeds the mentions of documents, and embeds type queries.

    Args:
        model: the model; its device is where the work is done.
        tokenizer: its fast tokenizer.
        detector: what proposes mentions.
        batch_tokens: most tokens of a batch, padding included.
        on_long: what to do with a text over the model's window: `"window"` cuts it, `"error"` refuses it.
    """

    def __init__(
        self,
        model: NerretModel,
        tokenizer: PreTrainedTokenizerBase,
        detector: Detector,
        batch_tokens: int = BATCH_TOKENS,
        on_long: str = "window",
    ):
        if on_long not in ("window", "error"):
            raise ValueError(f"on_long is {on_long!r}; accepted are 'window' and 'error'")
        self.model, self.tokenizer, self.detector = model, tokenizer, detector
        self.batch_tokens, self.on_long = batch_tokens, on_long
        self.report = Report()

    def encode(self, documents: Iterable[Document]) -> Iterator[EncodedDocument]:
        """Encode documents in their order; only a bounded part of them is held at a time.

        Raises:
            ValueError: a text is over the window and `on_long` is `"error"`.
        """
        chunks = in_groups(documents, lambda document: len(document.text), BUFFER_CHARACTERS, BUFFER_DOCUMENTS)
        waiting: tuple[list[Document], Future[list[Window]]] | None = None
        with ThreadPoolExecutor(1) as pool:  # makes the next documents' windows while the model reads these
            for chunk in chunks:
                following = chunk, pool.submit(self._make_windows, chunk)
                if waiting is not None:
                    yield from self._encode_chunk(waiting[0], waiting[1].result())
                waiting = following
            if waiting is not None:
                yield from self._encode_chunk(waiting[0], waiting[1].result())

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
        windows = make_windows(self.tokenizer, queries, self.model.config.max_tokens)
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

    def _make_windows(self, documents: Sequence[Document]) -> list[Window]:
        windows = make_windows(self.tokenizer, [document.text for document in documents], self.model.config.max_tokens)
        if self.on_long == "error" and len(windows) > len(documents):
            self._refuse_long(documents, windows)
        return windows

    def _encode_chunk(self, documents: Sequence[Document], windows: list[Window]) -> list[EncodedDocument]:
        mentions, whole = Embedded(), Embedded()
        texts = by_text(windows, len(documents))
        self.report.documents += len(documents)
        self.report.characters += sum(len(document.text) for document in documents)
        self.report.windows += len(windows)
        unmapped: list[set[Span]] = [set() for _ in documents]
        known = None if self.detector.reads_states else self._read_spans(documents, windows, texts, unmapped)
        if known is not None and self.model.document_head is None:
            windows = self._needed(windows, known)
        for batch in batches(windows, self.batch_tokens):
            self._encode_or_halve(documents, batch, texts, unmapped, known, (mentions, whole))
        self.report.unmapped += sum(map(len, unmapped))
        self.report.mentions += len(mentions.spans)
        count, size = len(documents), self.model.config.hidden_size
        each = zip(documents, mentions.by_document(count, size), whole.by_document(count, size), strict=True)
        return [EncodedDocument(one, *own, *windows_) for one, own, windows_ in each]

    def _encode_or_halve(
        self,
        documents: Sequence[Document],
        batch: list[Window],
        texts: list[TextWindows],
        unmapped: list[set[Span]],
        known: Located | None,
        found: tuple[Embedded, Embedded],
    ) -> None:
        """As `_encode_batch`; where memory runs out, half of the batch at a time, and smaller batches from then on."""
        try:
            mentions, whole = self._encode_batch(documents, batch, texts, unmapped, known)
            found[0].add(mentions)
            found[1].add(whole)
            return
        except (MemoryError, RuntimeError) as error:
            if len(batch) == 1 or not _is_out_of_memory(error):
                raise
        # not in the handler, which would keep the failed call's tensors
        half = len(batch) // 2
        self.batch_tokens = min(self.batch_tokens, len(batch[0].ids) * half)
        logger.warning("memory ran out; going on with batches of %d tokens", self.batch_tokens)
        for part in (batch[:half], batch[half:]):
            self._encode_or_halve(documents, part, texts, unmapped, known, found)

    @torch.inference_mode()
    def _encode_batch(
        self,
        documents: Sequence[Document],
        batch: list[Window],
        texts: list[TextWindows],
        unmapped: list[set[Span]],
        known: Located | None,
    ) -> tuple[Part, Part]:
        """The mentions that are read in one of the batch's windows and, with a document head, the windows."""
        states = self.model.hidden_states(*stack(batch, self.model.device))  # (windows, tokens, backbone size)
        located = known
        if located is None:
            located = self._locate(batch, self.detector.propose(documents, batch, states), texts, unmapped)
        rows, owners, spans = [], [], []
        for row, window in enumerate(batch):
            for span, tokens in located[window.owner, window.number]:
                rows.append((row, *tokens))
                owners.append(window.owner)
                spans.append(span)
        mentions = owners, spans, self._vectors(self.model.embed, states, rows)
        rows = []
        if self.model.document_head is not None:  # of the windows that have tokens of their own
            inside = [window.token_span(*window.span) for window in batch]
            rows = [(row, *tokens) for row, tokens in enumerate(inside) if tokens is not None]
        own = [batch[row] for row, _, _ in rows]
        vectors = self._vectors(self.model.embed_texts, states, rows)
        return mentions, ([window.owner for window in own], [Span(*window.span) for window in own], vectors)

    def _vectors(self, embed: Callable[..., torch.Tensor], states: torch.Tensor, rows: Sequence[Any]) -> np.ndarray:
        """Vectors of token spans `rows`, (rows, hidden_size) float32."""
        if not rows:
            return np.zeros((0, self.model.config.hidden_size), dtype=np.float32)
        return embed(states, torch.tensor(rows)).cpu().numpy()

    def _locate(
        self,
        batch: Sequence[Window],
        proposed: Sequence[Sequence[Span]],
        texts: list[TextWindows],
        unmapped: list[set[Span]],
    ) -> Located:
        """Of each window's proposed spans those that no other window shows better, with their tokens."""
        located: Located = {}
        for window, spans in zip(batch, proposed, strict=True):
            own = located[window.owner, window.number] = []
            for span in spans:
                place = texts[window.owner].place(span.start, span.end, self.model.causal)
                if place is None:
                    unmapped[window.owner].add(span)
                elif place[0] == window.number:
                    own.append((span, place[1]))
        return located

    def _read_spans(
        self,
        documents: Sequence[Document],
        windows: Sequence[Window],
        texts: list[TextWindows],
        unmapped: list[set[Span]],
    ) -> Located:
        """All windows' spans of a detector that needs no hidden states."""
        located: Located = {}
        for batch in batches(windows, self.batch_tokens):
            located |= self._locate(batch, self.detector.propose(documents, batch, None), texts, unmapped)
        return located

    def _needed(self, windows: Sequence[Window], known: Located) -> list[Window]:
        """Windows with mentions; where a token sees only what is before it, without the tokens after the last one."""
        kept = []
        for window in windows:
            ends = [last for _, (_, last) in known[window.owner, window.number]]
            if ends:
                kept.append(window.until(max(ends)) if self.model.causal else window)
        return kept

    def _refuse_long(self, documents: Sequence[Document], windows: Sequence[Window]) -> None:
        owners = [window.owner for window in windows]
        long = next(owner for owner, following in pairwise(owners) if owner == following)
        raise ValueError(
            f"document {documents[long].id!r} is over {self.model.config.max_tokens} tokens and on_long is 'error'; "
            "use on_long='window' to read it in overlapping windows"
        )


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether torch says so, in the words of its allocators for CPU and accelerators."""
    words = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in words or "allocate memory" in words
