"""Measuring: rankings, R-Precision of a system, and scores of a detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modeling_nerret.documents import Document
from modeling_nerret.eval.detection_scores import score_detection
from modeling_nerret.eval.measure import measure
from modeling_nerret.eval.ranking import rank
from modeling_nerret.eval.systems.registry import make_system
from modeling_nerret.eval.systems.trial import Trial
from modeling_nerret.eval.tasks.annotations import LabelledDocument, read_annotations
from modeling_nerret.eval.tasks.task import Task, make_task
from modeling_nerret.spans import Span
from tests.small_corpus import fixed_scores, write_corpus


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return make_task("small", read_annotations(write_corpus(tmp_path)))


def test_a_perfect_ranking_is_one_and_its_reverse_is_not(task: Task) -> None:
    relevance = np.array([[document.id in relevant for document in task.documents] for relevant in task.relevant])
    perfect = measure(Trial(task, "gold"), "perfect", fixed_scores(relevance)).result
    assert (perfect["macro_r_precision"], perfect["ci95"]) == (1.0, [1.0, 1.0])
    assert all(scores["average_precision"] == 1.0 for scores in perfect["per_type"].values())
    assert measure(Trial(task, "gold"), "worst", fixed_scores(~relevance)).result["macro_r_precision"] < 0.5


def test_a_shuffled_reference_gives_the_random_level() -> None:
    generator = np.random.default_rng(0)
    documents = [Document(f"d{number:04}", "x", {}, (Span(0, 1),)) for number in range(2000)]
    labels = [{Span(0, 1): (f"t{number % 5}",)} for number in range(2000)]
    relevance = np.array([[number % 5 == query for number in range(2000)] for query in range(5)])
    shuffled_labels = [labels[number] for number in generator.permutation(2000)]
    for reference, level in ((labels, 1.0), (shuffled_labels, 0.2)):
        pairs = zip(documents, reference, strict=True)
        trial = Trial(make_task("many", [LabelledDocument(*pair) for pair in pairs]), "gold")
        assert measure(trial, "s", fixed_scores(relevance)).result["macro_r_precision"] == pytest.approx(
            level, abs=0.04
        )
        assert measure(trial, "r", make_system("random")).result["macro_r_precision"] == pytest.approx(0.2, abs=0.04)


def test_ties_go_by_document_id_whatever_the_order() -> None:
    assert rank(np.array([0.5, 0.5, 0.7], dtype=np.float32), ["b", "a", "c"]) == ["c", "a", "b"]


def test_detection_scores_by_hand() -> None:
    text = "Queen Zoë of the Curaçao River met Ada"
    gold = [Span(0, 9), Span(17, 30), Span(35, 38)]
    proposals = [Span(0, 9), Span(13, 24), Span(31, 34)]  # exact, overlapping ("the Curaçao"), wrong ("met")
    scores = score_detection([text], [gold], [proposals])
    assert (scores.precision, scores.recall) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (scores.overlap_precision, scores.overlap_recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert scores.fuzzy_recall == pytest.approx(2 / 3)  # "curacao" is a subset of "curacao river"
    assert scores.proposals_per_gold == 1.0


def test_detection_of_nothing_is_zero() -> None:
    scores = score_detection(["x", "y"], [[], [Span(0, 1)]], [[], []])
    assert (scores.precision, scores.recall, scores.f1, scores.fuzzy_recall) == (0, 0, 0, 0)
