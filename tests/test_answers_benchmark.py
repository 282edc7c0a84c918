"""`benchmarks.answers`: its figures, and the command on a small corpus."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import answers
from modeling_nerret.pretrained.calibration import Belief


def test_an_answer_is_compared_with_the_best_one() -> None:
    belief = Belief(np.array([[0.9], [0.8], [0.6], [0.1]]), np.ones(1))
    record = answers.outcome(belief, np.array([True, True, False, True]), total=3)
    assert record["length"] == 3 and not record["none"] and not record["none_at_80"]
    assert record["f"] == pytest.approx(4 / 6) and record["oracle"] == pytest.approx(6 / 7)
    assert record["error"] == pytest.approx(0.75 - 0.6) and record["inside"]  # all four are promised at .5


def test_nothing_is_returned_for_what_is_absent() -> None:
    belief = Belief(np.array([[0.9], [0.8]]), np.ones(1), absent=0.95)
    record = answers.outcome(belief, np.array([False, False]), total=0)
    assert record == {"length": 0, "none": True, "none_at_80": True}


@pytest.mark.slow
@pytest.mark.usefixtures("little_nonsense")
def test_the_command_prints_its_tables(
    corpus: Path, tiny_checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    second = shutil.copy(corpus, tmp_path / "second.jsonl")
    folder = tmp_path / "vectors"
    folder.mkdir()
    arguments = [str(corpus), str(second), "--model", tiny_checkpoint, "--vectors", str(folder)]
    monkeypatch.setattr(sys, "argv", ["answers", *arguments])
    answers.main()
    text = capsys.readouterr().out
    assert "## Other types" in text and "## Other sets" in text and "| listed |" in text
    assert {path.name for path in folder.iterdir()} == {"small.npz", "second.npz"}
    answers.main()  # from the vectors, whose half precision is the index's
    assert capsys.readouterr().out == text
