"""`nerret calibrate`: cases, what is fitted on them, and the command."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_nerret import EntityRetriever
from modeling_nerret.cli import main
from modeling_nerret.eval.calibration.cases import Case, half_of, type_cases
from modeling_nerret.eval.calibration.collection import Collection, collect
from modeling_nerret.eval.calibration.fit import Foil, fit_absence, fit_intercepts
from modeling_nerret.eval.calibration.nonsense import KINDS, nonsense
from modeling_nerret.eval.systems.trial import Settings
from modeling_nerret.eval.tasks.task import Task
from modeling_nerret.pretrained.calibration import Calibration
from modeling_nerret.pretrained.checkpoints import load_checkpoint


@pytest.fixture
def collection(task: Task, tiny_checkpoint: str) -> Collection:
    return collect(task, tiny_checkpoint, Settings(detector=tiny_checkpoint))


@pytest.mark.parametrize("feedback", [0, 3])
def test_scores_in_memory_are_those_of_a_search(
    collection: Collection, tiny_checkpoint: str, tmp_path: Path, feedback: int
) -> None:
    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    retriever.add(collection.task.documents)
    retriever.checkpoint.model.config.feedback_documents = feedback
    queries = [*collection.task.queries, "notes in the river", "zzz"]
    vectors = np.concatenate([retriever.encoder.embed_queries([query]) for query in queries])
    table = collection.scores(retriever.checkpoint.model.config, queries, vectors)
    for query, row in zip(queries, table, strict=True):
        scores = dict(retriever.rank(query, k=len(collection)))
        for document, score in zip(collection.task.documents, row, strict=True):
            assert score == pytest.approx(scores.get(document.id, 0.0), abs=1e-3)


def test_a_type_is_asked_of_all_documents_and_of_those_without_the_right_ones(
    collection: Collection, tiny_checkpoint: str
) -> None:
    config = load_checkpoint(tiny_checkpoint).model.config
    numbers = set()
    for half in (0, 1):
        cases = list(type_cases(collection, config, half, sizes=(5, None)))
        for case in cases:
            query = collection.task.queries[case.query]
            assert half_of(collection.task.name, query) == half
            assert case.relevant.any() != case.is_absent
            assert (collection.relevant[case.query, case.documents] == case.relevant).all()
            assert len(case.documents) == len(case.scores) <= (case.size or len(collection))
        numbers |= {case.query for case in cases if case.size is None and not case.is_absent}
    assert numbers == set(range(len(collection.task.queries)))


def _case(generator: np.random.Generator, slope: float, bias: float, deviation: float) -> Case:
    scores = generator.uniform(0.2, 1.0, 150)
    logits = slope * scores + bias + generator.normal(scale=deviation)
    right = generator.random(150) < 1 / (1 + np.exp(-logits))
    return Case("set", 0, np.arange(150), scores, right)


@pytest.mark.slow
@pytest.mark.parametrize(("slope", "bias", "deviation"), [(10.0, -8.0, 1.2), (5.0, -4.0, 0.4)])
def test_the_fit_finds_what_the_cases_were_made_with(slope: float, bias: float, deviation: float) -> None:
    generator = np.random.default_rng(0)
    cases = [_case(generator, slope, bias, deviation) for _ in range(150)]
    assert fit_intercepts(cases) == pytest.approx((slope, bias, deviation), rel=0.2)


def test_there_must_be_something_to_fit_on() -> None:
    with pytest.raises(ValueError, match="more types"):
        fit_intercepts([])


def test_weak_scores_nonsense_and_unknown_words_speak_for_absence() -> None:
    generator = np.random.default_rng(0)
    present = [Foil(float(best), -5.0, False, False) for best in generator.normal(0.9, 0.1, 300)]
    weak = [Foil(float(best), -5.0, False, True) for best in generator.normal(0.6, 0.1, 300)]
    senseless = [Foil(float(best), 5.0, best > 0.7, True, True) for best in generator.normal(0.7, 0.1, 300)]
    _, best, likeness, unknown = absence = fit_absence([*present, *weak, *senseless])
    assert best < 0 < likeness and unknown > 0
    calibration = Calibration(10.0, -8.0, 1.0, absence, (1.0, 0.0))
    typical, odd = np.array([-5.0]), np.array([5.0])
    assert calibration.absent(0.9, typical, False) < 0.1 < 0.5 < calibration.absent(0.3, typical, False)
    assert calibration.absent(0.9, odd, True) > 0.5


def test_nonsense_is_made_anew_but_alike() -> None:
    assert nonsense(50, 3) == nonsense(50, 3) != nonsense(50, 4)
    assert all(query.strip() for query in nonsense(500, 1))
    assert sum(KINDS.values()) == pytest.approx(1)


@pytest.fixture
def checkpoint(tiny_checkpoint: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint"))


@pytest.mark.slow
@pytest.mark.usefixtures("little_nonsense")
def test_the_command_calibrates_a_checkpoint(
    checkpoint: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert main(["calibrate", str(checkpoint), str(corpus)]) == 0
    text = capsys.readouterr().out
    assert f"| {corpus.stem} | 12 |" in text and "standard deviation" in text and "calibration.json" in text
    calibration = load_checkpoint(str(checkpoint)).calibration  # its manifest is right
    assert calibration is not None and calibration.sets == (corpus.stem,)
    retriever = EntityRetriever(tmp_path / "index", str(checkpoint))
    retriever.add([{"id": "a", "text": "ada was born in london"}])
    (hit,) = retriever.search("person", k=1)
    assert hit.probability is not None and 0 < hit.probability < 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "{corpus}"], "there is no checkpoint in the folder 'nowhere'"),
        (["{checkpoint}", "missing.jsonl"], "no corpus at 'missing.jsonl'"),
        (["{checkpoint}", "{corpus}", "{corpus}"], "2 corpora are called"),
    ],
)
def test_faults_are_told_at_once(
    checkpoint: Path, corpus: Path, capsys: Any, arguments: list[str], message: str
) -> None:
    names = {"checkpoint": checkpoint, "corpus": corpus}
    assert main(["calibrate", *(argument.format(**names) for argument in arguments)]) == 1
    assert message in capsys.readouterr().err
