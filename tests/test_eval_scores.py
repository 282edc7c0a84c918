"""Measuring: rankings, R-Precision of a system, and scores of a detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modeling_nerret.documents import Document
from modeling_nerret.eval.coverage import measure_coverage
from modeling_nerret.eval.detection_scores import score_detection
from modeling_nerret.eval.measure import measure
from modeling_nerret.eval.ranking import rank
from modeling_nerret.eval.systems.registry import make_system
from modeling_nerret.eval.systems.trial import Trial
from modeling_nerret.eval.tasks.annotations import LabelledDocument, read_annotations
from modeling_nerret.eval.tasks.task import Task, make_task
from modeling_nerret.eval.tasks.type_names import QuerySettings
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


def test_relevant_documents_are_lost_where_nothing_is_proposed() -> None:
    """Each pair of type and document counts once, by the best of the document's mentions of the type."""
    ada, oslo = Span(0, 3), Span(8, 12)
    labels: dict[Span, tuple[str, ...]] = {ada: ("person",), oslo: ("city", "capital")}
    texts = [LabelledDocument(Document(id_, "Ada saw Oslo", {}, (ada, oslo)), labels) for id_ in "abcd"]
    texts.append(LabelledDocument(Document("e", "Ada saw Bo", {}, ()), {ada: ("person",), Span(8, 10): ("person",)}))
    predictions = [[ada, oslo], [Span(0, 7)], [], [Span(0, 3, 0.5)], [Span(7, 9), Span(8, 10)]]
    coverage = measure_coverage(make_task("t", texts), predictions)
    # a: all exact; b: the person by another span, city and capital by nothing; c: empty; d: the person exact; e: exact
    assert coverage.pairs == 13
    shares = (coverage.exact, coverage.other_span, coverage.nothing_proposed, coverage.empty_document)
    assert shares == pytest.approx((5 / 13, 1 / 13, 4 / 13, 3 / 13))


def test_a_document_that_mentions_a_subtype_is_right_beside_the_strict_figure(tmp_path: Path) -> None:
    settings = QuerySettings(subtypes={"person": ["writer"], "river": ["sea"]})
    texts = [_finest(text) for text in read_annotations(write_corpus(tmp_path))]
    task = make_task("small", texts, settings)
    assert task.lenient.keys() == {"person"}  # nothing mentions a sea
    ids = [document.id for document in task.documents]
    # two writers, two persons and three others: of the first R = 4 two are right, or four with subtypes
    order = ["d05", "d10", "d00", "d03", "d01", "d02", "d04"]
    scores = [[-order.index(id_) if id_ in order else -np.inf for id_ in ids]] * 4
    result = measure(Trial(task, "gold"), "s", fixed_scores(scores)).result
    person, river = result["per_type"]["person"], result["per_type"]["river"]
    assert (person["r"], person["r_precision"], person["r_precision_with_subtypes"]) == (4, 0.5, 1.0)
    assert "r_precision_with_subtypes" not in river
    gain = result["with_subtypes"]["macro_r_precision"] - result["macro_r_precision"]
    assert (result["with_subtypes"]["n_types"], gain) == (1, pytest.approx(0.5 / 4))


def _finest(text: LabelledDocument) -> LabelledDocument:
    """A document where a writer is labelled as nothing else, as in sets with one type a mention."""
    labels = {span: tuple(types[-1:]) for span, types in text.labels.items()}
    return LabelledDocument(text.document, labels)
