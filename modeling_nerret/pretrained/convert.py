"""Turn the head that the authors of NER Retriever published into a head-only checkpoint.

Their file holds a two-layer MLP over the value vector of a mention's last token (arXiv 2509.04011): net.0 is the inner
layer, net.1 SiLU, net.2 dropout, net.3 the outer layer. They compare vectors by cosine. Ours have length 1, so their
ranking is the same.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ..configuration_nerret import NerretConfig
from ..files import regular_file
from ..loading import readable_weights, refuse_nan
from ..modeling_nerret import NerretHead, NerretModel
from ..weights import commit_of, find_backbone

TENSORS = ("net.0.weight", "net.0.bias", "net.3.weight", "net.3.bias")


def convert(path: Path, backbone: str, layer: int, out: Path, revision: str | None = None) -> NerretModel:
    """Write a head-only checkpoint from a published head and the name of its backbone.

    This needs the backbone's weights: the checkpoint stores their SHA-256 and a test vector computed with them. Only
    the blocks up to V of block `layer` are loaded.

    Args:
        path: the published file, `.safetensors` or a pickle (`.pth`) of tensors.
        backbone: repository id or folder, which the checkpoint records as given.
        layer: 0-based block whose value vectors the head was trained on.
        out: the checkpoint's folder, new or empty.
        revision: commit of the backbone's repository, which the checkpoint records; default: the commit in the cache.

    Returns:
        The model.

    Raises:
        ValueError: the file does not hold such a head, or the head does not fit the backbone.
        OSError: the file or the backbone is missing, or `out` is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty; name a new folder")
    head = read_head(path)
    folder = find_backbone(backbone, revision)
    revision = commit_of(folder) or revision
    model = NerretModel.from_backbone(backbone, layer, head, pooling="end", revision=revision)
    model.save_pretrained(out, head_only=True)
    return model


def read_head(path: Path) -> NerretHead:
    """Read the head from a published file without running any code in it.

    Raises:
        ValueError: the file does not hold such a head; the message says what it holds.
        OSError: the file is missing or damaged.
    """
    weights = _read(path)
    names = list(weights) if isinstance(weights, dict) else [type(weights).__name__]
    if set(names) != set(TENSORS):
        raise ValueError(f"{path} holds {', '.join(map(str, names[:6]))}; a published head holds {', '.join(TENSORS)}")
    if not all(isinstance(weight, torch.Tensor) and weight.is_floating_point() for weight in weights.values()):
        raise ValueError(f"{path}: the weights of a head must be tensors of floating-point numbers")
    shapes = {name: tuple(weights[name].shape) for name in TENSORS}
    inner, outer, width = weights["net.0.bias"].numel(), weights["net.3.bias"].numel(), shapes["net.0.weight"][-1:]
    if shapes != dict(zip(TENSORS, ((inner, *width), (inner,), (outer, inner), (outer,)), strict=True)):
        raise ValueError(f"{path}: these shapes do not make a head of two layers: {shapes}")
    head = NerretHead(NerretConfig(value_size=width[0], head_size=inner, hidden_size=outer))
    head.load_state_dict({name.removeprefix("net."): weight for name, weight in weights.items()})
    refuse_nan(head, str(path))
    return head


def _read(path: Path) -> Any:
    """The content of a file: tensors by name if it is a published head."""
    regular_file(path)
    if path.suffix == ".safetensors":
        with readable_weights(path):
            return load_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is refused: it holds more than tensors, or torch.save did not write it. Only tensors are read, "
            "because a pickle can run code. If you trust the file, save its tensors as safetensors"
        ) from error
    except (RuntimeError, EOFError) as error:
        raise OSError(f"{path} cannot be read ({' '.join(str(error).split())[:160]}); download it again") from error
