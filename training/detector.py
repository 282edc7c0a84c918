"""Train a mention detector on the hidden states that the model computes anyway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from torch import nn

from modeling_nerret.detection import WORD, MentionProbe
from modeling_nerret.spans import Span
from .data import Annotated, Source, split
from .features import FeatureCache, WordStates
from .fitting import GOAL, Schedule, fit


@dataclass(frozen=True)
class Words:
    """A text's words, and spans of it in words: first word and number of further words.

    Args:
        states: its words.
        gold: mentions.
        unsure: spans that are neither mentions nor surely none, see `Names`.
    """

    states: WordStates
    gold: list[tuple[int, int]]
    unsure: list[tuple[int, int]]


class DetectorTraining(nn.Module):
    """A probe with its loss: every span of every text is a mention or is not."""

    def __init__(self, probe: MentionProbe):
        super().__init__()
        self.probe = probe

    def forward(
        self, first: torch.Tensor, last: torch.Tensor, shapes: torch.Tensor, gold: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Binary cross-entropy over the spans that exist, summed and divided by the number of gold spans."""
        logits = self.probe(first, last, shapes)  # (batch, words, max_words)
        exists = torch.isfinite(logits) & (gold >= 0)
        losses = nn.functional.binary_cross_entropy_with_logits(logits[exists], gold[exists], reduction="sum")
        return {"loss": losses / (gold == 1).sum().clamp(min=1)}


class WordBatches:
    """Batches of texts, each drawn as often as its set's weight says; batch n depends on seed and n."""

    def __init__(self, sets: Sequence[Sequence[Words]], weights: Sequence[float], max_words: int, size: int, seed: int):
        self.sets, self.max_words, self.size, self.seed = sets, max_words, size, seed
        self.share = np.array(weights) / sum(weights)

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        """`first`, `last` (b, words, state_size), `shapes`, `gold` (b, words, max_words), -1 for padding and unsure."""
        random = np.random.default_rng((self.seed, number))
        chosen = random.choice(len(self.sets), self.size, p=self.share)
        return stack_words([self._any(self.sets[at], random) for at in chosen.tolist()], self.max_words)

    @staticmethod
    def _any(texts: Sequence[Words], random: np.random.Generator) -> Words:
        return texts[int(random.integers(len(texts)))]


def stack_words(texts: Sequence[Words], max_words: int) -> dict[str, torch.Tensor]:
    """A batch of texts, as `WordBatches` gives it."""
    width = max(len(text.states.places) for text in texts)
    gold = torch.full((len(texts), width, max_words), -1.0)
    for row, text in enumerate(texts):
        words = len(text.states.places)
        extra = torch.arange(max_words)
        gold[row, :words] = torch.where(torch.arange(words)[:, None] + extra < words, 0.0, -1.0)
        for begin, further in text.unsure:
            gold[row, begin, further] = -1.0
        for begin, further in text.gold:
            gold[row, begin, further] = 1.0
    padded = {
        name: nn.utils.rnn.pad_sequence(
            [torch.from_numpy(getattr(text.states, name).astype(np.float32)) for text in texts], batch_first=True
        )
        for name in ("first", "last", "shapes")
    }
    return padded | {"gold": gold}


class Names:
    """Names that are marked in some texts and not in others, such as "mathematics".

    Annotators differ, and tire. An unmarked span that is marked elsewhere, in at least `LEAST` of its occurrences, is
    therefore no evidence that it is no mention. One inside a longer mention is: "England" in "Bank of England".
    """

    LEAST = 0.2

    def __init__(self, sets: Iterable[Sequence[Annotated]]):
        texts = [text for own in sets for text in own]
        marked = Counter(text.text[span.start : span.end].lower() for text in texts for span in text.mentions)
        self.longest = min(max((len(name.split()) for name in marked), default=0), 6)  # words
        self.names = set(marked)
        seen: Counter[str] = Counter()
        for text in texts:
            words = np.array([match.span() for match in WORD.finditer(text.text)]).reshape(-1, 2)
            seen.update(name for _, _, name in self._occurring(text, words))
        self.names = {name for name, count in marked.items() if count >= self.LEAST * seen[name]}

    def unsure(self, text: Annotated, words: np.ndarray) -> list[tuple[int, int]]:
        """Spans of these names that lie in no mention of the text; `words` is (words, 2 or more), their characters."""
        return [(begin, further) for begin, further, _ in self._occurring(text, words, marked=False)]

    def _occurring(self, text: Annotated, words: np.ndarray, marked: bool = True) -> Iterator[tuple[int, int, str]]:
        """First word, number of further words and name of each occurrence, those inside a mention only if `marked`."""
        for begin in range(len(words)):
            start = int(words[begin, 0])
            for further in range(min(self.longest, len(words) - begin)):
                end = int(words[begin + further, 1])
                name = text.text[start:end].lower()
                if name not in self.names:
                    continue
                if marked or not any(mention.start <= start and end <= mention.end for mention in text.mentions):
                    yield begin, further, name


def read_words(
    cache: FeatureCache, texts: Sequence[Annotated], max_words: int, name: str, names: Names | None = None
) -> list[Words]:
    """The words of texts that have any; without `names` nothing is unsure."""
    found = []
    for states in cache.words(texts, name):
        text = texts[states.owner]
        unsure = names.unsure(text, states.places) if names else []
        unsure = [span for span in unsure if span[1] < max_words]
        found.append(Words(states, _gold(states.places, text.mentions, max_words), unsure))
    return found


def _gold(words: np.ndarray, mentions: dict[Span, Any] | Sequence[Span], max_words: int) -> list[tuple[int, int]]:
    """Mentions as first word and number of further words, those left out that no run of whole words makes."""
    starts = {int(start): at for at, start in enumerate(words[:, 0])}
    ends = {int(end): at for at, end in enumerate(words[:, 1])}
    found = []
    for span in mentions:
        begin, last = starts.get(span.start), ends.get(span.end)
        if begin is not None and last is not None and 0 <= last - begin < max_words:
            found.append((begin, last - begin))
    return found


@torch.inference_mode()
def measure_probe(probe: MentionProbe, texts: Sequence[Words], size: int = 32) -> dict[str, float]:
    """Precision, recall and F1 (`goal`) of exact spans, recall with overlap, and the loss.

    Spans are those that the probe proposes at its threshold; gold mentions that no whole words make are not counted.
    """
    training, device = probe.training, next(probe.parameters()).device
    module = DetectorTraining(probe).eval()
    losses, right, touched, proposed, gold = [], 0, 0, 0, 0
    for at in range(0, len(texts), size):
        some = texts[at : at + size]
        batch = {name: one.to(device) for name, one in stack_words(some, probe.config.max_words).items()}
        losses.append(float(module(**batch)["loss"]))
        scores = probe(batch["first"], batch["last"], batch["shapes"]).sigmoid().cpu().numpy()
        for row, text in enumerate(some):
            found = {span[:2] for span in probe.choose(scores[row, : len(text.states.places)])}
            own = {(begin, begin + further + 1) for begin, further in text.gold}
            right += len(own & found)
            touched += sum(any(left < end and start < to for left, to in found) for start, end in own)
            proposed, gold = proposed + len(found), gold + len(own)
    probe.train(training)
    precision, recall = right / max(proposed, 1), right / max(gold, 1)
    return {
        "precision": precision,
        "recall": recall,
        "recall_overlap": touched / max(gold, 1),
        "proposals_per_mention": proposed / max(gold, 1),
        "loss": sum(losses) / max(len(losses), 1),
        GOAL: 2 * precision * recall / max(precision + recall, 1e-9),
    }


def train_detector(
    probe: MentionProbe,
    sources: Sequence[Source],
    cache: FeatureCache,
    recipe: dict[str, Any],
    folder: Path,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Train a probe in place; returns the Trainer's log and what was read and held out."""
    width = probe.config.max_words
    kept, held, facts = [], [], []
    names = Names(source.texts for source in sources)
    for source in sources:
        rest, apart = split(source.texts, recipe["held_out"]["texts"], seed=0)
        with PartialState().main_process_first():  # the others find the states in the cache
            kept.append(read_words(cache, rest, width, source.name, names))
            held += read_words(cache, apart, width, f"{source.name}, held out")
        mentions = sum(len(text.gold) for text in kept[-1])
        whole = sum(len(text.mentions) for text in rest)
        facts.append({"name": source.name, "weight": source.weight, "texts": len(rest), "mentions": mentions})
        facts[-1] |= {"lost": whole - mentions, "held_out_texts": len(apart)}
    batches_ = WordBatches(
        kept, [source.weight for source in sources], width, recipe["detector"]["texts"], recipe["seed"]
    )
    before = measure_probe(probe, held) if held else {}
    measure = (lambda: measure_probe(probe, held)) if held else None
    log = fit(DetectorTraining(probe), batches_, folder, Schedule.of(recipe, "detector"), measure)
    probe.eval()
    return log, {"sets": facts, "before": before, "after": measure_probe(probe, held) if held else {}}
