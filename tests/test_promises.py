"""Where an answer ends, and what it promises."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_nerret.index.answers.promises import LEAST_CHANCE, LEVEL, MOST_ABSENT, best_length, interval, length_at
from modeling_nerret.pretrained.calibration import Belief


def _belief(chances: list[float], absent: float = 0.0) -> Belief:
    return Belief(np.array(sorted(chances, reverse=True))[:, None], np.ones(1), absent)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.05, 0.95), min_size=1, max_size=40), st.integers(0, 2**31))
def test_an_interval_holds_as_often_as_it_says(chances: list[float], seed: int) -> None:
    belief = _belief(chances)
    low, high = interval(belief, len(chances))
    draws = np.random.default_rng(seed).random((4000, len(chances))) < belief.chances[:, 0]
    shares = draws.mean(1)
    assert ((shares >= low - 1e-9) & (shares <= high + 1e-9)).mean() >= LEVEL - 0.06  # the normal is an approximation


def test_an_interval_of_few_documents_ends_at_whole_numbers_of_them() -> None:
    low, high = interval(_belief([0.9, 0.8, 0.6, 0.1]), 4)
    assert (low, high) == (0.25, 0.75)


def test_an_absent_type_widens_an_interval_down_to_nothing() -> None:
    assert interval(_belief([0.9] * 10, absent=0.3), 10)[0] == 0


def test_no_documents_are_no_answer() -> None:
    empty = Belief(np.zeros((0, 1)), np.ones(1))
    assert best_length(empty) == 0 and length_at(empty, 0.5) == 0


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.01, 0.99), min_size=1, max_size=40), st.floats(0, 0.9))
def test_an_answer_has_no_document_that_is_most_unlikely(chances: list[float], absent: float) -> None:
    belief = _belief(chances, absent)
    length = best_length(belief)
    assert length == 0 or (belief.probabilities[:length].min() >= LEAST_CHANCE and absent < MOST_ABSENT)


def test_a_hopeless_query_has_no_answer() -> None:
    assert best_length(_belief([0.09] * 22)) == 0
    assert best_length(_belief([0.5, *[0.09] * 22])) == 1
