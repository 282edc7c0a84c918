"""What is kept out of training, and how well its types are retrieved."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch

from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.spans import Span
from .data import Source
from .fitting import GOAL
from .losses import info_nce

QUERIES, CANDIDATES = 512, 8192  # of a held-out set; the rest is left out of measurements, not given to training
FEWEST = 5  # mentions of a type that may be held out
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Apart:
    """What of a source is held out.

    Args:
        types: plain names of types; mentions that have one of them are not trained on.
        entities: share in [0, 1) of the names; no mention of them is trained on.
    """

    types: frozenset[str]
    entities: float

    def has_name(self, name: str) -> bool:
        """Whether an entity's name is held out."""
        return _lot(" ".join(name.casefold().split())) < self.entities

    def has(self, name: str, types: Collection[str]) -> bool:
        """Whether a mention is held out, by its name or one of its types."""
        return not self.types.isdisjoint(types) or self.has_name(name)


def choose(source: Source, types: float, entities: float) -> Apart:
    """What to hold out of a source; the same for every seed.

    Args:
        source: all of it.
        types: share in [0, 1) of the annotated types that have 5 mentions or more and not more than a hundredth of all.
        entities: share in [0, 1) of the names.
    """
    labels = [own for text in source.texts for own in text.mentions.values()]
    counts = Counter(name for own in labels for name in own)
    most = max(len(labels) / 100, FEWEST)
    eligible = (name for name, count in counts.items() if FEWEST <= count <= most and name not in source.broad)
    return Apart(frozenset(name for name in eligible if _lot(f"{source.name} type {name}") < types), entities)


def shares_of(recipe: dict[str, Any]) -> dict[str, float]:
    """The shares that `choose` takes, from a recipe."""
    return {kind: recipe["held_out"][kind] for kind in ("types", "entities")}


def nothing_left(name: str) -> ValueError:
    """What to raise where all of a set is held out."""
    return ValueError(f"{name}: nothing is left to train on; lower held_out.types and held_out.entities")


def _lot(name: str) -> float:
    """A number in [0, 1) that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def sample(
    labels: Sequence[Collection[Name]], rows: Sequence[int], types: Collection[Name]
) -> tuple[list[Name], list[int], torch.Tensor]:
    """What a measurement ranks: types, rows of mentions, and which of these has which type (types, mentions).

    Args:
        labels: the types of each mention.
        rows: mentions that may be ranked.
        types: types that may be asked for; those without a mention among the rows are not.
    """
    random = np.random.default_rng(0)
    some = sorted(random.permutation(np.asarray(rows, dtype=np.int64))[:CANDIDATES].tolist())
    found = sorted({name for row in some for name in labels[row] if name in types})  # type: ignore[type-var]
    asked = [found[at] for at in sorted(random.permutation(len(found))[:QUERIES].tolist())]
    return asked, some, torch.tensor([[name in labels[row] for row in some] for name in asked])


@torch.inference_mode()
def measure(
    types: torch.Tensor, mentions: torch.Tensor, matches: torch.Tensor, temperature: float = 0.05
) -> dict[str, float]:
    """Macro R-Precision and mean reciprocal rank over types, each type ranking all mentions, and the contrastive loss.

    Args:
        types: (types, size), of length 1.
        mentions: (mentions, size), of length 1.
        matches: (types, mentions); every type has a mention, a mention may have no type.
        temperature: of the loss.
    """
    order = (types @ mentions.T).sort(dim=1, descending=True, stable=True).indices
    found = matches.gather(1, order).float()  # (types, mentions), the best first
    right = matches.sum(1, keepdim=True)  # (types, 1)
    among = (found * (torch.arange(found.shape[1]) < right)).sum(1)
    return {
        "r_precision": float((among / right[:, 0]).mean()),
        "mrr": float((1 / (found.argmax(1) + 1)).mean()),
        "loss": float(info_nce(types, mentions, matches, temperature)),
    }


def with_goal(measured: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Measurements of several held-out sets as one, by `SET_NUMBER`, and their mean R-Precision as `goal`."""
    found = {f"{name} {key}".replace(" ", "_"): value for name, own in measured.items() for key, value in own.items()}
    return found | {GOAL: sum(own["r_precision"] for own in measured.values()) / len(measured)}


class HeldOutTexts:
    """Mentions of a source that are held out, and how well the model as it is retrieves them."""

    def __init__(self, source: Source, apart: Apart):
        places, labels, named = [], [], []
        for number, text in enumerate(source.texts):
            for span, types in text.mentions.items():
                name = text.text[span.start : span.end]
                if apart.has(name, types):
                    places.append((number, span))
                    labels.append(types)
                    named.append(apart.has_name(name))
        self.owners = {number for number, _ in places}
        rest = {name for own in labels for name in own} - apart.types
        sets = {
            "types": sample(labels, range(len(labels)), apart.types),
            "entities": sample(labels, np.flatnonzero(named).tolist(), rest),
        }
        self.sets = {kind: one for kind, one in sets.items() if one[0]}
        self.phrases = {name: own[0] for name, own in source.wordings.items()}
        wanted = sorted({row for _, rows, _ in self.sets.values() for row in rows})
        self.places = {row: places[row] for row in wanted}
        spans: dict[int, list[Span]] = {}
        for number, span in self.places.values():
            spans.setdefault(number, []).append(span)
        self.documents = [
            Document(str(number), source.texts[number].text, mentions=tuple(own)) for number, own in spans.items()
        ]

    def measure(self, encoder: Encoder, temperature: float) -> dict[str, dict[str, float]]:
        """Numbers by `types` and `entities`, as far as there are any; a mention without a vector has the cosine 0."""
        vectors = {
            (int(found.document.id), span): vector
            for found in encoder.encode(self.documents)
            for span, vector in zip(found.mentions, found.vectors, strict=True)
        }
        nothing, measured = np.zeros(encoder.model.config.hidden_size, dtype=np.float32), {}
        for kind, (asked, rows, matches) in self.sets.items():
            types = encoder.embed_queries([self.phrases[name] for name in asked])
            mentions = np.stack([vectors.get(self.places[row], nothing) for row in rows])
            measured[kind] = measure(torch.from_numpy(types), torch.from_numpy(mentions), matches, temperature)
        return measured


def hold_out_texts(source: Source, types: float, entities: float) -> tuple[Source, HeldOutTexts]:
    """A source without the texts that have a held-out mention, and these; the shares are those of `choose`."""
    held = HeldOutTexts(source, choose(source, types, entities))
    rest = [text for number, text in enumerate(source.texts) if number not in held.owners]
    if not any(text.mentions for text in rest):
        raise nothing_left(source.name)
    return replace(source, texts=rest), held
