"""The R-Precision metric, as users load it."""

from __future__ import annotations

import json
import math
import os
import runpy
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).parent.parent.resolve() / "eval" / "r_precision"


@pytest.fixture(scope="module")
def metric() -> Any:
    return evaluate.load(str(FOLDER))


def _random_runs(queries: int, documents: int, seed: int = 0) -> tuple[list[list[str]], list[list[str]]]:
    generator = np.random.default_rng(seed)
    names = np.array([f"d{number}" for number in range(documents)])
    rankings = [generator.permutation(names)[: generator.integers(5, documents)].tolist() for _ in range(queries)]
    relevant = [generator.choice(names, generator.integers(1, 30), replace=False).tolist() for _ in range(queries)]
    return rankings, relevant


RANX = """
import json, sys
import ranx
rankings, relevant = json.load(sys.stdin)
runs = [{id_: float(-position) for position, id_ in enumerate(ranking)} for ranking in rankings]
run = ranx.Run({f"q{number}": scores for number, scores in enumerate(runs)})
qrels = ranx.Qrels({f"q{number}": dict.fromkeys(ids, 1) for number, ids in enumerate(relevant)})
scores = ranx.evaluate(qrels, run, ["r-precision", "map", "precision@10", "recall@10"])
print(json.dumps({name: float(value) for name, value in scores.items()}))
"""


def test_it_agrees_with_ranx_on_random_runs(metric: Any) -> None:
    pytest.importorskip("ranx")
    rankings, relevant = _random_runs(40, 100)
    # a process of its own, because its compiler can only be switched off before it is loaded, and takes a minute
    process = subprocess.run(
        [sys.executable, "-c", RANX],
        input=json.dumps([rankings, relevant]),
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    reference = json.loads(process.stdout)
    result = metric.compute(predictions=rankings, references=relevant, average_precision=True, k=[10])
    assert result["r_precision"] == pytest.approx(reference["r-precision"])
    assert result["mean_average_precision"] == pytest.approx(reference["map"])
    assert result["precision_at_10"] == pytest.approx(reference["precision@10"])
    assert result["recall_at_10"] == pytest.approx(reference["recall@10"])


def test_perfect_worst_and_random_rankings(metric: Any) -> None:
    generator = np.random.default_rng(0)
    documents = np.array([f"d{number}" for number in range(1000)])
    relevant = [documents[:100].tolist()] * 50
    perfect, worst = documents.tolist(), documents[::-1].tolist()
    assert metric.compute(predictions=[perfect] * 50, references=relevant)["r_precision"] == 1.0
    assert metric.compute(predictions=[worst] * 50, references=relevant)["r_precision"] == 0.0
    random_order = [generator.permutation(documents).tolist() for _ in relevant]
    assert metric.compute(predictions=random_order, references=relevant)["r_precision"] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("ranking", "relevant", "expected"),
    [
        (["a"], ["a", "b"], 0.5),  # shorter than R: missing positions count as wrong
        ([], ["a"], 0.0),
        (["a", "a", "b"], ["a", "b"], 1.0),  # a repeated document counts only at its first position
        (["x", "x", "x", "a"], ["a", "b"], 0.5),
        (["a", "b"], ["a", "a"], 1.0),  # a repeated relevant id counts once
        ([3, 1], [1], 0.0),
    ],
)
def test_edges_of_one_ranking(metric: Any, ranking: list, relevant: list, expected: float) -> None:
    assert metric.compute(predictions=[ranking], references=[relevant])["r_precision"] == expected


def test_queries_without_relevant_documents_are_left_out_and_counted(metric: Any) -> None:
    result = metric.compute(predictions=[["a"], ["b"], ["c"]], references=[["a"], [], ["x"]], per_query=True)
    assert result == {"r_precision": 0.5, "queries": 2, "queries_without_relevant": 1, "per_query": [1.0, None, 0.0]}


@pytest.mark.parametrize(("predictions", "references"), [([], []), ([["a"]], [[]]), ([[]], [[]])])
def test_nothing_to_average_is_nan(metric: Any, predictions: list, references: list) -> None:
    result = metric.compute(predictions=predictions, references=references, micro=True, average_precision=True, k=[1])
    values = [result[name] for name in ("r_precision", "micro_r_precision", "mean_average_precision", "recall_at_1")]
    assert all(math.isnan(value) for value in values)
    assert (result["queries"], result["queries_without_relevant"]) == (0, len(references))


def test_micro_weighs_types_by_their_size(metric: Any) -> None:
    result = metric.compute(predictions=[["a", "b", "c"], ["x"]], references=[["a", "b", "c"], ["y"]], micro=True)
    assert (result["r_precision"], result["micro_r_precision"]) == (0.5, 0.75)


def test_bad_input_says_what_is_wrong(metric: Any) -> None:
    with pytest.raises(ValueError, match="k holds 0; each must be a whole number from 1"):
        metric.compute(predictions=[["a"]], references=[["a"]], k=[0])
    with pytest.raises(ValueError, match="Mismatch"):
        metric.compute(predictions=[["a"]], references=[["a"], ["b"]])


def test_batches_give_the_same(metric: Any) -> None:
    rankings, relevant = _random_runs(20, 50)
    for start in range(0, 20, 5):
        metric.add_batch(predictions=rankings[start : start + 5], references=relevant[start : start + 5])
    assert metric.compute() == metric.compute(predictions=rankings, references=relevant)


BATCH = {"predictions": [["a", "b"]], "references": [["a"]]}
PERFECT = {"r_precision": 1.0, "queries": 1, "queries_without_relevant": 0}


def test_added_and_computed_queries_count_together_in_any_order(metric: Any) -> None:
    metric.add_batch(predictions=[], references=[])
    metric.add_batch(predictions=[[]], references=[[]])  # without an id to tell strings from numbers
    metric.add(prediction=[1, 2], reference=[2])
    metric.add(predictions=[3], references=[3])  # evaluate's other names
    assert len(metric) == 3
    result = metric.compute(predictions=[[4], [5]], references=[[4], [9]])
    assert result == {"r_precision": 0.5, "queries": 4, "queries_without_relevant": 1} and len(metric) == 0
    assert metric.compute(**BATCH) == PERFECT
    metric.add_batch(predictions=[], references=[])
    assert metric.compute()["queries"] == 0


@pytest.mark.parametrize(
    ("predictions", "references"),
    [
        ((("a", "b"),), [{"a"}]),
        ((iter(ids) for ids in (["a", "b"],)), iter([frozenset("a")])),
        (np.array([["a", "b"]]), np.array([["a"]], dtype=object)),
        ([pd.Series(["a", "b"], index=[7, 8])], pd.Series([["a"]])),
        (np.array([[10**18 + 1, 2]]), [[10**18 + 1]]),
        ([[np.int32(1), 2]], [range(1, 2)]),
        ([[10**30, 2]], [(10**30,)]),
        ([dict.fromkeys("ab").keys()], [dict.fromkeys("a").keys()]),
        ({"q": ["a", "b"]}, {"q": ["a"]}),
    ],
)
def test_any_collection_of_ids_serves(predictions: Any, references: Any, metric: Any) -> None:
    assert metric.compute(predictions=predictions, references=references) == PERFECT


def test_dicts_are_matched_by_their_queries(metric: Any) -> None:
    result = metric.compute(predictions={1: ["a"], 2: ["c"]}, references={2: ["x"], 1: ["a"]}, per_query=True)
    assert result["per_query"] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        ([[1.0]], [[1]], "the id 1.0, a float; an id is a string or a whole number"),
        ([[math.nan]], [["a"]], "the id nan, a float"),
        ([["a", "b", 2.5]], [["a"]], "the id 2.5, a float"),
        (np.array([[1.0]]), [[1]], "the id 1.0, a float"),
        ([[np.float32(1)]], [[1]], "a float32"),
        ([pd.Series([1, None])], [[1]], "a float"),
        ([[1]], [[True]], "references hold the id True, a bool"),
        ([[np.True_]], [[1]], "predictions hold the id np.True_"),
        ([[None]], [["a"]], "the id None"),
        ([[b"a"]], [["a"]], "a bytes"),
        ([[["a"]]], [["a"]], "a list; an id is"),
        ([["1"]], [[1]], "strings and whole numbers as ids, such as '1' and 1"),
        ([["a", 1]], [["a"]], "predictions hold strings and whole numbers"),
        ([[1], ["a"]], [[1], []], "make all of them strings"),
        (["abc"], [["a"]], "predictions hold 'abc' .str. for a query; needed is a list of ids, best first"),
        ([["a"]], ["abc"], "references hold 'abc' .str. for a query; needed is a list of ids$"),
        ("abc", [["a"]], "predictions are 'abc' .str."),
        ([{"a", "b"}], [["a"]], "predictions hold .* .set. for a query"),
        ([{"a": 0.5}], [["a"]], "predictions hold .* .dict. for a query"),
        ([["a"]], [{"a": 0}], "references hold .* .dict. for a query"),
        ([None], [["a"]], "predictions hold None .NoneType. for a query"),
        ([["a"]], [3], "references hold 3 .int."),
        ([["a"]], None, "references are None"),
        (None, [["a"]], "predictions are None"),
        (3, [["a"]], "predictions are 3 .int."),
        ({"q": ["a"]}, [["a"]], "predictions are .* .dict."),
        ({"q": ["a"]}, {"p": ["a"]}, "of different queries: '[pq]' is in only one"),
        ([["a"]], [["a"], ["b"]], "Mismatch in the number of predictions .1. and references .2."),
    ],
)
def test_an_error_is_one_sentence_and_spoils_nothing(
    predictions: Any, references: Any, message: str, metric: Any
) -> None:
    metric.add_batch(**BATCH)
    for method in (metric.compute, metric.add_batch):
        with pytest.raises(ValueError, match=message) as error:
            method(predictions=predictions, references=references)
        assert "\n" not in str(error.value) and len(str(error.value)) < 300
    assert metric.compute() == PERFECT


def test_strings_after_numbers_are_refused_and_the_numbers_kept(metric: Any) -> None:
    metric.add_batch(predictions=[[1]], references=[[1]])
    for method in (metric.compute, metric.add_batch):
        with pytest.raises(ValueError, match="strings and whole numbers as ids"):
            method(**BATCH)
    with pytest.raises(ValueError, match="strings and whole numbers as ids"):
        metric.add(prediction=["1"], reference=[])
    assert metric.compute() == PERFECT


@pytest.mark.parametrize("k", [2, np.int64(2), [2, 2], (2,), iter([2]), np.array([2]), {2}])
def test_k_is_a_number_or_a_collection_of_them(k: Any, metric: Any) -> None:
    assert metric.compute(**BATCH, k=k) == PERFECT | {"precision_at_2": 0.5, "recall_at_2": 1.0}
    assert metric.compute(**BATCH, k=None) == metric.compute(**BATCH, k=[]) == PERFECT
    assert metric.compute(**BATCH, k=10**30)["recall_at_" + str(10**30)] == 1


@pytest.mark.parametrize("k", [0, -1, [5, 0], True, 2.0, math.nan, "5", ["5"], [None], np.array([2.0])])
def test_another_k_is_refused_and_what_was_added_kept(k: Any, metric: Any) -> None:
    metric.add_batch(**BATCH)
    with pytest.raises(ValueError, match=r"k holds .*; each must be a whole number from 1"):
        metric.compute(k=k)
    assert metric.compute() == PERFECT
    with pytest.raises(ValueError, match="k holds"):
        metric.compute(**BATCH, k=k)
    with pytest.raises(ValueError, match="there is nothing to score"):
        metric.compute()


def test_nothing_is_left_on_the_disk(tmp_path: Path) -> None:
    metric = evaluate.load(str(FOLDER), cache_dir=str(tmp_path))
    metric.add_batch(**BATCH)
    with pytest.raises(ValueError, match="k holds"):
        metric.compute(**BATCH, k=0)
    assert metric.compute(**BATCH)["queries"] == 2
    metric.add_batch(**BATCH)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


PROCESS = """
import json, sys, evaluate
number, folder, cache, batches = json.loads(sys.argv[1])
metric = evaluate.load(folder, num_process=2, process_id=number, experiment_id="test", cache_dir=cache)
for batch in batches:
    metric.add(**batch)
print(json.dumps(metric.compute(k=1)))
"""


@pytest.mark.slow
def test_the_first_of_two_processes_scores_what_both_have(tmp_path: Path) -> None:
    batches = [[{"prediction": ["é\ud800"], "reference": ["é\ud800"]}, {"prediction": ["1"], "reference": ["x"]}], []]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, json.dumps([number, str(FOLDER), str(tmp_path), batch])],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number, batch in enumerate(batches)
    ]
    first, second = (json.loads(process.communicate(timeout=90)[0]) for process in processes)
    assert second is None and (first["r_precision"], first["queries"], first["recall_at_1"]) == (0.5, 2, 0.5)
    assert not list(tmp_path.rglob("*.arrow"))


def test_ten_thousand_queries_take_seconds(metric: Any) -> None:
    ranking = list(range(5000))
    relevant = [[number, number + 1, number + 2] for number in range(10_000)]
    start = time.perf_counter()
    result = metric.compute(predictions=[ranking] * len(relevant), references=relevant)
    assert result["queries"] == 10_000
    assert time.perf_counter() - start < 10


def test_it_loads_offline_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = evaluate.load(str(FOLDER)).compute(predictions=[["a"]], references=[["a"]])
    assert result["r_precision"] == 1.0


def test_the_space_is_complete() -> None:
    header = (FOLDER / "README.md").read_text(encoding="utf-8").split("---")[1]
    for line in ("sdk: gradio", "app_file: app.py", "- evaluate", "- metric"):
        assert line in header
    assert {path.name for path in FOLDER.glob("*.*")} >= {"README.md", "app.py", "r_precision.py", "requirements.txt"}


def test_the_form_of_the_space_scores_json() -> None:
    gradio = pytest.importorskip("gradio", reason="pip install '.[app]'", exc_type=ImportError)
    score = runpy.run_path(str(FOLDER / "app.py"))["score"]
    assert score('[["a", "b", "c"]]', '[["a", "c"]]')["per_query"] == [0.5]
    for predictions in ("[[1.5]]", "[", '"a"'):
        with pytest.raises(gradio.Error):
            score(predictions, "[[1]]")


def test_threads_that_add_lose_nothing_and_mix_no_pairs(metric: Any) -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:  # each thread's pairs agree with themselves only
            pairs = [{"predictions": [[str(number)]] * 3, "references": [[str(number)]] * 3} for number in range(400)]
            list(pool.map(lambda pair: metric.add_batch(**pair), pairs))
            results = list(pool.map(lambda pair: metric.compute(**pair), pairs))
    finally:
        sys.setswitchinterval(interval)
    assert sum(result["queries"] for result in results) == 2 * 3 * 400
    assert {result["r_precision"] for result in results} == {1.0}
