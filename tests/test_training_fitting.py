"""Fitting: interrupted runs end as if they had not been, and patience takes the best state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_nerret.training.batches.base import Batch, Batches
from modeling_nerret.training.stages.fitting import Log, Schedule, fit


class _Regression(torch.nn.Module):
    """A module whose outcome depends on every batch and on dropout."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Dropout(0.3), torch.nn.Linear(16, 1))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.layers(x)[:, 0] - x.sum(1)).square().mean()}


class _Numbers(Batches):
    """Random numbers; one batch may fail, as a killed run does."""

    def __init__(self, fails: int | None = None):
        super().__init__([1.0], seed=0)
        self.fails = fails

    def draw(self, number: int, random: np.random.Generator) -> Batch:
        if number == self.fails:
            raise KeyboardInterrupt
        return {"x": torch.randn(6, 4, generator=torch.Generator().manual_seed(number))}


def _losses(log: Log) -> list[float]:
    return [entry["loss"] for entry in log if "loss" in entry]


SCHEDULE = Schedule(steps=12, rate=1e-2, evaluations=4, device="cpu")


def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, partial = _Regression(), _Regression()
    log = fit(whole, _Numbers(), tmp_path / "whole", SCHEDULE)
    with pytest.raises(KeyboardInterrupt):
        fit(partial, _Numbers(fails=8), tmp_path / "halted", SCHEDULE)
    checkpoint = tmp_path / "halted" / "checkpoint-7"  # as if killed while it was written
    checkpoint.mkdir()
    (checkpoint / "trainer_state.json").write_text('{"global_step"')
    resumed_module = _Regression()
    resumed_log = fit(resumed_module, _Numbers(), tmp_path / "halted", SCHEDULE)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed_module.state_dict()[name]), name
    assert _losses(resumed_log) == _losses(log)
    finished_module = _Regression()
    assert fit(finished_module, _Numbers(fails=0), tmp_path / "halted", SCHEDULE) == resumed_log  # nothing is trained
    assert torch.equal(finished_module.layers[0].weight, whole.layers[0].weight)


def test_patience_stops_a_run_and_the_best_state_is_taken(tmp_path: Path) -> None:
    module, weights = _Regression(), []

    def measure() -> dict[str, float]:
        weights.append(module.layers[0].weight.detach().clone())
        return {"goal": [1.0, 2.0, 1.5, 1.0, 3.0][len(weights) - 1]}

    schedule = Schedule(steps=20, rate=1e-2, evaluations=5, patience=2, device="cpu")
    log = fit(module, _Numbers(), tmp_path, schedule, measure)
    assert len(weights) == 4 and max(entry["step"] for entry in log) == 16
    assert torch.equal(module.layers[0].weight, weights[1])


def test_patience_is_kept_over_an_interruption(tmp_path: Path) -> None:
    def run(name: str, fails: int | None) -> tuple[_Regression, Log]:
        module = _Regression()
        goals = [1.0, 2.0, 1.5, 1.0, 3.0]
        batches = _Numbers(fails)

        def measure() -> dict[str, float]:
            weight = module.layers[0].weight.sum().item()
            return {"goal": goals[min(range(5), key=lambda number: abs(weight - sums[number]))]}

        schedule = Schedule(steps=20, rate=1e-2, evaluations=5, patience=2, device="cpu")
        return module, fit(module, batches, tmp_path / name, schedule, measure)

    sums: list[float] = []
    plain = _Regression()

    def note() -> dict[str, float]:
        sums.append(plain.layers[0].weight.sum().item())
        return {"goal": float(len(sums))}

    fit(plain, _Numbers(), tmp_path / "plain", Schedule(steps=20, rate=1e-2, evaluations=5, device="cpu"), note)
    whole, log = run("whole", None)
    with pytest.raises(KeyboardInterrupt):
        run("halted", 13)
    resumed_module, resumed_log = run("halted", None)
    assert max(entry["step"] for entry in resumed_log) == max(entry["step"] for entry in log) == 16
    assert torch.equal(whole.layers[0].weight, resumed_module.layers[0].weight)
