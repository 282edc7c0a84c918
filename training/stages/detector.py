"""The third stage: train a mention detector on the hidden states that the model computes anyway."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from torch import nn

from modeling_nerret.detection import NAME, MentionProbe, ProbeConfig

from ..batches.features import FeatureCache
from ..batches.words import Names, WordBatches, Words, read_words, split_mentions, stack_words
from ..data.source import Source
from .fitting import GOAL, Log, Schedule, fit
from .holdout import split_texts
from .stage import RunState, Stage


class DetectorLoss(nn.Module):
    """A probe with its loss: every span of every text is a mention or is not."""

    def __init__(self, probe: MentionProbe):
        super().__init__()
        self.probe = probe

    def forward(
        self, first: torch.Tensor, last: torch.Tensor, shapes: torch.Tensor, gold: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Loss of a batch of `WordBatches`: binary cross-entropy over its spans, divided by the number of mentions."""
        logits = self.probe(first, last, shapes)  # (batch, kinds, words, max_words)
        exists = torch.isfinite(logits) & (gold >= 0)
        losses = nn.functional.binary_cross_entropy_with_logits(logits[exists], gold[exists], reduction="sum")
        return {"loss": losses / (gold == 1).sum().clamp(min=1)}


@torch.inference_mode()
def measure_probe(probe: MentionProbe, texts: Sequence[Words], size: int = 32) -> dict[str, float]:
    """Precision, recall and F1 (`goal`) of exact spans, recall with overlap, and the loss.

    The spans are those that the probe proposes as what the texts have marked, names or phrases. Mentions that are not a
    run of whole words do not count.
    """
    training, device = probe.training, next(probe.parameters()).device
    loss = DetectorLoss(probe).eval()
    losses, exact, overlaps, proposals, mentions = [], 0, 0, 0, 0
    for begin in range(0, len(texts), size):
        group = texts[begin : begin + size]
        batch = {name: tensor.to(device) for name, tensor in stack_words(group, probe.config).items()}
        losses.append(float(loss(**batch)["loss"]))
        chances = probe(batch["first"], batch["last"], batch["shapes"]).sigmoid().cpu().numpy()
        for row, text in enumerate(group):
            proposed_spans = probe.choose(chances[row, :, : len(text.states.places)])
            spans = {span[:2] for span in proposed_spans if (span.score > NAME) == (text.kind == 0)}
            gold = {(first, first + further + 1) for first, further in text.gold}
            exact += len(gold & spans)
            overlaps += sum(any(left < end and start < right for left, right in spans) for start, end in gold)
            proposals, mentions = proposals + len(spans), mentions + len(gold)
    probe.train(training)
    precision, recall = exact / max(proposals, 1), exact / max(mentions, 1)
    return {
        "precision": precision,
        "recall": recall,
        "recall_overlap": overlaps / max(mentions, 1),
        "proposals_per_mention": proposals / max(mentions, 1),
        "loss": sum(losses) / max(len(losses), 1),
        GOAL: 2 * precision * recall / max(precision + recall, 1e-9),
    }


class DetectorStage(Stage):
    """Trains the run's detector, or a new one."""

    name = "detector"

    def __init__(self, state: RunState):
        super().__init__(state)
        torch.manual_seed(state.recipe.seed)
        size = state.model.backbone.config.hidden_size
        reads_phrases = any(entry.name == "phrases" for entry in state.recipe.detector.sets)
        self.probe = state.detector or MentionProbe(ProbeConfig(size, **state.recipe.probe))
        if reads_phrases and not self.probe.config.phrases:  # a new probe has been checked with its recipe
            raise ValueError(
                f"detector.sets has 'phrases', but the detector of init = {state.recipe.init!r} finds only names; "
                "remove the set, or start from a checkpoint without a detector"
            )
        state.detector = self.probe.to(state.model.device)
        self.sources: Sequence[Source] = ()
        self.texts: list[list[Words]] = []  # of each source
        self.held_out: list[Words] = []

    def prepare(self, sources: Sequence[Source]) -> dict[str, Any]:
        """See `Stage`."""
        self.sources = sources
        cache = FeatureCache(self.state.model, self.state.tokenizer, self.state.cache)
        names = Names(source.texts for source in sources if source.has_names)
        return {"sets": [self._prepare_source(source, cache, names) for source in sources]}

    def _prepare_source(self, source: Source, cache: FeatureCache, names: Names) -> dict[str, Any]:
        width = self.probe.config.max_words
        rest, held_out = split_texts(source.texts, self.state.recipe.held_out.texts)
        with PartialState().main_process_first():  # the other processes read its states from the cache
            texts = read_words(cache, rest, width, source, names)
            if source.has_names:
                self.held_out += read_words(cache, held_out, width, source, title=f"{source.name}, held out")
        self.texts.append(texts)
        mentions = sum(len(text.gold) for text in texts)
        marks = sum(len(split_mentions(source, text)[0]) for text in rest)
        return {
            "name": source.name,
            "weight": source.weight,
            "texts": len(rest),
            "mentions": mentions,
            "lost": marks - mentions,
            "held_out_texts": len(held_out),
        }

    def measure(self) -> dict[str, float]:
        """See `measure_probe`."""
        return measure_probe(self.probe, self.held_out) if self.held_out else {}

    def train(self, folder: Path) -> Log:
        """See `Stage`."""
        recipe = self.state.recipe
        weights = [source.weight for source in self.sources]
        batches = WordBatches(self.texts, weights, self.probe.config, recipe.detector.texts, recipe.seed)
        schedule = Schedule.of(recipe, recipe.detector)
        log = fit(DetectorLoss(self.probe), batches, folder, schedule, self.measure if self.held_out else None)
        self.probe.eval()
        return log
