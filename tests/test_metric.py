"""The R-Precision metric, as users load it."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import evaluate
import numpy as np
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
