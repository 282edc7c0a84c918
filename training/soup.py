"""Average checkpoints of several runs that began from the same head (a model soup, arXiv 2203.05482).

  python -m training.soup OUT RUN RUN ...

RUNs are checkpoints of `training.run` over one backbone whose joint stages differ and whose head stages do not. Heads
are averaged number by number, and so is what the adapters add to the backbone: an average of LoRAs of rank r is one
LoRA of rank r times their number. OUT has no detector; train one on it:

  python -m training.run training/recipes/detector.toml --data DIR --out WHOLE --set init=OUT
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load, save_file

from modeling_nerret.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS, find_adapter, read_adapter
from modeling_nerret.checkpoints import load_checkpoint, locate
from modeling_nerret.configuration_nerret import NerretConfig
from modeling_nerret.modeling_nerret import NerretModel

SAME = (
    "backbone",
    "backbone_sha256",
    "layer",
    "pooling",
    "head_size",
    "head_activation",
    "hidden_size",
    "document_size",
)


def main(arguments: list[str] | None = None) -> int:
    """Average checkpoints; 0 if they fit together."""
    parser = argparse.ArgumentParser(
        prog="python -m training.soup", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="folder of the new checkpoint")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="checkpoints, two or more")
    options = parser.parse_args(arguments)
    try:
        average(options.runs).save_pretrained(options.out, head_only=True)
    except (ValueError, OSError) as error:
        print(f"soup: {error}", file=sys.stderr)
        return 1
    return 0


@torch.no_grad()
def average(names: Sequence[str]) -> NerretModel:
    """The average model of some checkpoints.

    Args:
        names: folders or names of two checkpoints or more, each with a LoRA adapter.

    Raises:
        ValueError: there are fewer than two, they do not fit together, or one has no adapter that can be averaged.
        OSError: there is no such checkpoint.
    """
    if len(names) < 2:
        raise ValueError("an average needs two checkpoints or more")
    models: list[NerretModel] = [load_checkpoint(name).model for name in names]
    first = models[0]
    for name, model in zip(names, models, strict=True):
        for field in SAME:
            one, other = getattr(model.config, field), getattr(first.config, field)
            if one != other:
                raise ValueError(f"{name} has {field} {one!r}, but {names[0]} has {other!r}; they do not fit together")
        if model.config.adapter_sha256 is None:
            raise ValueError(f"{name} has no adapter; an average of heads alone is not worth its name")
    fields = first.config.to_dict() | dict.fromkeys(("adapter_sha256", "cut_config", "golden_vector"))
    whole = NerretModel(NerretConfig.from_dict(fields)).attach_backbone()
    for head, own in zip(whole.heads, zip(*(model.heads for model in models), strict=True), strict=True):
        states = [one.state_dict() for one in own]
        head.load_state_dict({name: torch.stack([one[name] for one in states]).mean(0) for name in states[0]})
    with tempfile.TemporaryDirectory() as folder:
        write_average([read_adapter(find_adapter(locate(name))) for name in names], Path(folder))
        return whole.merge_adapter(folder)


def write_average(adapters: Sequence[dict[str, bytes]], folder: Path) -> None:
    """Write the average of LoRA adapters, given as files by name, as one adapter.

    Raises:
        ValueError: they are of another kind, or differ in more than their numbers.
    """
    configs = [json.loads(files[ADAPTER_CONFIG]) for files in adapters]
    if any(config["peft_type"] != "LORA" or config["use_dora"] for config in configs):
        raise ValueError("only plain LoRA adapters can be averaged")
    if any(config["r"] != configs[0]["r"] or config["lora_alpha"] != configs[0]["lora_alpha"] for config in configs):
        raise ValueError("the adapters differ in rank or scale")
    weights = [load(files[ADAPTER_WEIGHTS]) for files in adapters]
    count = len(weights)
    found = {}
    for name in weights[0]:
        down = "lora_A" in name  # (rank, size), and (size, rank) for the way up
        parts = [one[name] if down else one[name] / count for one in weights]
        found[name] = torch.cat(parts, 0 if down else 1).contiguous()
    # peft scales by lora_alpha / r, which stays as it is
    config = configs[0] | {"r": count * configs[0]["r"], "lora_alpha": count * configs[0]["lora_alpha"]}
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(found, folder / ADAPTER_WEIGHTS, metadata={"format": "pt"})


if __name__ == "__main__":
    sys.exit(main())
