"""A snapshot in memory answers as the one on disk does."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_nerret import EntityRetriever, Type
from modeling_nerret.index.resident import ResidentSnapshot
from modeling_nerret.index.snapshot import Snapshot
from modeling_nerret.index.store import Store

WORDS = ["ada", "born", "in", "london", "paris", "the", "river", "city", "wrote", "notes", "was"]


def _text(number: int) -> str:
    random = np.random.default_rng(number)
    return " ".join(random.choice(WORDS, 3 + number % 7)).capitalize() + "."


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: str) -> EntityRetriever:
    retriever = EntityRetriever(tmp_path_factory.mktemp("resident") / "index", tiny_checkpoint)
    retriever.add({"id": f"d{number}", "text": _text(number), "even": number % 2 == 0} for number in range(60))
    retriever.delete(["d7", "d8"])
    retriever.add([{"id": "d3", "text": "Ada again in Paris.", "even": False}])
    return retriever


def _snapshots(path: Path) -> tuple[Snapshot, ResidentSnapshot]:
    store = Store(path)
    snapshot = store.snapshot()
    return snapshot, ResidentSnapshot(store._database, snapshot.commit)


def _wait_for(store: Store) -> Snapshot:
    for _ in range(500):
        if isinstance(store.snapshot(), ResidentSnapshot):
            return store.snapshot()
        time.sleep(0.01)
    raise AssertionError("it was not read into memory")


@pytest.mark.parametrize("keys", [None, [], [1, 4, 9, 10_000]])
def test_every_part_is_the_same(retriever: EntityRetriever, keys: list[int] | None) -> None:
    disk, memory = _snapshots(retriever.path)
    vector = retriever.encoder.embed_queries(["city"])[0]
    for limit in (5, 10_000):
        for of in ("mentions", "windows"):
            pairs = [(snapshot.nearest(vector, limit, keys, of)) for snapshot in (disk, memory)]
            assert pairs[0] == pairs[1] and pairs[0].rest == pairs[1].rest
        for query in ("london paris", "the", "nowhere", "ada"):
            scores = disk.matching(query, 10_000, keys), memory.matching(query, 10_000, keys)
            assert scores[0] == pytest.approx(scores[1]) and disk.has_words(query) == memory.has_words(query)
    group = [1, 4, 9] if keys is None else keys
    assert disk.words("ada city", group) == pytest.approx(memory.words("ada city", group))
    assert disk.ids(group) == memory.ids(group) and disk.documents(group) == memory.documents(group)
    for argument in (vector, None):
        assert disk.mentions(group, argument) == memory.mentions(group, argument)
    places, vectors = (dict(zip(*snapshot.vectors(group), strict=True)) for snapshot in (disk, memory))
    assert places.keys() == vectors.keys() and all((places[key] == vectors[key]).all() for key in places)


@pytest.mark.parametrize(
    "options",
    [
        {"k": 5},
        {"k": 100},
        {"k": 4, "mode": "vector"},
        {"k": 4, "mode": "lexical"},
        {"k": 6, "where": {"even": True}},
        {"k": 3, "marks": {"d1": True, "d2": False}},
        {"k": 3, "like": ["London"]},
    ],
)
def test_answers_are_the_same(retriever: EntityRetriever, options: dict[str, Any]) -> None:
    resident = EntityRetriever(retriever.path, retriever.checkpoint)
    resident.keep_in_memory()
    assert resident._index is not None and isinstance(_wait_for(resident._index), ResidentSnapshot)
    assert resident.search("city", **options) == retriever.search("city", **options)
    assert resident.entities(Type("city"), 5) == retriever.entities(Type("city"), 5)


def test_a_commit_is_seen_at_once_and_read_again(tmp_path: Path, tiny_checkpoint: str) -> None:
    resident = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    resident.keep_in_memory()  # of an index that is not there yet: nothing
    resident.add([{"id": "a", "text": "Ada was born in London."}])
    resident.keep_in_memory()
    assert resident._index is not None
    _wait_for(resident._index)
    EntityRetriever(tmp_path / "index").add([{"id": "b", "text": "The river in Paris."}])
    assert {hit.id for hit in resident.search("city", 5)} == {"a", "b"}
    assert _wait_for(resident._index).size == 2
    assert {hit.id for hit in resident.search("city", 5)} == {"a", "b"}


def test_a_large_index_stays_on_disk(retriever: EntityRetriever) -> None:
    large = EntityRetriever(retriever.path, retriever.checkpoint)
    large.keep_in_memory(most=3)
    assert large._index is not None and type(large._index.snapshot()) is Snapshot and not large._index._loader.locked()
