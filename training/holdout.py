"""What is kept out of training, and how well its types are retrieved."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from training.losses import info_nce
from training.sampling import Pool

QUERIES, CANDIDATES = 512, 8192  # of a held-out set; the rest is left out of measurements, not given to training
FEWEST = 5  # mentions of a type that may be held out


@dataclass(frozen=True)
class HeldOut:
    """Types and mentions that were not trained on.

    Args:
        types: (types, value_size), of each type's plain name.
        mentions: (mentions, value_size).
        matches: (types, mentions); every type has a mention, a mention may have no type.
    """

    types: torch.Tensor
    mentions: torch.Tensor
    matches: torch.Tensor


def hold_out(pool: Pool, names: Sequence[str], types: float, entities: float) -> tuple[Pool, dict[str, HeldOut]]:
    """What of a pool is left for training, and what is held out; the same split for every seed.

    Args:
        pool: all of it.
        names: each mention's text.
        types: share in [0, 1) of the types that have 5 mentions or more and not more than a hundredth of all; mentions
            that have one of them are not trained on.
        entities: share in [0, 1) of the names; no mention of them is trained on.

    Returns:
        The rest, and `types` (held-out types among all held-out mentions) and `entities` (the other types among the
        mentions of held-out names), as far as there are any.
    """
    most = max(len(pool.labels) / 100, FEWEST)
    eligible = pool.types[(pool.counts >= FEWEST) & (pool.counts <= most)].tolist()
    unseen = {name for name in eligible if _lot(f"{pool.name} type {name}") < types}
    apart = np.array([_lot(" ".join(name.casefold().split())) < entities for name in names], dtype=bool)
    typed = np.array([not unseen.isdisjoint(own) for own in pool.labels], dtype=bool)
    kept = [own if not out else frozenset() for own, out in zip(pool.labels, apart | typed, strict=True)]
    held = {
        "types": _held(pool, np.flatnonzero(apart | typed), unseen),
        "entities": _held(pool, np.flatnonzero(apart), set(pool.types.tolist()) - unseen),
    }
    return replace(pool, labels=kept), {name: one for name, one in held.items() if one is not None}


def _lot(name: str) -> float:
    """A number in [0, 1) that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def _held(pool: Pool, rows: np.ndarray, types: set[int]) -> HeldOut | None:
    random = np.random.default_rng(0)
    rows = np.sort(random.permutation(rows)[:CANDIDATES])
    found = sorted({name for row in rows for name in pool.labels[row]} & types)
    found = sorted(random.permutation(found)[:QUERIES].tolist())
    if not found:
        return None
    matches = np.array([[name in pool.labels[row] for row in rows] for name in found])
    phrases = [pool.wordings[name][0] for name in found]
    return HeldOut(
        torch.from_numpy(np.asarray(pool.phrases[phrases], dtype=np.float32)),
        torch.from_numpy(np.asarray(pool.mentions[rows], dtype=np.float32)),
        torch.from_numpy(matches),
    )


@torch.inference_mode()
def measure(
    embed: Callable[[torch.Tensor], torch.Tensor], held: HeldOut, temperature: float = 0.05
) -> dict[str, float]:
    """Macro R-Precision and mean reciprocal rank over types, each type ranking all mentions, and the contrastive loss.

    Args:
        embed: from value vectors (n, value_size) to vectors of length 1.
        held: what is ranked.
        temperature: of the loss.
    """
    types, mentions = embed(held.types).float().cpu(), embed(held.mentions).float().cpu()
    order = (types @ mentions.T).sort(dim=1, descending=True, stable=True).indices
    found = held.matches.gather(1, order).float()  # (types, mentions), the best first
    right = held.matches.sum(1, keepdim=True)  # (types, 1)
    among = (found * (torch.arange(found.shape[1]) < right)).sum(1)
    return {
        "r_precision": float((among / right[:, 0]).mean()),
        "mrr": float((1 / (found.argmax(1) + 1)).mean()),
        "loss": float(info_nce(types, mentions, held.matches, temperature)),
    }
