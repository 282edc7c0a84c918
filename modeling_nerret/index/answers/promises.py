"""Where an answer ends, and what it promises: computed from what is believed of the documents, best first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ...pretrained.calibration import Belief

LEVEL = 0.8  # of the interval
# See docs/answers.md for how these were chosen
MOST_ABSENT = 0.35  # probability that nothing is right, from which nothing is returned
LEAST_CHANCE = 0.1  # probability of a document of an answer
_SHARES = np.linspace(0, 1, 201)  # of right documents
_erf = np.vectorize(math.erf)


def best_length(belief: Belief) -> int:
    """How many of the best documents have the largest expected F; 0 if probably nothing is right.

    F is the harmonic mean of the shares of right documents among those returned, and of returned among the right ones.
    Documents with a probability below `LEAST_CHANCE` are left out all the same.

    Example:
        >>> best_length(Belief(np.array([[0.9], [0.8], [0.1]]), np.ones(1)))
        2
        >>> best_length(Belief(np.array([[0.9], [0.8], [0.1]]), np.ones(1), absent=0.9))
        0
    """
    if not len(belief.chances) or belief.absent >= MOST_ABSENT:
        return 0
    counts = np.arange(1, len(belief.chances) + 1)[:, None]  # (documents, 1)
    right, relevant = np.cumsum(belief.chances, 0), belief.chances.sum(0)  # (documents, assumptions), (assumptions,)
    scores = (2 * right / (counts + np.maximum(relevant, 1e-9))) @ belief.weights  # (documents,)
    likely = int((belief.probabilities >= LEAST_CHANCE).sum())
    return min(int(scores.argmax()) + 1, likely)


def length_at(belief: Belief, precision: float) -> int:
    """The most of the best documents of which at least the share `precision` is expected to be right; may be 0.

    Example:
        >>> length_at(Belief(np.array([[0.9], [0.8], [0.1]]), np.ones(1)), 0.8)
        2
    """
    means = np.cumsum(belief.probabilities) / np.arange(1, len(belief.chances) + 1)
    enough = np.flatnonzero(means >= precision)
    return int(enough[-1]) + 1 if len(enough) else 0


def interval(belief: Belief, length: int) -> tuple[float, float]:
    """Between which shares that of the right ones among the first documents lies with a probability of `LEVEL`.

    Under each assumption the number of right documents is taken as normal, for documents are right or wrong by
    themselves; the assumptions are mixed.

    Example:
        >>> low, high = interval(Belief(np.full((100, 1), 0.9), np.ones(1)), 100)
        >>> round(low, 2), round(high, 2)
        (0.86, 0.94)
    """
    first = belief.chances[:length]
    means = first.mean(0)  # (assumptions,)
    spreads = np.sqrt((first * (1 - first)).sum(0)) / length + 1e-6
    counts = np.floor(_SHARES * length + 1e-9)  # of right documents, which are whole numbers. (shares,)
    below = 0.5 * (1 + _erf(((counts[:, None] + 0.5) / length - means) / (spreads * math.sqrt(2))))
    total = (1 - belief.absent) * (below @ belief.weights) + belief.absent  # (shares,)
    low, high = np.searchsorted(total, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).clip(max=len(_SHARES) - 1)
    return float(counts[low] / length), float(counts[high] / length)


def spread_places(probabilities: Sequence[float], count: int) -> list[int]:
    """Places of the documents whose marks teach most: evenly over the first ones, twice as many as are probably right.

    Marks of the best alone would say nothing of where the right ones end.

    Example:
        >>> spread_places([0.1] * 100, 5)
        [0, 5, 10, 14, 19]
    """
    depth = min(len(probabilities), max(4 * count, math.ceil(2 * sum(probabilities))))
    places = np.linspace(0, depth - 1, min(count, depth)).round().astype(int)
    return sorted(set(places.tolist()))
