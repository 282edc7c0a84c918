"""The comparison of backbones reads several blocks in one pass and scores them as the benchmark runner does."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.another_backbone import read_values, score
from modeling_nerret.eval.measure import measure
from modeling_nerret.eval.systems.registry import make_system
from modeling_nerret.eval.systems.trial import Trial
from modeling_nerret.eval.tasks.annotations import read_annotations
from modeling_nerret.eval.tasks.task import make_task
from modeling_nerret.modeling_nerret import NerretModel
from tests.small_corpus import write_corpus
from tests.tiny import byte_bpe, save_backbone


def test_blocks_read_in_one_pass_score_as_each_alone(tmp_path: Path) -> None:
    task = make_task("small", read_annotations(write_corpus(tmp_path)))
    backbone = save_backbone(tmp_path / "backbone", "llama", byte_bpe())
    values = read_values(backbone, [1, 3], task, tmp_path / "values")
    repetition = read_values("gone", [1, 3], task, tmp_path / "values")
    assert all((values[name] == repetition[name]).all() for name in values)
    for layer in (1, 3):
        bare = measure(Trial(task, "gold"), "bare", make_system(f"bare:{backbone}@{layer}@end")).result
        assert score(task, values, layer) == pytest.approx(bare["macro_r_precision"])


def test_a_head_on_those_values_scores_as_its_checkpoint(tmp_path: Path) -> None:
    task = make_task("small", read_annotations(write_corpus(tmp_path)))
    backbone = save_backbone(tmp_path / "backbone", "llama", byte_bpe())
    model = NerretModel.from_backbone(backbone, layer=2, head_size=24, hidden_size=16)
    model.save_pretrained(tmp_path / "head", head_only=True)
    values = read_values(backbone, [2], task, tmp_path / "values")
    system = f"{tmp_path / 'head'}@vector"
    result = measure(Trial(task, "gold"), system, make_system(system)).result
    assert score(task, values, 2, model.head) == pytest.approx(result["macro_r_precision"])
