"""`benchmarks.expressions`: its figures, its random expressions, and the command on a small corpus."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import expressions
from modeling_nerret.documents import Document
from modeling_nerret.eval.calibration.collection import Collection, Places
from modeling_nerret.eval.systems.baselines import bm25
from modeling_nerret.eval.tasks.task import Task
from modeling_nerret.index.answers.type_query import Both, Either, Expression, Type, Without
from modeling_nerret.manifest import write_manifest
from modeling_nerret.pretrained.calibration import Calibration
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.training.data.corpus import CorpusType


def _answer(expression: Expression, relevant: dict[str, np.ndarray]) -> np.ndarray:
    """The documents that are right for an expression, from those of its types."""
    if isinstance(expression, Type):
        return relevant[expression.name]
    if isinstance(expression, Without):
        return ~_answer(expression.part, relevant)
    assert isinstance(expression, Both)
    left, right = (_answer(part, relevant) for part in (expression.left, expression.right))
    return left | right if isinstance(expression, Either) else left & right


def test_random_expressions_have_few_right_documents_and_no_idle_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "TRIES", 500)
    generator = np.random.default_rng(1)
    names, ids = [f"type {number}" for number in range(20)], [str(number) for number in range(400)]
    table = generator.random((len(names), len(ids))) < 0.1
    relevant = [[ids[number] for number in np.flatnonzero(row)] for row in table]
    documents = [Document(id_, "text") for id_ in ids]
    task = Task("random", documents, [{} for _ in ids], names, names, relevant)
    places = Places(np.zeros((0, 4)), np.zeros(0, int))
    questions = expressions.questions(Collection(task, np.zeros((len(names), 4)), places, places))
    rows = dict(zip(names, table, strict=True))
    assert {question.depth for question in questions[-200:]} == {1, 2, 3, 4}
    for question in questions:
        assert expressions.LEAST <= question.relevant.sum() <= expressions.MOST * len(ids)
        assert (question.relevant == _answer(question.expression, rows)).all()
        assert len(list(question.expression.types())) == len(question.names) <= 2**question.depth
        if isinstance(question.expression, Both):
            assert question.joint and (question.relevant != _answer(question.expression.left, rows)).any()
    repetition = expressions.questions(Collection(task, np.zeros((len(names), 4)), places, places))
    assert [str(question.expression) for question in questions] == [str(question.expression) for question in repetition]


def test_fusion_adds_reciprocal_ranks() -> None:
    scores = np.array([[0.9, 0.5, 0.1], [0.2, 0.8, 0.5]])
    assert expressions.fusion(scores) == pytest.approx([1 / 60 + 1 / 62, 1 / 61 + 1 / 60, 1 / 62 + 1 / 61])


@pytest.mark.slow
def test_the_command_prints_its_tables(
    corpus: Path, tiny_checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    checkpoint = shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint")
    size = load_checkpoint(tiny_checkpoint).model.config.hidden_size
    Calibration(8.0, -4.0, 1.0, (-3.0, 0.0, 0.0, 0.0), (0.0,) * (size + 1)).save(checkpoint)
    write_manifest(checkpoint, "calibration")
    city = CorpusType("city", ["city", "town", "notes"], "", [], [], "core")
    for name, value in {
        "LEAST": 1,
        "MOST": 0.5,
        "ENOUGH": 5,
        "COUNT": 3,
        "read_corpus_types": lambda: {"city": city},
        "sentence_model": lambda name: bm25,
    }.items():
        monkeypatch.setattr(expressions, name, value)
    arguments = ["--gains", str(corpus), "--depths", str(corpus), "--model", str(checkpoint)]
    monkeypatch.setattr(sys, "argv", ["expressions", *arguments, "--vectors", str(tmp_path)])
    expressions.main()
    text = capsys.readouterr().out
    assert (tmp_path / "small.npz").is_file()
    rows = {row.split(" | ")[0].strip("| "): row for row in text.splitlines()}
    assert rows[expressions.KINDS["wordings"]].split(" | ")[1] == "1"
    assert (
        rows[expressions.KINDS["minimum"]].split(" | ")[1] == "4"
    )  # city with person, writer and river; person and writer
    assert {"nerret, probabilities joined", "BM25, the phrase", "sentence vectors, the phrase"} <= set(rows)
