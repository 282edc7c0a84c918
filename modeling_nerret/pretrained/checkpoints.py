"""Checkpoints by name or path: model, tokenizer and detector together."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import PreTrainedTokenizerBase

from ..adapters import FOLDER as ADAPTER
from ..detection import MentionProbe
from ..loading import load_tokenizer
from ..modeling_nerret import NerretModel
from ..weights import HubError, ask_hub

BUILT_IN = Path(__file__).parent
DEFAULT = "nerret-minilm"


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint.

    Args:
        name: as the user gave it.
        fingerprint: SHA-256 over the configuration and weights; equal fingerprints give equal vectors.
        model: the model.
        tokenizer: its fast tokenizer.
        detector: the checkpoint's own detector; `None` if it has none.
    """

    name: str
    fingerprint: str
    model: NerretModel
    tokenizer: PreTrainedTokenizerBase
    detector: MentionProbe | None


def built_in() -> list[str]:
    """Names of the checkpoints that ship inside the package."""
    return sorted(path.name for path in BUILT_IN.iterdir() if (path / "config.json").exists())


def locate(name: str, revision: str | None = None, local_files_only: bool = False) -> Path:
    """A checkpoint's folder: a built-in name, a local path, or a repository of the Hub.

    Raises:
        OSError: there is no such checkpoint; the message lists what there is.
    """
    if name in built_in():
        return BUILT_IN / name
    path = Path(name)
    if (path / "config.json").is_file():
        return path
    if path.exists():
        raise OSError(f"{name!r} is no checkpoint: it holds no config.json")
    try:
        return Path(ask_hub(partial(snapshot_download, name, revision=revision, local_files_only=local_files_only)))
    except HubError as error:
        raise OSError(
            f"there is no model {name!r}: built in are {', '.join(built_in())}, no such folder exists, "
            f"and the Hub gave none ({error})"
        ) from None


def fingerprint(folder: Path) -> str:
    """SHA-256 of a checkpoint's configuration and weights, adapter and detector included."""
    digest = hashlib.sha256()
    weights = [*folder.glob("*.safetensors"), *folder.glob(f"{ADAPTER}/*")]
    for path in sorted([*weights, folder / "config.json", *folder.glob(MentionProbe.config_name)]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def load_checkpoint(name: str = DEFAULT, device: str | torch.device = "cpu", **options: Any) -> Checkpoint:
    """Load a checkpoint with its tokenizer and detector.

    Args:
        name: built-in name, path or repository id.
        device: where model and detector run; a `device_map` among the options decides for the model instead.
        options: `dtype`, `device_map` or `quantization_config` of the backbone.

    Raises:
        OSError: checkpoint or backbone was not found, or cannot be read.
        ValueError: the backbone is not the one that the head was trained on, or the vectors are not what they were.
    """
    folder = locate(name)
    model: Any = NerretModel.from_pretrained(folder, **options)
    if not {"device_map", "quantization_config"} & options.keys():  # such models are where they must be
        model.to(device)
    tokenizer = load_tokenizer(folder, model.config)
    has_detector = (folder / MentionProbe.config_name).exists()
    detector = MentionProbe.from_pretrained(folder).to(model.device) if has_detector else None
    return Checkpoint(name, fingerprint(folder), model, tokenizer, detector)
