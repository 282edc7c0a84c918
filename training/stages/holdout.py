"""What is held out of training, and how well its types are retrieved."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.spans import Span

from ..data.annotated import Annotated
from ..data.source import Source
from ..recipes import HeldOutSection
from .fitting import GOAL
from .losses import info_nce

QUERIES, CANDIDATES = 512, 8192  # measured of a held-out set; the rest is neither measured nor trained on
FEWEST = 5  # mentions of a type that may be held out
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class HeldOut:
    """What is held out of a source.

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


def choose_held_out(source: Source, shares: HeldOutSection) -> HeldOut:
    """What to hold out of a source; the same for every seed.

    Args:
        source: the whole source.
        shares: `types` is the share of annotated types that have at least 5 mentions and at most 1 % of all;
            `entities` is the share of names.
    """
    labels = [types for text in source.texts for types in text.mentions.values()]
    counts = Counter(name for types in labels for name in types)
    most = max(len(labels) / 100, FEWEST)
    candidates = (name for name, count in counts.items() if FEWEST <= count <= most and name not in source.broad)
    types = frozenset(name for name in candidates if _lot(f"{source.name} type {name}") < shares.types)
    return HeldOut(types, shares.entities)


def nothing_left(name: str) -> ValueError:
    """The error for a set of which everything is held out."""
    return ValueError(f"{name}: nothing is left to train on; lower held_out.types and held_out.entities")


def _lot(name: str) -> float:
    """A number in [0, 1) that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def split_texts(texts: Sequence[Annotated], share: float, seed: int = 0) -> tuple[list[Annotated], list[Annotated]]:
    """A random split into texts for training and a `share` in [0, 1) held out; the same for the same seed."""
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    held_out = set(order[: int(len(texts) * share)])
    rest = [text for number, text in enumerate(texts) if number not in held_out]
    return rest, [texts[number] for number in sorted(held_out)]


def sample(
    labels: Sequence[Collection[Name]], rows: Sequence[int], types: Collection[Name]
) -> tuple[list[Name], list[int], torch.Tensor]:
    """What a measurement ranks: queries, rows of mentions, and which of these has which type (queries, mentions).

    Args:
        labels: the types of each mention.
        rows: mentions that may be ranked.
        types: types that may be queries, if one of the rows has them.
    """
    generator = np.random.default_rng(0)
    candidates = sorted(generator.permutation(np.asarray(rows, dtype=np.int64))[:CANDIDATES].tolist())
    names = sorted({name for row in candidates for name in labels[row] if name in types})  # type: ignore[type-var]
    queries = [names[place] for place in sorted(generator.permutation(len(names))[:QUERIES].tolist())]
    return queries, candidates, torch.tensor([[name in labels[row] for row in candidates] for name in queries])


@torch.inference_mode()
def measure_ranking(
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
    right = matches.gather(1, order).float()  # (types, mentions), the best first
    counts = matches.sum(1, keepdim=True)  # (types, 1)
    hits = (right * (torch.arange(right.shape[1]) < counts)).sum(1)
    return {
        "r_precision": float((hits / counts[:, 0]).mean()),
        "mrr": float((1 / (right.argmax(1) + 1)).mean()),
        "loss": float(info_nce(types, mentions, matches, temperature)),
    }


def with_goal(measurements: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Measurements of several held-out sets in one mapping, as `SET_NUMBER`, and their mean R-Precision as `goal`."""
    values = {
        f"{name} {key}".replace(" ", "_"): value
        for name, numbers in measurements.items()
        for key, value in numbers.items()
    }
    return values | {GOAL: sum(numbers["r_precision"] for numbers in measurements.values()) / len(measurements)}


class HeldOutTexts:
    """Held-out mentions of a source, and how well the model as it is retrieves them."""

    def __init__(self, source: Source, held_out: HeldOut):
        places, labels, has_name = [], [], []
        for number, text in enumerate(source.texts):
            for span, types in text.mentions.items():
                name = text.text[span.start : span.end]
                if held_out.has(name, types):
                    places.append((number, span))
                    labels.append(types)
                    has_name.append(held_out.has_name(name))
        self.owners = {number for number, _ in places}
        trained_types = {name for types in labels for name in types} - held_out.types
        samples = {
            "types": sample(labels, range(len(labels)), held_out.types),
            "entities": sample(labels, np.flatnonzero(has_name).tolist(), trained_types),
        }
        self.samples = {kind: parts for kind, parts in samples.items() if parts[0]}
        self.phrases = {name: phrases[0] for name, phrases in source.wordings.items()}
        rows = sorted({row for _, candidates, _ in self.samples.values() for row in candidates})
        self.places = {row: places[row] for row in rows}
        spans: dict[int, list[Span]] = {}
        for number, span in self.places.values():
            spans.setdefault(number, []).append(span)
        self.documents = [
            Document(str(number), source.texts[number].text, mentions=tuple(group)) for number, group in spans.items()
        ]

    def measure(self, encoder: Encoder, temperature: float) -> dict[str, dict[str, float]]:
        """Numbers by `types` and `entities`, if there are any; a mention without a vector has the cosine 0."""
        vectors = {
            (int(encoded_text.document.id), span): vector
            for encoded_text in encoder.encode(self.documents)
            for span, vector in zip(encoded_text.mentions, encoded_text.vectors, strict=True)
        }
        zeros, measurements = np.zeros(encoder.model.config.hidden_size, dtype=np.float32), {}
        for kind, (queries, rows, matches) in self.samples.items():
            types = torch.from_numpy(encoder.embed_queries([self.phrases[name] for name in queries]))
            mentions = torch.from_numpy(np.stack([vectors.get(self.places[row], zeros) for row in rows]))
            measurements[kind] = measure_ranking(types, mentions, matches, temperature)
        return measurements


def hold_out_texts(source: Source, shares: HeldOutSection) -> tuple[Source, HeldOutTexts]:
    """A source without the texts that have a held-out mention, and these mentions."""
    held_out = HeldOutTexts(source, choose_held_out(source, shares))
    rest = [text for number, text in enumerate(source.texts) if number not in held_out.owners]
    if not any(text.mentions for text in rest):
        raise nothing_left(source.name)
    return replace(source, texts=rest), held_out
