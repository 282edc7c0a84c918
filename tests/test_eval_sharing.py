"""Work that the systems of a trial share: detection, and one index of each checkpoint."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_nerret.cli import main
from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.encoding import Encoder
from modeling_nerret.eval.measure import measure
from modeling_nerret.eval.systems import checkpoint_index
from modeling_nerret.eval.systems.predicted_mentions import predict_mentions
from modeling_nerret.eval.systems.registry import make_system
from modeling_nerret.eval.systems.trial import QueryScores, Settings, TaskScores, Trial
from modeling_nerret.eval.tasks.task import Task


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many documents each pass over texts has read."""
    counts: list[int] = []
    encode = Encoder.encode

    def counting(self: Encoder, documents: Iterable[Document], *arguments: Any) -> Iterator[EncodedDocument]:
        counts.append(0)
        for document in encode(self, documents, *arguments):
            counts[-1] += 1
            yield document

    monkeypatch.setattr(Encoder, "encode", counting)
    return counts


def test_a_checkpoint_reads_a_set_once_for_each_kind_of_mentions(
    corpus: Path, tiny_checkpoint: str, tmp_path: Path, passes: list[int]
) -> None:
    copy = shutil.copytree(tiny_checkpoint, tmp_path / "copy")
    names = [tiny_checkpoint, f"{tiny_checkpoint}@vector", str(copy), f"{tiny_checkpoint}@lexical", f"{copy}@vector"]
    out = tmp_path / "results.json"
    arguments = [str(corpus), "--systems", ",".join(names), "--spans", "gold,predicted", "--detection"]
    assert main(["eval", *arguments, "--detector", tiny_checkpoint, "--out", str(out)]) == 0
    assert passes == [12] * 4  # two checkpoints, two kinds of mentions, and none for detection alone
    results = {(result["system"], result["spans"]): result for result in json.loads(out.read_text())}
    for mode in ("", "@vector"):  # the same weights and mentions, whoever detected them
        pair = [results[f"{model}{mode}", "predicted"] for model in (tiny_checkpoint, copy)]
        assert pair[0]["per_type"] == pair[1]["per_type"] and pair[0]["n_mentions"] == pair[1]["n_mentions"] > 0


def test_words_do_not_depend_on_the_mentions(corpus: Path, tiny_checkpoint: str, tmp_path: Path) -> None:
    systems = ",".join(f"{tiny_checkpoint}{mode}" for mode in ("@vector", "@lexical"))
    arguments = [str(corpus), "--systems", systems, "--spans", "gold,predicted", "--detector", tiny_checkpoint]
    assert main(["eval", *arguments, "--out", str(tmp_path / "results.json")]) == 0
    gold_vector, gold_words, vector, words = json.loads((tmp_path / "results.json").read_text())
    assert gold_words["per_type"] == words["per_type"]
    assert gold_vector["n_mentions"] != vector["n_mentions"]


@pytest.mark.parametrize("order", [("checkpoint", "reader"), ("reader", "checkpoint")])
def test_detection_comes_from_the_pass_that_indexes(
    order: tuple[str, str], task: Task, tiny_checkpoint: str, passes: list[int]
) -> None:
    expected_mentions = predict_mentions(task.documents, tiny_checkpoint)
    passes.clear()
    settings = Settings(detector=tiny_checkpoint)
    trial = Trial(task, "predicted", settings, Counter([tiny_checkpoint]))
    mentions = []

    def reader(trial: Trial) -> TaskScores:
        mentions.extend(list(document.mentions) for document in trial.documents)
        scores = np.zeros(len(task.documents), dtype=np.float32)
        return TaskScores(iter([QueryScores(scores)] * 4), 0, 0.0, uses_trial_mentions=True)

    systems = {"checkpoint": make_system(tiny_checkpoint), "reader": reader}
    for name in order:
        measure(trial, name, systems[name])
    assert mentions == expected_mentions
    assert len(passes) == 1


def test_shared_seconds_count_for_every_system_that_uses_the_work(
    task: Task, tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if each were alone: the first one is not charged for the others, and no one gets the work for nothing."""
    clock = {"now": 0.0}
    load = checkpoint_index.load_checkpoint

    def slow_load(*arguments: Any, **options: Any) -> Any:
        clock["now"] += 100.0
        return load(*arguments, **options)

    monkeypatch.setattr(checkpoint_index, "load_checkpoint", slow_load)
    for module in ("measure", "systems.checkpoint_index", "systems.trial"):
        monkeypatch.setattr(f"modeling_nerret.eval.{module}.time.perf_counter", lambda: clock["now"])
    trial = Trial(task, "predicted", Settings(detector=tiny_checkpoint), Counter([tiny_checkpoint] * 2))
    names = (tiny_checkpoint, f"{tiny_checkpoint}@lexical", "bm25")
    seconds = [measure(trial, name, make_system(name)).result["seconds"] for name in names]
    assert seconds == [100.0, 100.0, 0.0]


def test_an_index_is_removed_after_its_last_search(
    task: Task, tiny_checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    trial = Trial(task, "gold", searches=Counter([tiny_checkpoint] * 2))
    folders = {*tmp_path.iterdir()}
    measure(trial, "hybrid", make_system(tiny_checkpoint))
    assert len({*tmp_path.iterdir()} - folders) == 1
    measure(trial, "vector", make_system(f"{tiny_checkpoint}@vector"))
    assert {*tmp_path.iterdir()} == folders


def test_a_checkpoint_without_a_detector_is_named(task: Task, tiny_checkpoint: str, tmp_path: Path) -> None:
    model = shutil.copytree(tiny_checkpoint, tmp_path / "mine")
    for path in (*model.glob("detector*"), model / "checksums.json"):
        path.unlink()
    trial = Trial(task, "predicted", Settings(detector=str(model)))
    with pytest.raises(ValueError, match="has no detector; choose another with --detector"):
        measure(trial, "mine", make_system(str(model)))
