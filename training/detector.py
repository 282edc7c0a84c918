"""Train a mention detector on the hidden states that the model computes anyway."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import IterableDataset
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from modeling_nerret.detection import MentionProbe, gather, words_of
from modeling_nerret.encoding import BATCH_TOKENS
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.spans import Span
from modeling_nerret.windows import batches, make_windows, stack
from training.data import Annotated, read_annotated
from training.fitting import fit


@dataclass
class Words:
    """A text's words as the probe sees them, and its gold spans in words."""

    first: torch.Tensor  # (words, state_size) float16
    last: torch.Tensor  # (words, state_size) float16
    shapes: torch.Tensor  # (words, SHAPES)
    gold: list[tuple[int, int]]  # first word, number of further words


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


class WordBatches(IterableDataset):
    """An endless stream of batches of texts, each drawn as often as its set's weight says."""

    def __init__(self, sets: Sequence[Sequence[Words]], weights: Sequence[float], max_words: int, size: int, seed: int):
        self.sets, self.weights, self.max_words, self.size, self.seed = sets, weights, max_words, size, seed

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        """Batches `first`, `last` (b, words, state_size), `shapes`, and `gold` (b, words, max_words), -1 padding."""
        random = np.random.default_rng(self.seed)
        share = np.array(self.weights) / sum(self.weights)
        while True:
            chosen = random.choice(len(self.sets), self.size, p=share)
            yield self._stack([self._any(self.sets[at], random) for at in chosen.tolist()])

    @staticmethod
    def _any(texts: Sequence[Words], random: np.random.Generator) -> Words:
        return texts[int(random.integers(len(texts)))]

    def _stack(self, texts: Sequence[Words]) -> dict[str, torch.Tensor]:
        width = max(len(text.first) for text in texts)
        gold = torch.full((len(texts), width, self.max_words), -1.0)
        for row, text in enumerate(texts):
            words = len(text.first)
            extra = torch.arange(self.max_words)
            gold[row, :words] = torch.where(torch.arange(words)[:, None] + extra < words, 0.0, -1.0)
            for begin, further in text.gold:
                gold[row, begin, further] = 1.0
        padded = {
            name: nn.utils.rnn.pad_sequence([getattr(text, name).float() for text in texts], batch_first=True)
            for name in ("first", "last", "shapes")
        }
        return padded | {"gold": gold}


@torch.inference_mode()
def read_words(
    model: NerretModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[Annotated], max_words: int, name: str
) -> list[Words]:
    """The words of texts that have any, with states in half precision; only a text's first window is used."""
    windows = [w for w in make_windows(tokenizer, [t.text for t in texts], model.config.max_tokens) if w.number == 0]
    found: dict[int, Words] = {}
    progress = tqdm(total=len(windows), desc=f"hidden states of {name}", disable=None)
    for batch in batches(windows, BATCH_TOKENS):
        states = model.hidden_states(*stack(batch, model.device))
        words = [words_of(window) for window in batch]
        first, last, shapes = gather(batch, words, states)
        for row, (window, one) in enumerate(zip(batch, words, strict=True)):
            if len(one):
                gold = _gold(one, texts[window.owner].mentions, max_words)
                some = slice(0, len(one))
                states_of = [tensor[row, some].half().clone() for tensor in (first, last)]
                found[window.owner] = Words(states_of[0], states_of[1], shapes[row, some].clone(), gold)
        progress.update(len(batch))
    return [found[owner] for owner in sorted(found)]


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


def read_set(name: str, folder: Path) -> list[Annotated]:
    """The texts of a set of `folder`, or of the project's corpus."""
    if name != "corpus":
        return list(read_annotated(folder / f"{name}.jsonl"))
    home = Path(__file__).parent / "corpus"
    return [
        text for path in sorted(home.glob("*.jsonl")) if path.name != "types.jsonl" for text in read_annotated(path)
    ]


def train_detector(
    model: NerretModel,
    tokenizer: PreTrainedTokenizerBase,
    probe: MentionProbe,
    recipe: dict[str, Any],
    data: Path,
    folder: Path,
    seed: int,
) -> list[dict[str, Any]]:
    """Train a probe in place on a recipe's `[[detector.sets]]`; returns the Trainer's log."""
    width = probe.config.max_words
    sets = [read_words(model, tokenizer, read_set(one["name"], data), width, one["name"]) for one in recipe["sets"]]
    batches_ = WordBatches(sets, [one["weight"] for one in recipe["sets"]], width, recipe["texts"], seed)
    log = fit(DetectorTraining(probe), batches_, folder, recipe["steps"], recipe["rate"], seed)
    probe.eval()
    return log


def write_log(path: Path, log: list[dict[str, Any]]) -> None:
    """Keep a Trainer's log as JSON."""
    path.write_text(json.dumps(log, indent=2) + "\n", encoding="utf-8")
