"""Fit a calibration: the logit's slope, bias and deviation by maximum likelihood, then the probability of absence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import softplus

from modeling_nerret.encoding import Encoder
from modeling_nerret.pretrained.calibration import NODES, Calibration

from .cases import FITTED_HALF, SIZES, Case, samples, type_cases
from .collection import Collection, embed_queries
from .nonsense import nonsense, nonsense_direction

PRIOR = 0.1  # share of queries of which nothing is in the index, against those of which something is
NONSENSE_WEIGHT = 0.3  # of all nonsense, against all queries of which something is in the index
NONSENSE_COUNT = 60  # queries of each collection
STEP = 0.004  # of scores; those that are nearer are put together
ITERATIONS = 100


@dataclass(frozen=True)
class Foil:
    """A query of which a corpus holds nothing, or something: the features of its absence."""

    best: float
    likeness: float
    is_unknown: bool
    is_absent: bool
    is_nonsense: bool = False


def fit_calibration(
    collections: Sequence[Collection], encoder: Encoder, config: Any, sizes: Sequence[int | None] = SIZES
) -> Calibration:
    """Fit a calibration on half of the types of some collections.

    Args:
        collections: annotated documents.
        encoder: embeds queries.
        config: the model's configuration.
        sizes: of the samples of documents.

    Raises:
        ValueError: no type of the half has right documents.
    """
    direction = nonsense_direction(encoder)
    tables = [list(type_cases(collection, config, FITTED_HALF, sizes)) for collection in collections]
    slope, bias, deviation = fit_intercepts([case for table in tables for case in table if not case.is_absent])
    foils: list[Foil] = []
    for seed, (collection, table) in enumerate(zip(collections, tables, strict=True), 1):
        foils += type_foils(collection, table, encoder, direction)
        foils += nonsense_foils(collection, encoder, config, direction, seed, sizes)
    names = tuple(collection.task.name for collection in collections)
    return Calibration(slope, bias, deviation, fit_absence(foils), tuple(direction.tolist()), names)


def fit_intercepts(cases: Sequence[Case]) -> tuple[float, float, float]:
    """Slope, bias and deviation under which the right documents of the cases are most probable.

    The intercept of each query is integrated out over `NODES`.

    Raises:
        ValueError: there is no case.
    """
    if not cases:
        raise ValueError("no type of the half that is fitted has right documents; give a corpus with more types")
    owners, levels, counts, right = map(torch.tensor, _cells(cases))
    center, scale = levels.mean(), levels.std() + 1e-9
    inputs = (levels - center) / scale
    nodes = torch.tensor(NODES)
    prior = torch.log_softmax(-(nodes**2) / 2, 0)
    parameters = torch.tensor([2.0, -5.0, 0.0], dtype=torch.float64, requires_grad=True)  # slope, bias, log deviation
    optimizer = torch.optim.LBFGS([parameters], lr=0.5, max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        slope, bias, deviation = parameters
        logits = (slope * inputs + bias)[:, None] + deviation.exp() * nodes  # (cells, NODES)
        logs = right[:, None] * logits - counts[:, None] * softplus(logits)
        sums = torch.zeros(len(cases), len(nodes), dtype=torch.float64).index_add(0, owners, logs)
        value = -torch.logsumexp(sums + prior, 1).mean()
        value.backward()
        return value

    optimizer.step(loss)
    slope, bias, deviation = parameters.detach()
    return float(slope / scale), float(bias - slope * center / scale), float(deviation.exp())


def _cells(cases: Sequence[Case]) -> tuple[np.ndarray, ...]:
    """Documents of a case with nearly equal scores, put together: thousands of documents become some dozens of cells.

    Returns:
        For each cell: number of its case, score, number of documents, and number of right ones. (cells,) each
    """
    owners = np.repeat(np.arange(len(cases)), [len(case.scores) for case in cases])
    levels = np.round(np.concatenate([case.scores for case in cases]) / STEP).astype(int)
    pairs, cells = np.unique(np.stack([owners, levels], 1), axis=0, return_inverse=True)
    right = np.concatenate([case.relevant for case in cases]).astype(float)
    counts, hits = np.bincount(cells.ravel()), np.bincount(cells.ravel(), right)
    return pairs[:, 0], pairs[:, 1] * STEP, counts.astype(float), hits


def fit_absence(foils: Sequence[Foil]) -> tuple[float, ...]:
    """Bias and weights of the probability that nothing is right, see `Calibration`."""
    from sklearn.linear_model import LogisticRegression

    features = np.array([(foil.best, foil.likeness, foil.is_unknown) for foil in foils], dtype=float)
    absent, senseless = (np.array([getattr(foil, name) for foil in foils]) for name in ("is_absent", "is_nonsense"))
    present, rest = (~absent).sum(), (absent & ~senseless).sum()
    weights = np.ones(len(foils))
    weights[absent & ~senseless] = PRIOR * present / max(rest, 1)
    weights[senseless] = NONSENSE_WEIGHT * present / max(senseless.sum(), 1)
    model = LogisticRegression(C=10.0, max_iter=5000).fit(features, absent, sample_weight=weights)
    return (float(model.intercept_[0]), *map(float, model.coef_[0]))


def type_foils(
    collection: Collection, cases: Sequence[Case], encoder: Encoder, direction: np.ndarray
) -> Iterator[Foil]:
    """Features of the types, with and without their right documents."""
    task = collection.task
    for case in cases:
        likeness = float(collection.queries[case.query] @ direction[:-1] + direction[-1])
        unknown = is_unknown(collection, encoder, task.queries[case.query])
        yield Foil(float(case.scores.max()), likeness, unknown, case.is_absent)


def nonsense_foils(
    collection: Collection,
    encoder: Encoder,
    config: Any,
    direction: np.ndarray,
    seed: int,
    sizes: Sequence[int | None] = SIZES,
) -> Iterator[Foil]:
    """Features of nonsense, asked of samples of the collection in turn."""
    queries = nonsense(NONSENSE_COUNT, seed)
    vectors = embed_queries(encoder, queries)
    draws = [documents for _, documents in samples(len(collection), sizes)]
    for number, query in enumerate(queries):
        likeness = float(vectors[number] @ direction[:-1] + direction[-1])
        best = float(collection.scores(config, [query], vectors[[number]], draws[number % len(draws)]).max())
        yield Foil(best, likeness, is_unknown(collection, encoder, query), True, True)


def is_unknown(collection: Collection, encoder: Encoder, query: str) -> bool:
    """Whether a query consists of words that neither the model nor any document knows."""
    return not encoder.known_words(query) and not collection.has_words(query)
