"""Ask a snapshot a question: rank documents for one type or several, and say where the answer ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ...pretrained.calibration import DRAWS, Belief
from ...pretrained.checkpoints import Checkpoint
from ..ranking import Parts, Rank, shares
from ..snapshot import Snapshot
from .promises import best_length, interval, length_at
from .scopes import DOCUMENT, best_inside, units
from .type_query import Expression, Type
from .type_search import TypeSearch

MOST_NOTHING = 0.5  # probability that nothing is right of several types together, from which nothing is returned


@dataclass(frozen=True)
class Extent:
    """How far an answer goes.

    Args:
        k: at most so many documents; `None`: as many as `precision` allows or, without it, as give the largest F.
        precision: the share of right documents to be expected; `None`: any.
        min_score: documents with lower scores are left out.
    """

    k: int | None = None
    precision: float | None = None
    min_score: float | None = None


@dataclass(frozen=True)
class Verdict:
    """Ranked documents, best first, with what is believed of them, and how many of them are the answer.

    Args:
        ranks: the documents.
        belief: about them in this order; `None` without a calibration.
        length: how many are the answer.
    """

    ranks: list[Rank]
    belief: Belief | None
    length: int

    def promises(self, is_whole: bool, mark_ids: Collection[str]) -> dict[str, Any]:
        """Those fields of `Answer` that say what it promises.

        Args:
            is_whole: whether all documents that may be right were ranked.
            mark_ids: ids of documents that were judged.
        """
        belief = self.belief
        if belief is None:
            return {}
        probabilities = belief.probabilities
        return {
            "precision": float(probabilities[: self.length].mean()) if self.length else None,
            "interval": interval(belief, self.length) if self.length else None,
            "relevant": float(probabilities.sum()) if is_whole else None,
            "absent": belief.nothing,
            "candidates": [
                (rank.id, chance)
                for rank, chance in zip(self.ranks, probabilities.tolist(), strict=True)
                if rank.id not in mark_ids
            ],
        }


def check_promise(expression: Expression, mode: str, precision: float | None, checkpoint: Checkpoint) -> None:
    """Refuse what only a calibrated hybrid search can do.

    Raises:
        ValueError: the precision is no share, or the mode or the checkpoint cannot promise one or join types.
    """
    if precision is not None:
        is_number = isinstance(precision, int | float | np.number) and not isinstance(precision, bool)
        if not is_number or not 0 < precision <= 1:
            raise ValueError(f"precision is {precision!r}; it must be a share above 0, at most 1, such as 0.8")
    elif isinstance(expression, Type):
        return
    wish = "a query of several types" if precision is None else "precision"
    if mode != "hybrid":
        raise ValueError(f"{wish} needs mode='hybrid', not {mode!r}")
    if checkpoint.calibration is None:
        raise ValueError(
            f"{wish} needs a calibration, which the model {checkpoint.name!r} lacks; write it into the checkpoint "
            "with: nerret calibrate"
        )


def ask(
    snapshot: Snapshot,
    expression: Expression,
    searches: Mapping[Type, TypeSearch],
    extent: Extent,
    within: str | int = DOCUMENT,
) -> Verdict:
    """Rank documents for an expression, and decide how many are the answer.

    Args:
        snapshot: the index.
        expression: the types, joined.
        searches: for each of the types its search.
        extent: how far the answer goes.
        within: the scope, see `scopes`.
    """
    if isinstance(expression, Type):
        search = searches[expression]
        ranks = search.best(extent.k)
        if search.calibration is None or search.query.mode != "hybrid":
            return Verdict(ranks, None, len(ranks))
        belief = search.believe(np.array([rank.score for rank in ranks]))
    else:
        ranks, belief = _join(snapshot, expression, searches, within)
        if extent.k is None and belief.nothing >= MOST_NOTHING:
            return Verdict(ranks, belief, 0)
        ranks = [rank for rank in ranks if extent.min_score is None or rank.score >= extent.min_score]
        belief = Belief(belief.chances[: len(ranks)], belief.weights)
    length = len(ranks) if extent.k is not None else best_length(belief)
    if extent.precision is not None:
        length = length_at(belief, extent.precision)
    return Verdict(ranks, belief, min(length, extent.k or length))


def _join(
    snapshot: Snapshot, expression: Expression, searches: Mapping[Type, TypeSearch], within: str | int
) -> tuple[list[Rank], Belief]:
    """All documents that may be right for several types together, best first; a score is a probability."""
    ids = {rank.key: rank.id for type_ in expression.wanted() for rank in searches[type_].best(None)}
    keys = sorted(ids)
    parts = {type_: searches[type_].ranking.parts_of(keys) for type_ in expression.types()}
    if within == DOCUMENT:
        scores = {type_: _scores(searches[type_], [parts[type_][key] for key in keys]) for type_ in parts}
        chances = _chances(expression, searches, scores)
    else:
        chances = _near(snapshot, expression, searches, parts, keys, within)
    means = chances.mean(1)
    order = sorted(range(len(keys)), key=lambda row: (-means[row], ids[keys[row]]))
    belief = Belief(chances[order], np.full(DRAWS, 1 / DRAWS))
    probabilities = belief.probabilities.tolist()
    return [Rank(keys[row], ids[keys[row]], chance) for row, chance in zip(order, probabilities, strict=True)], belief


def _chances(
    expression: Expression, searches: Mapping[Type, TypeSearch], scores: Mapping[Type, np.ndarray]
) -> np.ndarray:
    """Probabilities of documents, or of parts of them, from their scores for each type. (rows, DRAWS)

    A score of minus infinity says that the type is not there.
    """
    tables = {type_: searches[type_].believe(values).drawn(seed) for seed, (type_, values) in enumerate(scores.items())}
    return expression.chances(tables.__getitem__)


def _near(
    snapshot: Snapshot,
    expression: Expression,
    searches: Mapping[Type, TypeSearch],
    parts: Mapping[Type, Mapping[int, Parts]],
    keys: Sequence[int],
    within: str | int,
) -> np.ndarray:
    """Probabilities that a part of each document, such as a sentence, is right; of its best part. (documents, DRAWS)"""
    documents = snapshot.documents(keys)
    places = {type_: snapshot.mentions(keys, searches[type_].ranking.mention_vector) for type_ in parts}
    spans = [units(documents[key].text, within, [table[key] for table in places.values()]) for key in keys]
    scores = {}
    for type_ in parts:
        weight = searches[type_].config.document_weight
        scores[type_] = np.array(
            [
                -np.inf if best is None else best + weight * parts[type_][key].text
                for key, parts_of_text in zip(keys, spans, strict=True)
                for start, end in parts_of_text
                for best in [best_inside(places[type_][key], start, end)]
            ]
        )
    chances = _chances(expression, searches, scores)  # (parts of all documents, DRAWS)
    edges = np.cumsum([0, *map(len, spans)]).tolist()
    rows = [chances[first:last] for first, last in pairwise(edges)]
    return np.array([part[part.mean(1).argmax()] if len(part) else np.zeros(DRAWS) for part in rows])


def _scores(search: TypeSearch, parts: Sequence[Parts]) -> np.ndarray:
    mention, text, words = np.array(parts, dtype=float).reshape(-1, 3).T  # (documents,) each
    return np.asarray(sum(shares(search.config, mention, text, words)))
