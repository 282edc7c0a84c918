"""One way to fit a module: transformers' Trainer over a stream of ready batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn
from torch.utils.data import IterableDataset
from transformers import Trainer, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint


def fit(
    module: nn.Module, batches: IterableDataset, folder: Path, steps: int, rate: float, seed: int
) -> list[dict[str, Any]]:
    """Train `module`, whose forward takes a batch's fields and returns `{"loss"}`; returns Trainer's log.

    An interrupted run goes on from the last checkpoint in `folder`.
    """
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        learning_rate=rate,
        lr_scheduler_type="cosine",
        warmup_steps=steps // 20,
        weight_decay=0.01,
        per_device_train_batch_size=1,
        logging_steps=max(steps // 50, 1),
        save_steps=max(steps // 4, 1),
        save_total_limit=1,
        seed=seed,
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        # a dispatcher would cut every tensor of a batch to the length of the first
        accelerator_config={"dispatch_batches": False},
    )
    trainer = Trainer(module, arguments, train_dataset=batches, data_collator=lambda items: items[0])
    last = get_last_checkpoint(str(folder)) if folder.exists() else None
    trainer.train(resume_from_checkpoint=last)
    return trainer.state.log_history
