"""Fit a module to numbered batches with transformers' Trainer; an interrupted run ends as if it had not been."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn
from torch.utils.data import Dataset
from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from ..batches.base import Batch, Batches
from ..recipes import Recipe, StageSection

GOAL = "goal"  # the measurement that early stopping looks at; more is better
FINISHED = "finished.safetensors"
Log = list[dict[str, Any]]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """How a module is fitted; the fields are keys of a recipe."""

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
    def of(cls, recipe: Recipe, section: StageSection) -> Schedule:
        """The schedule of a recipe's section."""
        names = ("steps", "rate", "schedule", "warmup", "decay", "clip")
        return cls(
            **{name: getattr(section, name) for name in names},
            evaluations=recipe.held_out.evaluations,
            patience=recipe.held_out.patience,
            seed=recipe.seed,
            device=recipe.device,
        )


def fit(
    module: nn.Module,
    batches: Batches,
    folder: Path,
    schedule: Schedule,
    measure: Callable[[], dict[str, float]] | None = None,
) -> Log:
    """Train `module`, whose forward takes a batch's fields and returns `{"loss"}`.

    An interrupted run goes on from the last complete checkpoint in `folder`, and a finished one is not run again. With
    several processes each takes its own batches.

    Args:
        module: the module, trained in place.
        batches: what it is trained on.
        folder: where checkpoints are written.
        schedule: steps, learning rate and the rest.
        measure: numbers of the module as it is now, `goal` among them; called `schedule.evaluations` times. With
            `schedule.patience` above 0 the best state is taken at the end.

    Returns:
        Trainer's log: `loss` by step, and the numbers of `measure` under names that begin with `eval_`.
    """
    if (folder / FINISHED).exists():
        module.load_state_dict(load_file(folder / FINISHED))
        return json.loads((folder / "log.json").read_text(encoding="utf-8"))
    arguments = _arguments(folder, schedule, measure is not None)
    dataset = _BatchDataset(batches, schedule.steps * arguments.world_size)
    patience = [EarlyStoppingCallback(schedule.patience)] if measure is not None and schedule.patience else []
    trainer = _Trainer(
        module,
        arguments,
        train_dataset=dataset,
        eval_dataset=dataset if measure is not None else None,
        data_collator=lambda items: items[0],
        callbacks=patience,
        measure=measure,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_ProgressLines())
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


class _BatchDataset(Dataset):
    """The first `count` batches, as a dataset that can begin anywhere."""

    def __init__(self, batches: Batches, count: int):
        self.batches, self.count = batches, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Batch:
        return self.batches[number]


class _Trainer(Trainer):
    """Trainer that evaluates with one call, because a ranking is not a mean over batches."""

    def __init__(self, *arguments: Any, measure: Callable[[], dict[str, float]] | None, **options: Any):
        super().__init__(*arguments, **options)
        self.measure = measure

    def evaluate(self, *arguments: Any, **options: Any) -> dict[str, float]:
        """Measure, log and call the callbacks, as `Trainer.evaluate` does."""
        assert self.measure is not None
        self.model.eval()  # type: ignore[union-attr]
        metrics = {f"eval_{name}": value for name, value in self.measure().items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class _ProgressLines(TrainerCallback):
    """Prints a line for every checkpoint."""

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Print the step, the loss and the goal."""
        if state.is_world_process_zero:
            latest = {name: value for entry in state.log_history for name, value in entry.items()}
            goal = f", held out {latest[f'eval_{GOAL}']:.3f}" if f"eval_{GOAL}" in latest else ""
            loss = latest.get("loss", float("nan"))
            print(f"step {state.global_step} of {state.max_steps}: loss {loss:.4f}{goal}", flush=True)


def _arguments(folder: Path, schedule: Schedule, has_measure: bool) -> TrainingArguments:
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
        eval_strategy="steps" if has_measure else "no",
        eval_steps=every,
        save_steps=every,
        save_total_limit=1,
        load_best_model_at_end=has_measure and schedule.patience > 0,
        metric_for_best_model=f"eval_{GOAL}",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        seed=schedule.seed,
        use_cpu=schedule.device == "cpu",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        # batches differ in shape, so that one process cannot split them among the others
        accelerator_config={"dispatch_batches": False, "even_batches": False},
    )


def _checkpoints(folder: Path) -> list[Path]:
    """Trainer's checkpoints, in order of their steps."""
    return sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))


def _drop_broken(folder: Path) -> None:
    """Remove a checkpoint that a killed run did not finish; Trainer writes its state last."""
    for path in _checkpoints(folder):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            logger.warning("%s is incomplete and is removed", path)
            shutil.rmtree(path)


def _last(folder: Path) -> str | None:
    return str(_checkpoints(folder)[-1]) if _checkpoints(folder) else None
