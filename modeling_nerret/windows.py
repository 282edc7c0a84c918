"""Cut texts into token windows and stack windows into batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from .forms import form_of
from .spans import Span, token_span, windows_by_context

OVERLAP = 8  # a window shares one eighth of its tokens with the next one


@dataclass(frozen=True)
class Window:
    """A piece of a text that fits the model.

    Args:
        owner: number of the text in the call that made the window.
        number: which of its text's windows it is, from 0.
        text: the whole text.
        span: the characters of the text that it covers; a text's windows overlap and cover the whole of it.
        ids: token ids, special ones included.
        offsets: (tokens, 2), characters of each token in the whole text; zero width for special tokens.
    """

    owner: int
    number: int
    text: str
    span: tuple[int, int]
    ids: list[int]
    offsets: np.ndarray

    def token_span(self, start: int, end: int) -> tuple[int, int] | None:
        """Tokens of this window that cover characters `[start, end)` of the text; `None` if none does."""
        return token_span(self.offsets, self.text, start, end)

    def until(self, tokens: int) -> Window:
        """This window without what stands after its first `tokens` tokens."""
        return replace(self, ids=self.ids[:tokens], offsets=self.offsets[:tokens])


class Sighting(NamedTuple):
    """A mention in the window that shows it best, at the window's tokens `[first, last)`."""

    span: Span
    first: int
    last: int


class Sightings:
    """Says which window shows a mention, and at which tokens: every mention of a text is read in exactly one window.

    Args:
        windows: all windows of the texts; those of a text in order.
        causal: whether a token sees only what stands before it.
    """

    def __init__(self, windows: Iterable[Window], causal: bool):
        self.causal = causal
        self.unmapped: set[tuple[int, Span]] = set()  # owner and span of mentions that no token covers
        self._windows: dict[int, list[Window]] = defaultdict(list)  # by owner
        self._spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for window in windows:
            self._windows[window.owner].append(window)
            self._spans[window.owner].append(window.span)

    def windows(self, owner: int) -> Sequence[Window]:
        """The windows of text `owner`, in order."""
        return self._windows[owner]

    def best(self, owner: int, span: Span) -> tuple[Window, Sighting] | None:
        """The window that shows a mention of text `owner` best, and where; `None` if no token covers any of it.

        A window that shows none of the mention's tokens, because only white space of it or characters without a token
        lie there, is passed over.
        """
        for number in windows_by_context(self._spans[owner], span.start, span.end, self.causal):
            window = self._windows[owner][number]
            tokens = window.token_span(span.start, span.end)
            if tokens is not None:
                return window, Sighting(span, *tokens)
        self.unmapped.add((owner, span))
        return None

    def of(self, window: Window, spans: Iterable[Span]) -> list[Sighting]:
        """Those of a text's mentions that this window shows better than the text's other windows."""
        pairs = (self.best(window.owner, span) for span in spans)
        return [pair[1] for pair in pairs if pair is not None and pair[0].number == window.number]


def token_rows(sightings: Sequence[Sequence[Sighting]]) -> torch.Tensor:
    """Token spans of the sightings in each window of a batch. (mentions, 3): row, first token, last token + 1."""
    rows = [(row, sighting.first, sighting.last) for row, group in enumerate(sightings) for sighting in group]
    return torch.tensor(rows, dtype=torch.long).reshape(-1, 3)


def row_owners(batch: Sequence[Window], sightings: Sequence[Sequence[Sighting]]) -> list[tuple[int, Span]]:
    """What each row of `token_rows` is of: number of the text, and the mention's span in it."""
    return [(window.owner, sighting.span) for window, group in zip(batch, sightings, strict=True) for sighting in group]


def make_windows(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_tokens: int) -> list[Window]:
    """All windows of all texts, in order; a text that fits is one window.

    The tokenizer reads each text in the form of `form_of`; spans and offsets are of the text itself.

    Raises:
        ValueError: a text holds a lone surrogate, or the tokenizer is not a fast one, so that it cannot tell which
            characters a token covers.
    """
    if not tokenizer.is_fast:
        raise ValueError(
            f"{type(tokenizer).__name__} gives no character offsets; a fast tokenizer (tokenizer.json) is needed"
        )
    if not texts:
        return []
    for text in texts:
        check_unicode(text)
    forms = [form_of(text) for text in texts]
    tokens = tokenizer(
        [form.text for form in forms],
        truncation=True,
        max_length=max_tokens,
        stride=max(max_tokens // OVERLAP, 1),
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        return_attention_mask=False,
    )
    owners = tokens["overflow_to_sample_mapping"]
    windows: list[Window] = []
    for row, (owner, ids) in enumerate(zip(owners, tokens["input_ids"], strict=True)):
        offsets = forms[owner].origin(np.asarray(tokens["offset_mapping"][row], dtype=np.int64).reshape(-1, 2))
        visible = offsets[offsets[:, 0] < offsets[:, 1]]  # without special tokens
        first, last = row == 0 or owners[row - 1] != owner, row + 1 == len(owners) or owners[row + 1] != owner
        span = (0 if first else int(visible[0, 0]), len(texts[owner]) if last else int(visible[-1, 1]))
        windows.append(Window(owner, 0 if first else windows[-1].number + 1, texts[owner], span, ids, offsets))
    return windows


def check_unicode(text: str) -> None:
    """Refuse a text with half of a surrogate pair, which no tokenizer can read.

    Raises:
        ValueError: the message says where.

    Example:
        >>> check_unicode("Ada \\ud83d")
        Traceback (most recent call last):
        ...
        ValueError: a text is not valid Unicode: its character 4 is half of a surrogate pair, '\\ud83d'; leave it out
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        place = error.start
        raise ValueError(
            f"a text is not valid Unicode: its character {place} is half of a surrogate pair, {text[place]!a}; leave "
            "it out"
        ) from None


def stack(windows: Sequence[Window], device: torch.device | str = "cpu") -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both (windows, longest window), padded on the right."""
    width = max(len(window.ids) for window in windows)
    ids = torch.zeros(len(windows), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, window in enumerate(windows):
        ids[row, : len(window.ids)] = torch.tensor(window.ids)
        mask[row, : len(window.ids)] = 1
    return ids.to(device), mask.to(device)


def batches(windows: Iterable[Window], max_batch_tokens: int) -> Iterator[list[Window]]:
    """Windows of similar length together, longest first, at most `max_batch_tokens` tokens a batch, padding included.

    A window longer than that makes a batch of its own.
    """
    batch: list[Window] = []
    for window in sorted(windows, key=lambda window: -len(window.ids)):
        if batch and len(batch[0].ids) * (len(batch) + 1) > max_batch_tokens:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch
