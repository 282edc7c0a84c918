"""MTEB: its runs give the figures of `nerret eval`, and a checkpoint takes whatever corpus a task has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

from modeling_nerret.cli import main
from tests.tiny import save_backbone

mteb = pytest.importorskip("mteb", reason="mteb is not installed")


def _search(model: str, **options: Any) -> Any:
    from modeling_nerret.bridges.mteb import NerretSearch

    return NerretSearch(model, **options)


def _task(corpus: Path, **options: Any) -> Any:
    from modeling_nerret.eval.mteb_task import TypeRetrieval

    return TypeRetrieval.read(corpus, **options)


def _sentence_model(folder: Path) -> str:
    transformer = Transformer(save_backbone(folder / "backbone"))
    model = SentenceTransformer(modules=[transformer, Pooling(transformer.get_embedding_dimension())])
    model.save(str(folder / "model"))
    return str(folder / "model")


@pytest.mark.slow
def test_figures_are_those_of_nerret_eval(corpus: Path, tiny_checkpoint: str, tmp_path: Path) -> None:
    sentences = _sentence_model(tmp_path)
    models = {
        tiny_checkpoint: _search(tiny_checkpoint),
        f"{tiny_checkpoint}@vector": _search(tiny_checkpoint, mode="vector"),
    }
    models[f"st:{sentences}"] = SentenceTransformer(sentences)
    arguments = ["--spans", "predicted", "--detector", tiny_checkpoint, "--out", str(tmp_path / "results.json")]
    assert main(["eval", str(corpus), "--systems", ",".join(models), *arguments]) == 0
    figures = {
        entry["system"]: entry["macro_r_precision"] for entry in json.loads((tmp_path / "results.json").read_text())
    }
    task = _task(corpus)
    for name, model in models.items():
        [result] = mteb.evaluate(model, task, cache=None, show_progress_bar=False).task_results
        assert result.get_score() == pytest.approx(figures[name], abs=1e-9), name
        assert "ndcg_at_10" in result.scores["test"][0]


def test_results_are_kept_by_what_they_depend_on(corpus: Path, tiny_checkpoint: str) -> None:
    revisions = {_task(corpus, limit=limit).metadata.revision for limit in (None, 11, 11)}
    assert len(revisions) == 2
    meta = _search(tiny_checkpoint).mteb_model_meta
    vector_meta = _search(tiny_checkpoint, mode="vector").mteb_model_meta
    assert meta.name == "nerret/checkpoint" and meta.revision == vector_meta.revision and meta != vector_meta
    assert (meta.experiment_kwargs, vector_meta.experiment_kwargs) == (None, {"mode": "vector"})


def test_a_ranking_is_as_long_as_the_most_relevant_documents(tmp_path: Path) -> None:
    mention = {"start": 0, "end": 3, "type": "person"}
    lines = [json.dumps({"id": f"d{number}", "text": "ada", "mentions": [mention]}) for number in range(1001)]
    (tmp_path / "long.jsonl").write_text("\n".join(lines))
    task = _task(tmp_path / "long.jsonl")
    results = {"person": {f"d{number}": 0.5 for number in range(1001)}}
    relevant = task.dataset["default"]["test"]["relevant_docs"]
    assert max(task.k_values) == 1001
    assert task.task_specific_scores({}, relevant, results, "test", "default") == {"r_precision": 1.0}
    assert task.task_specific_scores({}, relevant, {}, "test", "default") == {"r_precision": 0.0}


def test_a_checkpoint_takes_any_corpus_and_query(tiny_checkpoint: str) -> None:
    model = _search(tiny_checkpoint)
    with pytest.raises(RuntimeError, match="call index first"):
        model.search([], top_k=1)
    model.index([{"id": "old", "text": "notes"}])
    rows = [{"id": "a", "title": "Ada", "text": "was born in London"}, {"id": "b", "title": "", "text": "the river"}]
    with pytest.warns(UserWarning, match="1 of 3 documents have no text"):
        model.index([*rows, {"id": "c", "text": " "}])
    queries = [{"id": "q", "text": "the river in the city " * 40, "instruction": None}]
    assert set(model.search(queries, top_k=5)["q"]) == {"a", "b"}
    assert set(model.search(queries, top_k=5, top_ranked={"q": ["b", "c"]})["q"]) == {"b"}
    with pytest.raises(ValueError, match="answers texts only"):
        model.search([{"id": "q", "text": [{"role": "user"}]}], top_k=1)
    with pytest.raises(ValueError, match="accepted are"):
        _search(tiny_checkpoint, mode="fast")
