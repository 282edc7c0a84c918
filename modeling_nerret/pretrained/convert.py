"""Turn the head that the authors of NER Retriever published into a head-only checkpoint.

Their file holds a two-layer MLP over the value vector of a mention's last token (arXiv 2509.04011): net.0 is the inner
layer, net.1 SiLU, net.2 dropout, net.3 the outer layer. Its vectors are compared by cosine, so that ours, of length 1,
rank alike.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from ..configuration_nerret import NerretConfig
from ..loading import readable_weights, refuse_nan
from ..modeling_nerret import NerretHead, NerretModel
from ..weights import find_backbone

LAYOUT = ("net.0.weight", "net.0.bias", "net.3.weight", "net.3.bias")


def convert(path: Path, backbone: str, layer: int, out: Path, revision: str | None = None) -> NerretModel:
    """Write a published head and the name of its backbone as a head-only checkpoint.

    The backbone's weights have to be at hand, because the checkpoint pins their SHA-256 and keeps a vector that they
    give; only what stands before block `layer`'s V is loaded.

    Args:
        path: the published file, `.safetensors` or a pickle (`.pth`) of tensors.
        backbone: repository id or folder; the checkpoint names it so.
        layer: 0-based block whose value vectors the head was trained on.
        out: the checkpoint's folder, new or empty.
        revision: commit of the repository; by default the one that is found, which the checkpoint then names.

    Returns:
        The model.

    Raises:
        ValueError: the file holds something else than such a head, or the head does not fit the backbone.
        OSError: a file or the backbone is not there, or `out` is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty; name a new folder")
    head = read_head(path)
    folder = find_backbone(backbone, revision)
    if folder.parent.name == "snapshots":  # of the Hugging Face cache, where a folder's name is its commit
        revision = folder.name
    model = NerretModel.from_backbone(backbone, layer, head, pooling="end", revision=revision)
    model.save_pretrained(out, head_only=True)
    return model


def read_head(path: Path) -> NerretHead:
    """A head from a published file; no code in it is ever run.

    Raises:
        ValueError: the file holds something else; the message says what.
        OSError: it is not there, or not whole.
    """
    weights = _read(path)
    names = list(weights) if isinstance(weights, dict) else [type(weights).__name__]
    if set(names) != set(LAYOUT):
        raise ValueError(f"{path} holds {', '.join(map(str, names[:6]))}; a published head holds {', '.join(LAYOUT)}")
    if not all(isinstance(weight, torch.Tensor) and weight.is_floating_point() for weight in weights.values()):
        raise ValueError(f"{path}: the weights of a head are tensors of floating-point numbers")
    shapes = {name: tuple(weights[name].shape) for name in LAYOUT}
    inner, outer, width = weights["net.0.bias"].numel(), weights["net.3.bias"].numel(), shapes["net.0.weight"][-1:]
    if shapes != dict(zip(LAYOUT, ((inner, *width), (inner,), (outer, inner), (outer,)), strict=True)):
        raise ValueError(f"{path}: these shapes make no head of two layers: {shapes}")
    head = NerretHead(NerretConfig(value_size=width[0], head_size=inner, hidden_size=outer))
    head.load_state_dict({name.removeprefix("net."): weight for name, weight in weights.items()})
    refuse_nan(head, str(path))
    return head


def _read(path: Path) -> Any:
    """The tensors of a file by name, or whatever else it holds."""
    if path.suffix == ".safetensors":
        with readable_weights(path):
            return load_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is refused: it holds more than tensors, or is no file of torch.save; only tensors are read, "
            "because a pickle can run code. Where you trust the file, save its tensors as safetensors"
        ) from error
    except (RuntimeError, EOFError) as error:
        raise OSError(f"{path} cannot be read ({' '.join(str(error).split())[:160]}); fetch it again") from error
