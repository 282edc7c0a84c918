"""Detectors: what finds mentions without knowing types.

A detector proposes spans for windows of texts. The default, `MentionProbe`, reads them from the hidden states of the
same forward pass (the idea of ToMMeR, arXiv 2510.19410). It also sees the shape of the words, because the default
model's backbone is uncased.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from .characters import BREAK, INVISIBLES, PICTURE, SEPARATOR
from .documents import Document
from .files import one_line, read_json, regular_file
from .forms import WORD, form_of
from .loading import float32_default, readable_weights, refuse_integers, refuse_nan
from .manifest import check_files, write_manifest
from .mentions import accept, possible
from .spans import Span
from .windows import Window

NAME = 0.5  # the score above which a span is a name
READABLE = 0.25  # the score of what is shown to a person; what is indexed may be less sure
SHAPES = 14  # numbers that describe a word's look, see `word_shapes`
OPENING = frozenset("\"'`([{“‘«")  # before a name
# A word, or what stands between passages: models read it as a semicolon
_WORD_OR_BREAK = re.compile(f"{SEPARATOR}|{WORD.pattern}")
_PICTURES = re.compile(f"[{PICTURE}\u20e3]")
WORDS_OF_TOKEN = 16  # where more words share a token, it is an unknown one, and they are no words


class Detector(Protocol):
    """Anything that proposes mentions.

    Args:
        reads_states: whether `propose` needs hidden states. If it does not, it is asked before the model runs: the
            model then skips windows without mentions and, if causal, the tokens after the last mention.
    """

    @property
    def reads_states(self) -> bool:
        """See above."""

    def propose(
        self, documents: Sequence[Document], windows: Sequence[Window], states: torch.Tensor | None
    ) -> list[list[Span]]:
        """Spans of each window, in characters of its text, in order of their start, with scores in [0, 1].

        An index lets a mention count less if it may be no name, see `NerretConfig.certainty` and `phrase_weight`.

        Args:
            documents: what the windows were cut from; `documents[window.owner]` is a window's document.
            windows: a batch of windows.
            states: (windows, tokens, backbone size), the model's hidden states before the value projection; `None` for
                a detector that does not read them.
        """


class GivenSpans:
    """The detector for documents that come with their mentions: it proposes only these, and they stay as they are."""

    reads_states = False

    def propose(
        self, documents: Sequence[Document], windows: Sequence[Window], states: torch.Tensor | None
    ) -> list[list[Span]]:
        """The document's own mentions that touch each window."""
        proposals = []
        for window in windows:
            left, right = window.span
            mentions = dict.fromkeys(documents[window.owner].mentions)
            proposals.append([span for span in mentions if span.start < right and span.end > left])
        return proposals


def propose_mentions(
    detector: Detector, documents: Sequence[Document], windows: Sequence[Window], states: torch.Tensor | None
) -> list[list[Span]]:
    """What a detector proposes for each window, as far as it can be a mention, see `accept`; given spans always can."""
    proposals = detector.propose(documents, windows, states)
    if isinstance(detector, GivenSpans):
        return proposals
    return [accept(window.text, spans) for window, spans in zip(windows, proposals, strict=True)]


@dataclass
class ProbeConfig:
    """Sizes and decision rule of a `MentionProbe`.

    Args:
        state_size: width of the backbone's hidden states.
        size: width of the probe.
        max_words: longest mention in words (punctuation counts).
        threshold: probability in [0, 1] of being a name above which a span is proposed.
        phrases: whether it also looks for noun phrases, terms, numbers and the like.
        phrase_threshold: the same for their probability.
        nested: whether names may lie inside other spans (spans never cross).
    """

    state_size: int
    size: int = 128
    max_words: int = 14
    threshold: float = 0.5
    phrases: bool = False
    phrase_threshold: float = 0.5
    nested: bool = False

    @property
    def kinds(self) -> int:
        """How many kinds of spans it tells apart: names, and phrases if it looks for them."""
        return 2 if self.phrases else 1

    def __post_init__(self) -> None:
        for name, most in (("state_size", 1 << 20), ("size", 1 << 16), ("max_words", 1_000)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise ValueError(f"{name} is {value!r:.80}; it must be a whole number from 1 to {most}")
        for name in ("threshold", "phrase_threshold"):
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (is_number and 0 <= value <= 1):
                raise ValueError(f"{name} is {value!r:.80}; it must be a number in [0, 1]")
        for name in ("phrases", "nested"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} is {getattr(self, name)!r:.80}; it must be true or false")


class MentionProbe(nn.Module):
    """Scores every span of up to `max_words` words from the states of its first, last and inner words.

    A span's score says what it is: above `NAME` a name, below it a noun phrase, a term, a number or the like.
    """

    reads_states = True
    config_name, weights_name = "detector.json", "detector.safetensors"

    def __init__(self, config: ProbeConfig):
        super().__init__()
        self.config = config
        self.norm = nn.LayerNorm(config.state_size)
        self.edge = nn.Sequential(
            nn.Linear(2 * config.state_size + 3 * SHAPES, 2 * config.size), nn.GELU(), nn.Dropout(0.1)
        )
        self.start = nn.Linear(2 * config.size, config.kinds * (config.size + 1))
        self.end = nn.Linear(2 * config.size, config.kinds * (config.size + 1))
        self.inside = nn.Linear(2 * config.size, config.kinds)
        self.width = nn.Parameter(torch.zeros(config.kinds * config.max_words))

    def forward(self, first: torch.Tensor, last: torch.Tensor, shapes: torch.Tensor) -> torch.Tensor:
        """Logits of all spans.

        Args:
            first: (batch, words, state_size), states of each word's first token.
            last: the same of each word's last token.
            shapes: (batch, words, SHAPES).

        Returns:
            (batch, kinds, words, max_words): the span from word i over j + 1 words; -inf beyond the last word.
        """
        left, right = nn.functional.pad(shapes, (0, 0, 1, 0))[:, :-1], nn.functional.pad(shapes, (0, 0, 0, 1))[:, 1:]
        looks = torch.cat([shapes, left, right], -1)  # (batch, words, 3 * SHAPES): of each word and its neighbours
        word = self.edge(torch.cat([self.norm(first), self.norm(last), looks], -1))  # (batch, words, 2 * size)
        kinds, size = self.config.kinds, self.config.size
        start, end = (
            edge.unflatten(-1, (kinds, size + 1)).transpose(1, 2) for edge in (self.start(word), self.end(word))
        )  # (batch, kinds, words, size + 1)
        inside = self.inside(word).transpose(1, 2).cumsum(-1)  # (batch, kinds, words)
        inside = nn.functional.pad(inside, (1, 0))  # (batch, kinds, words + 1)
        words, width = word.shape[1], self.width.unflatten(0, (kinds, -1))  # (kinds, max_words)
        logits = word.new_full((len(word), kinds, words, self.config.max_words), float("-inf"))
        for extra in range(min(self.config.max_words, words)):
            left, right = start[..., : words - extra, :], end[..., extra:, :]  # (batch, kinds, words - extra, size + 1)
            match = (left[..., :size] * right[..., :size]).sum(-1) / size**0.5 + left[..., size] + right[..., size]
            mean_inside = (inside[..., extra + 1 :] - inside[..., : words - extra]) / (extra + 1)
            logits[..., : words - extra, extra] = match + mean_inside + width[:, extra, None]
        return logits

    @torch.inference_mode()
    def propose(
        self, documents: Sequence[Document], windows: Sequence[Window], states: torch.Tensor | None
    ) -> list[list[Span]]:
        """The spans that `choose` takes."""
        words = [words_of(window) for window in windows]
        if states is None:
            raise ValueError("a MentionProbe reads the model's hidden states; it cannot do without them")
        if not any(map(len, words)):
            return [[] for _ in windows]
        first, last, shapes = gather(windows, words, states)
        chances = self(first.float(), last.float(), shapes).sigmoid().cpu().numpy()  # (batch, kinds, words, max_words)
        return [
            [
                Span(int(places[span.start, 0]), int(places[span.end - 1, 1]), span.score)
                for span in self.choose(
                    window_chances[:, : len(places)] * possible(window.text, places, self.config.max_words)
                )
            ]
            for window, window_chances, places in zip(windows, chances, words, strict=True)
        ]

    def choose(self, chances: np.ndarray) -> list[Span]:
        """The spans above a threshold that exclude no better span, in order of their start.

        The better span has the larger product of words and chance, which is the number of words that it is expected to
        get right: "Bank of England" before "England", unless it is much less certain. A phrase inside another span is
        left out: it costs as much as any mention, and adds little.

        Args:
            chances: (kinds, words, max_words) in [0, 1], that the span from word i over j + 1 words is of a kind.

        Returns:
            Spans in words, `[first, last + 1)`.
        """
        is_name = chances[0] > self.config.threshold  # (words, max_words)
        kinds = np.stack([is_name, ~is_name & (chances[-1] > self.config.phrase_threshold)][: self.config.kinds])
        kind, begin, extra = np.nonzero(kinds)  # (spans,) each
        inside = begin + extra < chances.shape[1]
        kind, begin, extra = kind[inside], begin[inside], extra[inside]
        chance = chances[kind, begin, extra]
        scores = np.where(kind == 0, NAME + (1 - NAME) * chance, NAME * chance).tolist()
        order = np.argsort(-chance * (extra + 1), kind="stable")
        spans = [Span(int(begin[row]), int(begin[row] + extra[row]) + 1, scores[row]) for row in order]
        selection = select(spans, self.config.nested)
        return sorted(
            span for span in selection if span.score > NAME or not any(_inside(span, rival) for rival in selection)
        )

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the detector's settings and weights beside a model's."""
        Path(folder, self.config_name).write_text(json.dumps(asdict(self.config), indent=2) + "\n", encoding="utf-8")
        save_file(
            {name: tensor.contiguous() for name, tensor in self.state_dict().items()}, Path(folder, self.weights_name)
        )
        write_manifest(folder, "detector", "tokenizer")  # which was most likely written just before

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> MentionProbe:
        """Load what `save_pretrained` wrote.

        Raises:
            OSError: a file is missing or not whole.
            ValueError: its settings or weights are another detector's, or not numbers.
        """
        check_files(folder, "detector")
        settings_path, weights_path = Path(folder, cls.config_name), regular_file(Path(folder, cls.weights_name))
        settings = read_json(settings_path)
        try:
            with readable_weights(folder), float32_default():
                refuse_integers([weights_path])
                probe = cls(ProbeConfig(**settings))
                probe.load_state_dict(load_file(weights_path))
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                f"{settings_path} is no MentionProbe's, or not that of {cls.weights_name}: {one_line(error)}"
            ) from error
        refuse_nan(probe, f"the detector {weights_path}")
        return probe.eval()


def select(spans: Sequence[Span], nested: bool) -> list[Span]:
    """Of spans in order of preference, those that do not touch an earlier one (flat) or do not cross it (nested).

    Example:
        >>> select([Span(0, 9, 0.9), Span(4, 9, 0.8), Span(7, 12, 0.7)], nested=False)
        [Span(start=0, end=9, score=0.9)]
        >>> select([Span(0, 9, 0.9), Span(4, 9, 0.8), Span(7, 12, 0.7)], nested=True)
        [Span(start=0, end=9, score=0.9), Span(start=4, end=9, score=0.8)]
    """
    selection: list[Span] = []
    for span in spans:
        rivals = [rival for rival in selection if span.start < rival.end and rival.start < span.end]
        if not rivals or (nested and all(_inside(span, rival) or _inside(rival, span) for rival in rivals)):
            selection.append(span)
    return selection


def readable(spans: Sequence[Span], least: float = READABLE) -> list[Span]:
    """Of the spans that are indexed, those to show a person: the surest, none inside another.

    Example:
        >>> readable([Span(0, 10, 0.4), Span(4, 10, 0.45), Span(20, 26, 0.9), Span(30, 34, 0.1)])
        [Span(start=0, end=10, score=0.4), Span(start=20, end=26, score=0.9)]
    """
    groups: list[list[Span]] = []  # each apart from the next, for a long text has tens of thousands of mentions
    edge = -1
    for span in sorted(span for span in spans if span.score >= least):
        if span.start >= edge:
            groups.append([])
        groups[-1].append(span)
        edge = max(edge, span.end)
    best = [
        select(sorted(group, key=lambda span: span.score * (span.start - span.end)), nested=False) for group in groups
    ]
    return sorted(span for group in best for span in group)


def _inside(inner: Span, outer: Span) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end and inner[:2] != outer[:2]


def words_of(window: Window) -> np.ndarray:
    """Words of a window that lie wholly in it and have a token. (words, 4): start, end, first token, last token.

    A separator is a word if the model reads it as one, see `form_of`.
    """
    left, right = window.span
    spans = [match.span() for match in _WORD_OR_BREAK.finditer(window.text, left, right)]
    real = np.flatnonzero(window.offsets[:, 0] < window.offsets[:, 1])
    if not spans or not len(real):
        return np.zeros((0, 4), dtype=np.int64)
    words = np.asarray(spans, dtype=np.int64)  # (words, 2)
    # tokens are in order, so the first that ends after a word's start and the last that starts before its end cover it
    first = np.searchsorted(window.offsets[real, 1], words[:, 0], side="right")
    last = np.searchsorted(window.offsets[real, 0], words[:, 1], side="left") - 1
    keep = (first <= last) & (first < len(real))
    keep[keep] = np.bincount(first[keep])[first[keep]] <= WORDS_OF_TOKEN
    return np.column_stack([words[keep], real[first[keep]], real[last[keep]]])


def word_shapes(text: str, words: np.ndarray) -> np.ndarray:
    """How words look. (words, SHAPES) float32 in [0, 1]: case, digits, punctuation, place, quotes, case of the text."""
    starts, ends = words[:, 0].tolist(), words[:, 1].tolist()
    rows = b"".join(_look(text[start:end]) for start, end in zip(starts, ends, strict=True))
    looks = np.frombuffer(rows, dtype=np.float32).reshape(len(words), -1)
    letter, full_stop = looks[:, -2], looks[:, -1]
    capitals = (letter * looks[:, 0]).sum() / max(letter.sum(), 1)
    shapes = np.empty((len(looks), SHAPES), dtype=np.float32)
    shapes[:, :8] = looks[:, :8]
    shapes[:, 8] = np.append(1.0, full_stop[:-1])  # begins a sentence
    before = [_visible(text, start - 1, -1) for start in starts]
    shapes[:, 9] = [not letter.isspace() for letter in before]
    shapes[:, 10] = [not _visible(text, end, 1).isspace() for end in ends]
    shapes[:, 11] = [letter in OPENING for letter in before]
    shapes[:, 12] = capitals == 0
    shapes[:, 13] = capitals
    return shapes


def _visible(text: str, place: int, step: int) -> str:
    """The visible character at a place or beyond it; a space for emoji, and at the text's ends."""
    while 0 <= place < len(text):
        letter = text[place]
        if letter.isascii():
            return letter
        if not INVISIBLES.match(letter):
            return " " if _PICTURES.match(letter) else letter
        place += step
    return " "


@lru_cache(maxsize=1 << 16)
def _look(token: str) -> bytes:
    """How a word looks by itself, as float32; cached, because texts repeat words."""
    token = ";" if BREAK.match(token) else form_of(token).text
    punctuation = not (token[0].isalnum() or token[0] == "_")
    look = (
        token[0].isupper(),
        len(token) > 1 and token.isupper(),
        any(map(str.isdigit, token)),
        token.isdigit(),
        any(map(str.isupper, token[1:])) and not token.isupper(),
        punctuation,
        len(token) == 1,
        min(len(token), 12) / 12,
        token[0].isalpha(),
        punctuation and token in ".!?",
    )
    return np.array(look, dtype=np.float32).tobytes()


def gather(
    windows: Sequence[Window], words: Sequence[np.ndarray], states: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """States of the words' first and last tokens, (windows, words, size) each, and their shapes; padded with zeros."""
    width = max(*map(len, words), 1)
    index = torch.zeros(2, len(windows), width, dtype=torch.long)
    shapes = torch.zeros(len(windows), width, SHAPES, dtype=torch.float32)
    for row, (window, places) in enumerate(zip(windows, words, strict=True)):
        if len(places):
            index[:, row, : len(places)] = torch.from_numpy(places[:, 2:].T.copy())
            shapes[row, : len(places)] = torch.from_numpy(word_shapes(window.text, places))
    rows = torch.arange(len(windows), device=states.device)[:, None]
    index = index.to(states.device)
    return states[rows, index[0]], states[rows, index[1]], shapes.to(states.device)
