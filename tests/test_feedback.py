"""A hybrid search moves its query towards the mentions that it finds first."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.index.filters import Filter
from modeling_nerret.index.ranking import MODES, Query, Ranking
from modeling_nerret.index.store import Store
from modeling_nerret.spans import Span

# The first three documents lie to one side of the query, and so does `sibling`, which is a little farther from it than
# `stranger` on the other side
DIRECTIONS = {
    "first": (0.90, 0.43, 0.0),
    "second": (0.89, 0.45, 0.0),
    "third": (0.88, 0.47, 0.0),
    "sibling": (0.70, 0.71, 0.0),
    "stranger": (0.75, 0.0, 0.66),
}
QUERY = np.array([1.0, 0.0, 0.0])


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.create(tmp_path / "index", len(QUERY), model="m", fingerprint="f")
    with store.writing() as writer:
        for number, (name, direction) in enumerate(DIRECTIONS.items()):
            vectors = np.asarray([direction], dtype=np.float32)
            document = Document(name, "Ada", {"number": number})
            writer.write([EncodedDocument(document, [Span(0, 3)], vectors, [Span(0, 3)], vectors)])
    return store


def search(store: Store, feedback: int = 3, mode: str = "hybrid", **fields: Any) -> dict[str, float]:
    """Scores by id, best first."""
    weights = SimpleNamespace(document_weight=0.0, document_floor=0.0, lexical_weight=0.0, lexical_half=1.0)
    weights.feedback_documents, weights.feedback_weight = feedback, 1.0
    ranking = Ranking(store.snapshot(), weights, Query("ada", QUERY, mode=mode, **fields))
    return {rank.id: rank.score for rank in ranking.best()}


def test_what_is_like_the_first_documents_rises(store: Store) -> None:
    assert [*search(store, feedback=0)][3:] == ["stranger", "sibling"]
    assert [*search(store)][3:] == ["sibling", "stranger"]


def test_the_score_is_the_cosine_with_the_moved_query(store: Store) -> None:
    rows = np.array([DIRECTIONS[name] for name in ("first", "second", "third")])
    target = QUERY + (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(0)
    cosine = target @ DIRECTIONS["stranger"] / np.linalg.norm(target)
    assert search(store)["stranger"] == pytest.approx(cosine, abs=1e-3)


@pytest.mark.parametrize("fields", [{"k": 2}, {"where": Filter({"number": {">": 2}})}, {"min_score": 0.8}])
def test_scores_depend_neither_on_the_filter_nor_on_how_many_are_wanted(store: Store, fields: dict[str, Any]) -> None:
    scores, part = search(store), search(store, **fields)
    assert 1 <= len(part) < len(scores)
    assert part == {name: scores[name] for name in part}


def test_wrong_documents_give_no_feedback(store: Store) -> None:
    keys = store.snapshot().keys(["first", "second", "third", "sibling"])
    scores = search(store, wrong=frozenset(keys.values()))
    assert scores["stranger"] == max(scores.values())


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "hybrid"])
def test_other_modes_have_none(store: Store, mode: str) -> None:
    assert search(store, mode=mode) == search(store, feedback=0, mode=mode)


def test_an_index_without_mentions_gives_none(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "index", len(QUERY), model="m", fingerprint="f")
    with store.writing() as writer:
        writer.write([EncodedDocument(Document("a", "Ada", {}), [], np.zeros((0, 3), np.float32))])
    assert search(store) == search(store, feedback=0) == {"a": 0.0}
