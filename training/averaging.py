"""The average of models that were trained from the same start and differ by their seeds (arXiv 2203.05482)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load, save_file

from modeling_nerret.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS

State = dict[str, torch.Tensor]


def average_states(states: Sequence[State]) -> State:
    """The mean of some modules' weights, number by number.

    Example:
        >>> average_states([{"w": torch.tensor([1.0])}, {"w": torch.tensor([2.0])}])
        {'w': tensor([1.5000])}
    """
    return {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}


def average_adapters(adapters: Sequence[dict[str, bytes]], folder: Path) -> None:
    """Write the average of what some LoRA adapters add to a backbone, as one adapter.

    Its rank is the sum of theirs: the mean of the products B A is one product, of all B, divided by their number, side
    by side and of all A one below another.

    Args:
        adapters: their files by name, see `modeling_nerret.adapters.read_adapter`; of one rank and scale.
        folder: where it is written.
    """
    weights = [load(files[ADAPTER_WEIGHTS]) for files in adapters]
    count, found = len(weights), {}
    for name in weights[0]:
        parts = [one[name] for one in weights]
        if "lora_A" in name:  # (rank, size) each
            found[name] = torch.cat(parts)
        elif "lora_B" in name:  # (size, rank) each
            found[name] = torch.cat(parts, 1).div(count).contiguous()
        else:  # a magnitude of DoRA, which a single run alone may have
            (found[name],) = parts
    config = json.loads(adapters[0][ADAPTER_CONFIG])
    # peft scales by lora_alpha / r, which stays as it is
    config |= {"r": count * config["r"], "lora_alpha": count * config["lora_alpha"]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(found, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
