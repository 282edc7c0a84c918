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
    """Write the average of what some LoRA adapters add to a backbone, as one adapter of twice their rank.

    The mean of their products B A is cut to that rank so that the squares of what is lost are least (Eckart and Young
    1936); RESULTS says what that costs. A single adapter, of any kind, is written as it is.

    Args:
        adapters: their files by name, see `modeling_nerret.adapters.read_adapter`; of one rank and scale.
        folder: where it is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if len(adapters) == 1:
        for name, content in adapters[0].items():
            (folder / name).write_bytes(content)
        return
    weights = [load(files[ADAPTER_WEIGHTS]) for files in adapters]
    config = json.loads(adapters[0][ADAPTER_CONFIG])
    pairs = [(name.replace("lora_A", "lora_B"), name) for name in weights[0] if "lora_A" in name]
    sizes = [min(len(weights[0][up]), weights[0][down].shape[1]) for up, down in pairs]
    rank, found = min(2 * config["r"], *sizes), {}
    for up, down in pairs:
        mean = torch.stack([one[up].double() @ one[down].double() for one in weights]).mean(0)  # (out, in)
        left, values, right = torch.linalg.svd(mean, full_matrices=False)
        root = values[:rank].sqrt()
        found[up] = (left[:, :rank] * root).float().contiguous()  # (out, rank)
        found[down] = (root[:, None] * right[:rank]).float().contiguous()  # (rank, in)
    config |= {"r": rank, "lora_alpha": config["lora_alpha"] // config["r"] * rank}  # peft scales by alpha / r
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(found, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
