"""The average of models that were trained from the same start and differ by their seeds (arXiv 2203.05482)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load, save_file

from modeling_nerret.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS

State = dict[str, torch.Tensor]


def average_states(states: Sequence[State]) -> State:
    """The mean of several modules' weights.

    Example:
        >>> average_states([{"w": torch.tensor([1.0])}, {"w": torch.tensor([2.0])}])
        {'w': tensor([1.5000])}
    """
    return {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}


def adapter_fault(adapter: Mapping[str, bytes], first: Mapping[str, bytes]) -> str | None:
    """Why an adapter has no average with another one, if so."""
    config, first_config = (json.loads(files[ADAPTER_CONFIG]) for files in (adapter, first))
    if config.get("peft_type") != "LORA" or config.get("use_dora"):
        return "is no plain LoRA adapter"
    if config.get("rank_pattern") or config.get("alpha_pattern") or config.get("use_rslora"):
        return "has more than one scale"
    scale, first_scale = (part["lora_alpha"] / part["r"] for part in (config, first_config))
    if not math.isclose(scale, first_scale):
        return f"has the scale {scale:g}, not {first_scale:g}"
    names, first_names = (set(load(files[ADAPTER_WEIGHTS])) for files in (adapter, first))
    return None if names == first_names else "changes other maps"


def average_adapters(adapters: Sequence[dict[str, bytes]], folder: Path) -> None:
    """Write the average of several LoRA adapters as one adapter, whose rank is the sum of their ranks.

    The average is written in half precision and takes half the bytes; RESULTS.md says what that changes. A single
    adapter, of any kind, is written as it is.

    Args:
        adapters: their files by name, see `modeling_nerret.adapters.read_adapter`; of the same scale.
        folder: where the average is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if len(adapters) == 1:
        for name, content in adapters[0].items():
            (folder / name).write_bytes(content)
        return
    weights, count = [load(files[ADAPTER_WEIGHTS]) for files in adapters], len(adapters)
    # the mean of their products B A is the product of [B / n, ...] (out, n rank) and [A, ...] (n rank, in)
    average = {
        name: torch.cat([tensors[name] / count for tensors in weights], 1)
        if "lora_B" in name
        else torch.cat([tensors[name] for tensors in weights])
        for name in weights[0]
    }
    configs = [json.loads(files[ADAPTER_CONFIG]) for files in adapters]
    # peft scales by alpha / r, which is the same in all of them
    config = configs[0] | {name: sum(part[name] for part in configs) for name in ("r", "lora_alpha")}
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    halves = {name: weight.half().contiguous() for name, weight in average.items()}
    save_file(halves, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})
