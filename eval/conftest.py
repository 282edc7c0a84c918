"""The metric's example names its folder relative to the repository; let it run from any folder, offline."""

from __future__ import annotations

from pathlib import Path

import evaluate
import pytest

load = evaluate.load


def _load_local(path: str, **options: object) -> evaluate.EvaluationModule:
    folder = Path(__file__).parent / Path(path).name
    return load(str(folder if folder.is_dir() else path), **options)


@pytest.fixture(autouse=True)
def _local_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "load", _load_local)
