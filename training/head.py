"""Train a head on cached value vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from torch import nn

from modeling_nerret.modeling_nerret import NerretHead, NerretModel
from .data import Source
from .features import FeatureCache
from .fitting import Batches, Schedule, fit
from .holdout import choose, measure, nothing_left, sample, shares_of, with_goal
from .losses import hardest, info_nce, mention_contrast, triplet
from .sampling import Pool, TypeBatches, load_pool
from .triplets import TripletBatches, hard_rows, limit_instances

Log = list[dict[str, Any]]


class HeadTraining(nn.Module):
    """A head with its loss, as the Trainer wants it; the mean over all sizes that its vectors may be cut to."""

    def __init__(self, head: NerretHead, recipe: dict[str, Any]):
        super().__init__()
        self.head, self.recipe = head, recipe
        width = head[-1].out_features
        for size in recipe["matryoshka"]:
            if not 0 < size < width:
                raise ValueError(f"head.matryoshka has {size!r}; sizes are whole numbers between 0 and {width}")
        self.sizes = [*recipe["matryoshka"], width]

    def mean_over_sizes(
        self, loss: Callable[..., torch.Tensor], *values: torch.Tensor, **others: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """The mean loss of value vectors (n, value_size) each, once they are vectors of length 1 of each size."""
        vectors = [self.head(one) for one in values]  # (n, width) each
        losses = [
            loss(*(nn.functional.normalize(one[:, :size], dim=-1) for one in vectors), **others) for size in self.sizes
        ]
        return {"loss": torch.stack(losses).mean()}


class Contrastive(HeadTraining):
    """Types against mentions in both directions, and mentions against mentions where the recipe gives it a weight."""

    def forward(
        self, types: torch.Tensor, mentions: torch.Tensor, matches: torch.Tensor, ignored: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Loss of a batch of `TypeBatches`."""
        return self.mean_over_sizes(self._loss, types, mentions, matches=matches, ignored=ignored)

    def _loss(
        self, types: torch.Tensor, mentions: torch.Tensor, matches: torch.Tensor, ignored: torch.Tensor
    ) -> torch.Tensor:
        temperature, weight = self.recipe["temperature"], self.recipe["mention_weight"]
        found = info_nce(types, mentions, matches, temperature, ignored if self.recipe["mask_related"] else None)
        return found + weight * mention_contrast(mentions, matches, temperature) if weight else found


class Triplets(HeadTraining):
    """The paper's triplets, and that of the batch's hardest negative by the weight of the step."""

    def forward(
        self, type: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor, number: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Loss of a batch of `TripletBatches`."""
        return self.mean_over_sizes(self._loss, type, positives, negatives, number=number)

    def _loss(
        self, type: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor, number: torch.Tensor
    ) -> torch.Tensor:
        anchor, margin = type.expand_as(positives), self.recipe["margin"]
        found = triplet(anchor, positives, negatives, margin)
        first, last = self.recipe["hardest"]
        if not (first or last):
            return found
        weight = first + (last - first) * number[0] / max(self.recipe["steps"] - 1, 1)
        return found + weight * triplet(anchor, positives, hardest(anchor, negatives), margin)


@dataclass(frozen=True)
class HeldOut:
    """Value vectors of types and mentions that were not trained on.

    Args:
        types: (types, value_size), of each type's plain name.
        mentions: (mentions, value_size).
        matches: (types, mentions); every type has a mention, a mention may have no type.
    """

    types: torch.Tensor
    mentions: torch.Tensor
    matches: torch.Tensor


def hold_out(pool: Pool, source: Source, types: float, entities: float) -> tuple[Pool, dict[str, HeldOut]]:
    """What of a source's pool is left for training, and what is held out.

    Args:
        pool: all of it.
        source: where it comes from.
        types: share of types, as in `training.holdout.choose`.
        entities: share of names.

    Returns:
        The rest, and `types` (held-out types among all held-out mentions) and `entities` (the other types among the
        mentions of held-out names), as far as there are any.
    """
    apart, plain = choose(source, types, entities), list(source.wordings)
    names = [
        source.texts[owner].text[span.start : span.end]
        for owner, span in zip(pool.owners.tolist(), pool.spans, strict=True)
    ]
    named = np.array([apart.has_name(name) for name in names], dtype=bool)
    unseen = {number for number in pool.types.tolist() if plain[number] in apart.types}
    out = named | np.array([not unseen.isdisjoint(own) for own in pool.labels], dtype=bool)
    kept = [frozenset() if gone else own for own, gone in zip(pool.labels, out, strict=True)]
    held = {
        "types": _held(pool, np.flatnonzero(out), unseen),
        "entities": _held(pool, np.flatnonzero(named), set(pool.types.tolist()) - unseen),
    }
    return replace(pool, labels=kept), {kind: one for kind, one in held.items() if one is not None}


def _held(pool: Pool, rows: np.ndarray, types: set[int]) -> HeldOut | None:
    asked, some, matches = sample(pool.labels, rows.tolist(), types)
    if not asked:
        return None
    return HeldOut(
        torch.from_numpy(np.asarray(pool.phrases[[pool.wordings[name][0] for name in asked]], dtype=np.float32)),
        torch.from_numpy(np.asarray(pool.mentions[some], dtype=np.float32)),
        matches,
    )


def prepare(
    sources: Sequence[Source], cache: FeatureCache, recipe: dict[str, Any]
) -> tuple[list[Pool], dict[str, HeldOut]]:
    """Pools for training, and what is held out of each, by `SOURCE types` and `SOURCE entities`."""
    pools: list[Pool] = []
    held: dict[str, HeldOut] = {}
    for source in sources:
        pool, apart = hold_out(load_pool(source, cache), source, **shares_of(recipe))
        if not len(pool.types):
            raise nothing_left(source.name)
        pools.append(pool)
        held |= {f"{source.name} {kind}": one for kind, one in apart.items()}
    return pools, held


def batches_of(pools: Sequence[Pool], sources: Sequence[Source], recipe: dict[str, Any]) -> Batches:
    """The batches that the recipe's objective is trained on."""
    own, seed = recipe["head"], recipe["seed"]
    if own["objective"] == "info_nce":
        return TypeBatches(pools, own["types"], own["per_type"], own["balance"], seed)
    hard = [
        hard_rows(pool, source.texts, list(source.wordings), own["hard_sentences"]) if own["hard"] else {}
        for pool, source in zip(pools, sources, strict=True)
    ]
    limited = [limit_instances(pool, own["instances"], seed) for pool in pools]
    return TripletBatches(limited, hard, own["batch"], own["hard"], seed)


@torch.inference_mode()
def measure_all(model: NerretModel, held: dict[str, HeldOut], temperature: float) -> dict[str, float]:
    """Numbers of every held-out set, and their mean R-Precision as `goal`."""
    training = model.head.training
    model.head.eval()
    device = next(model.head.parameters()).device

    def embed(values: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(model.head(values.to(device)), dim=-1).float().cpu()

    found = {
        name: measure(embed(one.types), embed(one.mentions), one.matches, temperature) for name, one in held.items()
    }
    model.head.train(training)
    return with_goal(found)


def train_head(
    model: NerretModel, sources: Sequence[Source], cache: FeatureCache, recipe: dict[str, Any], folder: Path
) -> tuple[Log, dict[str, Any]]:
    """Train the model's head in place; returns the Trainer's log and what was read and held out."""
    with PartialState().main_process_first():  # the others find its vectors in the cache
        pools, held = prepare(sources, cache, recipe)
    temperature = recipe["head"]["temperature"]
    facts: dict[str, Any] = {
        "sets": [describe(pool, source) for pool, source in zip(pools, sources, strict=True)],
        "held_out": {name: {"types": len(one.types), "mentions": len(one.mentions)} for name, one in held.items()},
        "before": measure_all(model, held, temperature) if held else {},
    }
    module = {"info_nce": Contrastive, "triplet": Triplets}[recipe["head"]["objective"]](model.head, recipe["head"])
    log = fit(
        module,
        batches_of(pools, sources, recipe),
        folder,
        Schedule.of(recipe, "head"),
        (lambda: measure_all(model, held, temperature)) if held else None,
    )
    model.head.eval()
    return log, facts | {"after": measure_all(model, held, temperature) if held else {}}


def describe(pool: Pool, source: Source) -> dict[str, Any]:
    """How much of a source is trained on."""
    return {
        "name": source.name,
        "weight": source.weight,
        "texts": len(source.texts),
        "mentions": len(pool.labelled),
        "types": len(pool.types),
        "lost": pool.lost,
        "held_out_mentions": len(pool.labels) - len(pool.labelled),
    }
