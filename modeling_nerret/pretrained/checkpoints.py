"""Find and load a checkpoint by name or path: its model, tokenizer and detector."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from transformers import PreTrainedTokenizerBase

from ..adapters import FOLDER as ADAPTER
from ..backends import TORCH
from ..backends.states import check_backend, load_states
from ..detection import MentionProbe
from ..files import read_json
from ..loading import load_tokenizer
from ..manifest import read_manifest
from ..modeling_nerret import NerretModel
from ..weights import HubError, ask_hub
from .built_in import BUILT_IN, DEFAULT, built_in
from .calibration import Calibration
from .type_names import FILE as TYPES
from .type_names import TypeNames


@dataclass(frozen=True)
class Checkpoint:
    """A loaded checkpoint.

    Args:
        name: the name or path that the user asked for.
        fingerprint: SHA-256 of the configuration and weights; equal fingerprints mean equal vectors.
        model: the model.
        tokenizer: its fast tokenizer.
        detector: the checkpoint's own detector; `None` if it has none.
        calibration: turns scores into probabilities; `None` if it has none.
        folder: where its files are.
        backend: what runs the backbone.

    Example:
        >>> checkpoint = load_checkpoint(tiny_checkpoint)
        >>> checkpoint.detector is None, checkpoint.type_names is None
        (False, True)
    """

    name: str
    fingerprint: str
    model: NerretModel
    tokenizer: PreTrainedTokenizerBase
    detector: MentionProbe | None
    calibration: Calibration | None = None
    folder: Path = field(default=Path(), repr=False)
    backend: str = TORCH

    @cached_property
    def type_names(self) -> TypeNames | None:
        """The checkpoint's bank of type names, read when it is first used; `None` if it has none.

        Raises:
            OSError: the file has changed or cannot be read.
            ValueError: it does not hold names of types with this checkpoint's vectors.
        """
        return TypeNames.load(self.folder, self.model.config.hidden_size) if self._has_types else None

    @property
    def _has_types(self) -> bool:
        path = self.folder / TYPES
        return path.exists() or path.is_symlink()


def locate(name: str, revision: str | None = None, local_files_only: bool = False) -> Path:
    """The folder of a checkpoint.

    Args:
        name: built-in name, local path, or repository id on the Hub.
        revision: branch, tag or commit of the repository.
        local_files_only: use the local cache of the Hub; download nothing.

    Raises:
        OSError: there is no such checkpoint. The message lists the built-in names.
    """
    if name in built_in():
        return BUILT_IN / name
    path = Path(name)
    if (path / "config.json").is_file():
        return path
    if path.exists() or path.is_symlink():
        raise OSError(f"{name!r} is not a checkpoint: it has no file config.json")
    try:
        return Path(ask_hub(partial(snapshot_download, name, revision=revision, local_files_only=local_files_only)))
    except HubError as error:
        raise OSError(
            f"there is no model {name!r}: built in are {', '.join(built_in())}, no such folder exists, "
            f"and the Hub did not provide it ({error})"
        ) from None


def fingerprint(folder: Path) -> str:
    """SHA-256 of a checkpoint's configuration and weights, with its adapter and detector.

    The names of types are left out where they change no vector of an index, see `NerretConfig.hubness`.
    """
    digest = hashlib.sha256()
    has_hubs = bool(read_json(folder / "config.json").get("hubness"))
    files = [path for path in folder.glob("*.safetensors") if has_hubs or path.name != TYPES]
    weights = [*files, *folder.glob(f"{ADAPTER}/*")]
    for path in sorted([*weights, folder / "config.json", *folder.glob(MentionProbe.config_name)]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def load_checkpoint(
    name: str = DEFAULT, device: str | torch.device = "cpu", backend: str = TORCH, **options: Any
) -> Checkpoint:
    """Load a checkpoint with its tokenizer and detector.

    Args:
        name: built-in name, local path, or repository id on the Hub.
        device: where the model and the detector run. With `device_map` or `quantization_config`, transformers
            places the model, and the detector follows it.
        backend: what runs the backbone: `"torch"`, or on a CPU `"openvino"` (bfloat16, or 8 bits on a CPU without
            it), which is faster; vectors differ a little. The first time, the backbone is exported into the user's
            cache.
        options: `dtype`, `device_map`, `attn_implementation` or `quantization_config` of the backbone.

    Raises:
        OSError: the checkpoint or its backbone is missing or unreadable, or a file of it has changed.
        ValueError: the head was trained on another backbone, the stored test vector comes out differently, or the
            backend cannot run the backbone.
        ImportError: the backend is not installed.
    """
    check_backend(backend, device, **options)
    folder = locate(name)
    model: Any = NerretModel.from_pretrained(folder, **options)
    if not {"device_map", "quantization_config"} & options.keys():  # transformers has placed these
        model.to(device)
    tokenizer = load_tokenizer(folder, model.config)
    manifest = read_manifest(folder)
    names = {*(manifest.files if manifest else ()), *(path.name for path in folder.iterdir())}
    has_detector = MentionProbe.config_name in names
    detector = MentionProbe.from_pretrained(folder).to(model.device) if has_detector else None
    calibration = Calibration.load(folder, model.config.hidden_size)
    digest = fingerprint(folder)
    model.states_by = load_states(model, backend, digest)
    return Checkpoint(name, digest, model, tokenizer, detector, calibration, folder.absolute(), backend)
