"""One way to fit a module: transformers' Trainer over numbered batches.

An interrupted run ends as if it had not been interrupted.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import Dataset
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

GOAL = "goal"  # the measurement that early stopping looks at; more is better
FINISHED = "finished.safetensors"
logger = logging.getLogger(__name__)


class Batches(Protocol):
    """Batches by number; a batch depends on its number and a seed alone."""

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        """The fields of a batch, by the names of the module's arguments."""


@dataclass(frozen=True)
class Schedule:
    """How a module is fitted; the words are a recipe's."""

    steps: int
    rate: float
    schedule: str = "cosine"
    warmup: float = 0.05
    decay: float = 0.01
    clip: float = 1.0
    evaluations: int = 10
    patience: int = 0
    seed: int = 0
    device: str = "auto"

    @classmethod
    def of(cls, recipe: dict[str, Any], section: str) -> Schedule:
        """The schedule of a recipe's section."""
        own, held = recipe[section], recipe["held_out"]
        names = ("steps", "rate", "schedule", "warmup", "decay", "clip")
        kept = {name: own[name] for name in names} | {name: held[name] for name in ("evaluations", "patience")}
        return cls(**kept, seed=recipe["seed"], device=recipe["device"])


def fit(
    module: nn.Module,
    batches: Batches,
    folder: Path,
    schedule: Schedule,
    measure: Callable[[], dict[str, float]] | None = None,
) -> list[dict[str, Any]]:
    """Train `module`, whose forward takes a batch's fields and returns `{"loss"}`.

    An interrupted run goes on from the last whole checkpoint in `folder`, and one that has ended is not run again. Of
    several processes each takes batches of its own.

    Args:
        module: what is trained, in place.
        batches: what it is trained on.
        folder: where checkpoints are kept.
        schedule: how.
        measure: numbers of the module as it is now, `goal` among them; called `schedule.evaluations` times. With
            `schedule.patience` above 0 the best state is taken at the end.

    Returns:
        Trainer's log: `loss` by step, and what `measure` gave under names that begin with `eval_`.
    """
    if (folder / FINISHED).exists():
        module.load_state_dict(load_file(folder / FINISHED))
        return json.loads((folder / "log.json").read_text(encoding="utf-8"))
    arguments = _arguments(folder, schedule, measure is not None)
    numbered = _Numbered(batches, schedule.steps * arguments.world_size)
    patience = [EarlyStoppingCallback(schedule.patience)] if measure is not None and schedule.patience else []
    trainer = _Trainer(
        module,
        arguments,
        train_dataset=numbered,
        eval_dataset=numbered if measure is not None else None,
        data_collator=lambda items: items[0],
        callbacks=patience,
        measure=measure,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_Lines())
    if arguments.should_save:
        _drop_broken(folder)
    arguments.distributed_state.wait_for_everyone()  # type: ignore[union-attr]
    trainer.train(resume_from_checkpoint=_last(folder))
    module.eval()
    if arguments.should_save:
        log = json.dumps(trainer.state.log_history, indent=2)
        (folder / "log.json").write_text(log + "\n", encoding="utf-8")
        save_file({name: tensor.contiguous() for name, tensor in module.state_dict().items()}, folder / "partial")
        (folder / "partial").replace(folder / FINISHED)
    return trainer.state.log_history


class _Numbered(Dataset):
    """So many of the batches, as a dataset that can begin anywhere."""

    def __init__(self, batches: Batches, count: int):
        self.batches, self.count = batches, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict[str, torch.Tensor]:
        return self.batches[number]


class _Trainer(Trainer):
    """Trainer whose evaluation is one call, because a ranking is not a mean over batches."""

    def __init__(self, *args: Any, measure: Callable[[], dict[str, float]] | None, **options: Any):
        super().__init__(*args, **options)
        self.measure = measure

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        """Measure, log and tell the callbacks, as Trainer's own does."""
        assert self.measure is not None
        self.model.eval()  # type: ignore[union-attr]
        metrics = {f"eval_{name}": value for name, value in self.measure().items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class _Lines(TrainerCallback):
    """A line for every checkpoint."""

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Print where the run is."""
        if state.is_world_process_zero:
            latest = {name: value for one in state.log_history for name, value in one.items()}
            goal = f", held out {latest[f'eval_{GOAL}']:.3f}" if f"eval_{GOAL}" in latest else ""
            loss = latest.get("loss", float("nan"))
            print(f"step {state.global_step} of {state.max_steps}: loss {loss:.4f}{goal}", flush=True)


def _arguments(folder: Path, schedule: Schedule, measured: bool) -> TrainingArguments:
    every = max(schedule.steps // max(schedule.evaluations, 1), 1)
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=schedule.steps,
        learning_rate=schedule.rate,
        lr_scheduler_type=schedule.schedule,
        warmup_steps=int(schedule.steps * schedule.warmup),
        weight_decay=schedule.decay,  # decoupled: with 0, AdamW is Adam
        max_grad_norm=schedule.clip,
        per_device_train_batch_size=1,
        train_sampling_strategy="sequential",  # step n takes batch n, wherever a run begins
        logging_steps=max(schedule.steps // 50, 1),
        eval_strategy="steps" if measured else "no",
        eval_steps=every,
        save_steps=every,
        save_total_limit=1,
        load_best_model_at_end=measured and schedule.patience > 0,
        metric_for_best_model=f"eval_{GOAL}",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        seed=schedule.seed,
        use_cpu=schedule.device == "cpu",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        # the processes' batches differ in shape and cannot be dealt out by one of them
        accelerator_config={"dispatch_batches": False, "even_batches": False},
    )


def _checkpoints(folder: Path) -> list[Path]:
    """Trainer's checkpoints in order of their steps."""
    return sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))


def _drop_broken(folder: Path) -> None:
    """Remove a checkpoint that a killed run did not finish; its state is what Trainer writes last."""
    for path in _checkpoints(folder):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            logger.warning("%s is not whole and is dropped", path)
            shutil.rmtree(path)


def _last(folder: Path) -> str | None:
    return str(_checkpoints(folder)[-1]) if _checkpoints(folder) else None
