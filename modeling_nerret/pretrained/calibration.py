"""Calibration: from scores to probabilities, with what is uncertain about a query.

A score of 0.8 is a safe hit for one type and noise for another. So the probability that a document is right is a
logistic function of its score with an intercept that every query has for itself; before any mark only its distribution
is known. Marks of documents, right or wrong, tell it. Beside that stands the probability that the corpus holds nothing
of the type at all, or that the query is no type.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..files import read_json

CALIBRATION = "calibration.json"  # a checkpoint's file
NODES = np.linspace(-3.2, 3.2, 41)  # of the intercept, in standard deviations
LEAST_CHANCE = 1e-4  # of a marked document: marks may be wrong
DRAWS = 128  # of each of several types that are asked together


@dataclass(frozen=True)
class Belief:
    """What is believed of some documents.

    Args:
        chances: probability that each is right, if anything is, under each of some assumptions about the query.
            (documents, assumptions)
        weights: probability of each assumption. (assumptions,)
        absent: probability that no document is right.
    """

    chances: np.ndarray
    weights: np.ndarray
    absent: float = 0.0

    @property
    def probabilities(self) -> np.ndarray:
        """Probability that each document is right. (documents,)"""
        result: np.ndarray = (1 - self.absent) * (self.chances @ self.weights)
        return result

    @property
    def nothing(self) -> float:
        """Probability that none of the documents is right."""
        return float(self.absent + (1 - self.absent) * ((1 - self.chances).prod(0) @ self.weights))

    def drawn(self, seed: int) -> np.ndarray:
        """Probabilities under `DRAWS` equally probable assumptions, in an order of the seed's own. (documents, DRAWS)

        Under some of them nothing is right.
        """
        levels = (np.arange(DRAWS) + 0.5) / DRAWS
        weights = np.append((1 - self.absent) * self.weights, self.absent)
        places = np.searchsorted(np.cumsum(weights), levels).clip(max=len(weights) - 1)
        chances = np.pad(self.chances, ((0, 0), (0, 1)))  # (documents, assumptions + 1)
        result: np.ndarray = chances[:, np.random.default_rng(seed).permutation(places)]
        return result


@dataclass(frozen=True)
class Intercept:
    """What is known of a query's intercept: its mean and standard deviation."""

    mean: float = 0.0
    deviation: float = 1.0


@dataclass(frozen=True)
class Calibration:
    """The calibration of a checkpoint, fitted on the hybrid scores of annotated sets.

    Args:
        slope: of the logit, by the score.
        bias: of the logit, mean over queries.
        deviation: standard deviation of the bias between queries.
        absence: of the logit that nothing is right: its bias, and weights of the best score, of the query's likeness to
            nonsense, and of a query of unknown words alone.
        nonsense: a linear function of a query's vector: above 0, it is more like random words and letters than like a
            type. (hidden_size + 1,), the bias last
        sets: names of the sets that it was fitted on, half of the types of each.
    """

    slope: float
    bias: float
    deviation: float
    absence: tuple[float, ...]
    nonsense: tuple[float, ...]
    sets: tuple[str, ...] = ()

    @classmethod
    def load(cls, folder: Path, size: int) -> Calibration | None:
        """The calibration of a checkpoint's folder, for vectors of `size` numbers; `None` if it has none.

        Raises:
            ValueError: the file is damaged, or made for vectors of another size.
        """
        path = folder / CALIBRATION
        return _parse(read_json(path), path, size) if path.is_file() else None

    def save(self, folder: Path) -> None:
        """Write the calibration into a checkpoint's folder."""
        fields = {name: _rounded(value) for name, value in asdict(self).items()}
        (folder / CALIBRATION).write_text(json.dumps(fields) + "\n", encoding="utf-8")

    def chances(self, scores: np.ndarray, intercept: Intercept | None = None) -> np.ndarray:
        """Probabilities of documents with some hybrid scores, for each of `NODES`. (documents, NODES)"""
        prior = intercept or Intercept(0.0, self.deviation)
        shifts = prior.mean + prior.deviation * NODES  # (NODES,)
        logits = (self.slope * scores[:, None] + self.bias + shifts).clip(-60, 60)
        result: np.ndarray = 1 / (1 + np.exp(-logits))
        return result

    def weights(self, mark_scores: np.ndarray, marks: np.ndarray, intercept: Intercept | None = None) -> np.ndarray:
        """Probability of each of `NODES`, once documents with the scores `mark_scores` were judged `marks`. (NODES,)"""
        chances = self.chances(mark_scores, intercept).clip(LEAST_CHANCE, 1 - LEAST_CHANCE)  # (marks, NODES)
        logs = -(NODES**2) / 2 + np.log(np.where(marks[:, None], chances, 1 - chances)).sum(0)
        weights: np.ndarray = np.exp(logs - logs.max())
        return weights / weights.sum()

    def absent(self, best: float, vector: np.ndarray, is_unknown: bool) -> float:
        """Probability that no document is right.

        Args:
            best: the best score.
            vector: of the query. (hidden_size,)
            is_unknown: whether the query consists of words that neither the model nor any document knows.
        """
        likeness = float(np.dot(self.nonsense[:-1], vector) + self.nonsense[-1])
        features = (1.0, best, likeness, float(is_unknown))
        return 1 / (1 + math.exp(-sum(weight * value for weight, value in zip(self.absence, features, strict=True))))

    def believe(
        self,
        scores: np.ndarray,
        absent: float,
        mark_scores: np.ndarray | None = None,
        marks: Sequence[bool] = (),
        intercept: Intercept | None = None,
    ) -> Belief:
        """What to believe of documents with some scores, after marks of others or of the same.

        Args:
            scores: hybrid scores. (documents,)
            absent: probability that nothing is right, before any mark.
            mark_scores: scores of marked documents. (marks,)
            marks: whether each of them is right.
            intercept: what is known of the query's intercept from earlier marks.
        """
        verdicts = np.asarray(marks, dtype=bool)
        before = np.zeros(0) if mark_scores is None else mark_scores
        weights = self.weights(before, verdicts, intercept)
        if verdicts.any():
            absent = 0.0
        elif len(verdicts):  # all wrong: what is absent explains that, as may an intercept
            prior = np.exp(-(NODES**2) / 2)
            wrong = (1 - self.chances(before, intercept)).prod(0)  # (NODES,)
            present = (1 - absent) * float(wrong @ prior / prior.sum())
            absent = absent / (absent + present)
        return Belief(self.chances(scores, intercept), weights, absent)

    def knowledge(self, weights: np.ndarray, intercept: Intercept | None = None) -> Intercept:
        """Mean and spread of the intercept under some weights of `NODES`, to be used as knowledge later."""
        prior = intercept or Intercept(0.0, self.deviation)
        shifts = prior.mean + prior.deviation * NODES
        mean = float(shifts @ weights)
        return Intercept(mean, max(float(np.sqrt((shifts - mean) ** 2 @ weights)), 0.05))


def _parse(fields: Any, path: Path, size: int) -> Calibration:
    numbers = ("slope", "bias", "deviation")
    try:
        slope, bias, deviation = (float(fields[name]) for name in numbers)
        absence, nonsense = (tuple(map(float, fields[name])) for name in ("absence", "nonsense"))
        calibration = Calibration(slope, bias, deviation, absence, nonsense, tuple(map(str, fields.get("sets", ()))))
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is no calibration ({type(error).__name__}: {error}); write it again") from None
    values = (*(getattr(calibration, name) for name in numbers), *calibration.absence, *calibration.nonsense)
    if not all(map(math.isfinite, values)) or calibration.deviation <= 0 or calibration.slope <= 0:
        raise ValueError(f"{path} has a number that is not finite, or a slope or deviation that is not above 0")
    if len(calibration.absence) != 4 or len(calibration.nonsense) != size + 1:
        raise ValueError(
            f"{path} is for vectors of {len(calibration.nonsense) - 1} numbers, the model has {size}; fit it again"
        )
    return calibration


def _rounded(value: Any) -> Any:
    """Numbers with six significant digits, which are enough and keep the file small."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    return [_rounded(part) for part in value] if isinstance(value, tuple) else value
