"""The first stage: train the head on cached value vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from torch import nn

from modeling_nerret.modeling_nerret import NerretHead

from ..batches.base import Batches
from ..batches.features import FeatureCache
from ..batches.pool import Pool, load_pool
from ..batches.triplets import TripletBatches, hard_rows, limit_instances
from ..batches.types import TypeBatches
from ..data.source import Source
from ..recipes import HeadSection, HeldOutSection
from .fitting import Log, Schedule, fit
from .holdout import choose_held_out, measure_ranking, nothing_left, sample, with_goal
from .losses import hardest, info_nce, mention_contrast, triplet
from .stage import RunState, Stage


class HeadLoss(nn.Module):
    """A head with its loss: the mean over all sizes to which its vectors may be cut."""

    def __init__(self, head: NerretHead, section: HeadSection):
        super().__init__()
        self.head, self.section = head, section
        width = int(head[-1].out_features)  # type: ignore[arg-type]
        for size in section.matryoshka:
            if not 0 < size < width:
                raise ValueError(f"head.matryoshka has {size!r}; sizes are whole numbers between 0 and {width}")
        self.sizes = [*section.matryoshka, width]

    def mean_over_sizes(
        self, loss: Callable[..., torch.Tensor], *values: torch.Tensor, **arguments: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The mean loss over all sizes; `values` are value vectors (n, value_size), which become unit vectors."""
        vectors = [self.head(rows) for rows in values]  # (n, width) each
        losses = [
            loss(*(nn.functional.normalize(rows[:, :size], dim=-1) for rows in vectors), **arguments)
            for size in self.sizes
        ]
        return {"loss": torch.stack(losses).mean()}


class ContrastLoss(HeadLoss):
    """Types against mentions in both directions, and mentions against mentions if the recipe gives that a weight."""

    def forward(
        self, types: torch.Tensor, mentions: torch.Tensor, matches: torch.Tensor, neutral: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Loss of a batch of `TypeBatches`."""
        return self.mean_over_sizes(self._loss, types, mentions, matches=matches, neutral=neutral)

    def _loss(
        self, types: torch.Tensor, mentions: torch.Tensor, matches: torch.Tensor, neutral: torch.Tensor
    ) -> torch.Tensor:
        temperature, weight = self.section.temperature, self.section.mention_weight
        loss = info_nce(types, mentions, matches, temperature, neutral if self.section.mask_related else None)
        return loss + weight * mention_contrast(mentions, matches, temperature) if weight else loss


class TripletLoss(HeadLoss):
    """The paper's triplets, and those with the batch's hardest negative, weighted by the step."""

    def forward(
        self, type: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor, number: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Loss of a batch of `TripletBatches`."""
        return self.mean_over_sizes(self._loss, type, positives, negatives, number=number)

    def _loss(
        self, type: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor, number: torch.Tensor
    ) -> torch.Tensor:
        anchor, margin = type.expand_as(positives), self.section.margin
        loss = triplet(anchor, positives, negatives, margin)
        first, last = self.section.hardest
        if not (first or last):
            return loss
        weight = first + (last - first) * number[0] / max(self.section.steps - 1, 1)
        return loss + weight * triplet(anchor, positives, hardest(anchor, negatives), margin)


LOSSES: dict[str, type[HeadLoss]] = {"info_nce": ContrastLoss, "triplet": TripletLoss}  # by head.objective


@dataclass(frozen=True)
class HeldOutVectors:
    """Value vectors of types and mentions that are held out.

    Args:
        types: (types, value_size), of each type's plain name.
        mentions: (mentions, value_size).
        matches: (types, mentions); every type has a mention, a mention may have no type.
    """

    types: torch.Tensor
    mentions: torch.Tensor
    matches: torch.Tensor


def hold_out_mentions(pool: Pool, source: Source, shares: HeldOutSection) -> tuple[Pool, dict[str, HeldOutVectors]]:
    """A source's pool without its held-out mentions, and these.

    Args:
        pool: all mentions.
        source: the source that they come from.
        shares: as in `holdout.choose_held_out`.

    Returns:
        The rest, and `types` (held-out types among all held-out mentions) and `entities` (the other types among the
        mentions of held-out names), if there are any.
    """
    held_out, plain_names = choose_held_out(source, shares), list(source.wordings)
    names = [
        source.texts[owner].text[span.start : span.end]
        for owner, span in zip(pool.owners.tolist(), pool.spans, strict=True)
    ]
    has_name = np.array([held_out.has_name(name) for name in names], dtype=bool)
    types = {number for number in pool.types.tolist() if plain_names[number] in held_out.types}
    is_held_out = has_name | np.array([not types.isdisjoint(labels) for labels in pool.labels], dtype=bool)
    rest = [frozenset() if skip else labels for labels, skip in zip(pool.labels, is_held_out, strict=True)]
    groups = {
        "types": _vectors(pool, np.flatnonzero(is_held_out), types),
        "entities": _vectors(pool, np.flatnonzero(has_name), set(pool.types.tolist()) - types),
    }
    return replace(pool, labels=rest), {kind: vectors for kind, vectors in groups.items() if vectors is not None}


def _vectors(pool: Pool, rows: np.ndarray, types: set[int]) -> HeldOutVectors | None:
    queries, candidates, matches = sample(pool.labels, rows.tolist(), types)
    if not queries:
        return None
    return HeldOutVectors(
        torch.from_numpy(np.concatenate([pool.names(name) for name in queries]).astype(np.float32)),
        torch.from_numpy(np.asarray(pool.mentions[candidates], dtype=np.float32)),
        matches,
    )


class HeadStage(Stage):
    """Trains the model's head on value vectors, which the cache computes once."""

    name = "head"

    def __init__(self, state: RunState):
        super().__init__(state)
        self.section = state.recipe.head
        self.loss = LOSSES[self.section.objective](state.model.head, self.section)
        self.sources: Sequence[Source] = ()
        self.pools: list[Pool] = []
        self.held_out: dict[str, HeldOutVectors] = {}  # by `SOURCE types` and `SOURCE entities`

    def prepare(self, sources: Sequence[Source]) -> dict[str, Any]:
        """See `Stage`."""
        self.sources = sources
        cache = FeatureCache(self.state.model, self.state.tokenizer, self.state.cache)
        with PartialState().main_process_first():  # the other processes read its vectors from the cache
            for source in sources:
                pool, groups = hold_out_mentions(load_pool(source, cache), source, self.state.recipe.held_out)
                if not len(pool.types):
                    raise nothing_left(source.name)
                self.pools.append(pool)
                self.held_out |= {f"{source.name} {kind}": vectors for kind, vectors in groups.items()}
        return {
            "sets": [_describe(pool, source) for pool, source in zip(self.pools, sources, strict=True)],
            "held_out": {
                name: {"types": len(vectors.types), "mentions": len(vectors.mentions)}
                for name, vectors in self.held_out.items()
            },
        }

    @torch.inference_mode()
    def measure(self) -> dict[str, float]:
        """Numbers of every held-out set, and their mean R-Precision as `goal`."""
        head = self.state.model.head
        training = head.training
        head.eval()
        device = next(head.parameters()).device

        def embed(values: torch.Tensor) -> torch.Tensor:
            return nn.functional.normalize(head(values.to(device)), dim=-1).float().cpu()

        temperature = self.section.temperature
        measurements = {
            name: measure_ranking(embed(group.types), embed(group.mentions), group.matches, temperature)
            for name, group in self.held_out.items()
        }
        head.train(training)
        return with_goal(measurements) if measurements else {}

    def train(self, folder: Path) -> Log:
        """See `Stage`."""
        schedule = Schedule.of(self.state.recipe, self.section)
        log = fit(self.loss, self._batches(), folder, schedule, self.measure if self.held_out else None)
        self.state.model.head.eval()
        return log

    def _batches(self) -> Batches:
        """The batches of the recipe's objective."""
        section, seed = self.section, self.state.recipe.seed
        if section.objective == "info_nce":
            return TypeBatches(self.pools, section, seed)
        hard = [
            hard_rows(pool, source.texts, list(source.wordings), section.hard_sentences) if section.hard else {}
            for pool, source in zip(self.pools, self.sources, strict=True)
        ]
        pools = [limit_instances(pool, section.instances, seed) for pool in self.pools]
        return TripletBatches(pools, hard, section, seed)


def _describe(pool: Pool, source: Source) -> dict[str, Any]:
    """How much of a source is trained on."""
    return {
        "name": source.name,
        "weight": source.weight,
        "texts": len(source.texts),
        "mentions": len(pool.typed_rows),
        "types": len(pool.types),
        "lost": pool.unmapped,
        "held_out_mentions": len(pool.labels) - len(pool.typed_rows),
    }
