"""Batches of texts as words, for the detector: every span of words is a name (or phrase), is none, or is unsure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from modeling_nerret.detection import ProbeConfig
from modeling_nerret.forms import WORD
from modeling_nerret.spans import Span

from ..data.annotated import Annotated
from ..data.source import Source
from .base import Batch, Batches
from .features import FeatureCache, WordStates


@dataclass(frozen=True)
class Words:
    """A text's words, and spans of it in words: first word and number of further words.

    Args:
        states: its words.
        gold: mentions.
        unsure: spans that may be mentions or not, see `Names`.
        kind: the kind that the mentions are of, 0 for names and 1 for phrases; of the other kind nothing is known.
    """

    states: WordStates
    gold: list[tuple[int, int]]
    unsure: list[tuple[int, int]]
    kind: int = 0


class WordBatches(Batches):
    """Texts as words, each drawn from a set by the sets' weights.

    Args:
        sets: the texts of each set.
        weights: the sets' weights.
        probe: sizes of the detector: longest span in words, and number of kinds.
        size: texts per batch.
        seed: of all draws.
    """

    def __init__(
        self, sets: Sequence[Sequence[Words]], weights: Sequence[float], probe: ProbeConfig, size: int, seed: int
    ):
        super().__init__(weights, seed)
        self.sets, self.probe, self.size = sets, probe, size

    def draw(self, number: int, random: np.random.Generator) -> Batch:
        """See `stack_words`."""
        chosen_sets = [self.sets[place] for place in random.choice(len(self.sets), self.size, p=self.shares).tolist()]
        return stack_words([texts[int(random.integers(len(texts)))] for texts in chosen_sets], self.probe)


def stack_words(texts: Sequence[Words], probe: ProbeConfig) -> Batch:
    """`first`, `last` (b, words, state_size), `shapes` (b, words, SHAPES) and `gold` (b, kinds, words, max_words).

    `gold` is 1 for mentions, 0 for other spans, and -1 for padding, unsure spans and kinds of which nothing is known.
    """
    width = max(len(text.states.places) for text in texts)
    gold = torch.full((len(texts), probe.kinds, width, probe.max_words), -1.0)
    for row, text in enumerate(texts):
        words, extra = len(text.states.places), torch.arange(probe.max_words)
        plane = gold[row, text.kind]  # (words, max_words)
        plane[:words] = torch.where(torch.arange(words)[:, None] + extra < words, 0.0, -1.0)
        for begin, further in text.unsure:
            plane[begin, further] = -1.0
        for begin, further in text.gold:
            plane[begin, further] = 1.0
    tensors = {
        name: nn.utils.rnn.pad_sequence(
            [torch.from_numpy(getattr(text.states, name).astype(np.float32)) for text in texts], batch_first=True
        )
        for name in ("first", "last", "shapes")
    }
    return tensors | {"gold": gold}


class Names:
    """Names that are marked in some texts and not in others, such as "mathematics".

    Annotators differ, and tire. A name that is marked in at least `LEAST` of its occurrences may also be a mention
    where it is not marked, so that these spans are unsure. A part of a longer mention is none: "England" in "Bank of
    England".
    """

    LEAST = 0.2

    def __init__(self, sets: Iterable[Sequence[Annotated]]):
        texts = [text for group in sets for text in group]
        marks = Counter(text.text[span.start : span.end].lower() for text in texts for span in text.mentions)
        self.longest = min(max((len(name.split()) for name in marks), default=0), 6)  # words
        self.names = set(marks)
        occurrences: Counter[str] = Counter()
        for text in texts:
            words = np.array([match.span() for match in WORD.finditer(text.text)]).reshape(-1, 2)
            occurrences.update(name for _, _, name in self._occurrences(text, words))
        self.names = {name for name, count in marks.items() if count >= self.LEAST * occurrences[name]}

    def unsure(self, text: Annotated, words: np.ndarray) -> list[tuple[int, int]]:
        """Spans of these names that lie in no mention of the text; `words` is (words, 2 or more), their characters."""
        return [(begin, further) for begin, further, _ in self._occurrences(text, words, in_mentions=False)]

    def _occurrences(
        self, text: Annotated, words: np.ndarray, in_mentions: bool = True
    ) -> Iterator[tuple[int, int, str]]:
        """First word, number of further words and name of each occurrence; of those in mentions if `in_mentions`."""
        for begin in range(len(words)):
            start = int(words[begin, 0])
            for further in range(min(self.longest, len(words) - begin)):
                end = int(words[begin + further, 1])
                name = text.text[start:end].lower()
                if name not in self.names:
                    continue
                if in_mentions or not any(mention.start <= start and end <= mention.end for mention in text.mentions):
                    yield begin, further, name


def read_words(
    cache: FeatureCache,
    texts: Sequence[Annotated],
    max_words: int,
    source: Source,
    names: Names | None = None,
    title: str = "",
) -> list[Words]:
    """The words of some of a source's texts, of those that have any.

    Of a source of names, what is unsure is said by `names`, if given; of a source of phrases, by mentions without type.
    """
    texts_as_words = []
    for states in cache.words(texts, title or source.name):
        text = texts[states.owner]
        gold, doubts = split_mentions(source, text)
        unsure = _in_words(states.places, doubts, max_words)
        if source.has_names and names:
            unsure = [span for span in names.unsure(text, states.places) if span[1] < max_words]
        kind = 0 if source.has_names else 1
        texts_as_words.append(Words(states, _in_words(states.places, gold, max_words), unsure, kind))
    return texts_as_words


def split_mentions(source: Source, text: Annotated) -> tuple[list[Span], list[Span]]:
    """What the detector should find in a text of a source, and what may be such a mention or not."""
    doubts = [] if source.has_names else [span for span, types in text.mentions.items() if not types]
    return [span for span in text.mentions if span not in doubts], doubts


def _in_words(words: np.ndarray, mentions: Iterable[Span], max_words: int) -> list[tuple[int, int]]:
    """Mentions as first word and number of further words, without those that are not a run of whole words."""
    starts = {int(start): number for number, start in enumerate(words[:, 0])}
    ends = {int(end): number for number, end in enumerate(words[:, 1])}
    spans = []
    for mention in mentions:
        begin, last = starts.get(mention.start), ends.get(mention.end)
        if begin is not None and last is not None and 0 <= last - begin < max_words:
            spans.append((begin, last - begin))
    return spans
