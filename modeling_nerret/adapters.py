"""Adapters of the peft library, such as LoRA, over a cut backbone: a few MB in a folder `adapter` beside the head."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers.utils import cached_file

# Not in the checkpoint's own folder, where transformers would take it for an adapter of the whole checkpoint
FOLDER = "adapter"
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def find_adapter(name_or_path: Any, **source: Any) -> Path:
    """The adapter's folder of a checkpoint, from a folder or a repository.

    Args:
        name_or_path: the checkpoint.
        source: `revision`, `token`, `cache_dir`, `local_files_only`, `subfolder`, as in transformers.

    Raises:
        OSError: it was not found.
    """
    paths = [cached_file(name_or_path, f"{FOLDER}/{name}", **source) for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)]
    return Path(str(paths[0])).parent


def read_adapter(folder: str | Path) -> dict[str, bytes]:
    """An adapter's files by name.

    Raises:
        OSError: one is missing; weights in other files than safetensors are not read, because they can run code.
    """
    return {name: (Path(folder) / name).read_bytes() for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)}


def write_adapter(checkpoint: Path, files: dict[str, bytes]) -> None:
    """Write an adapter's files into a checkpoint."""
    (checkpoint / FOLDER).mkdir(exist_ok=True)
    for name, content in files.items():
        (checkpoint / FOLDER / name).write_bytes(content)


def add_adapter(backbone: Any, folder: str | Path, merge: bool = True) -> Any:
    """A backbone with an adapter's weights added to its own or, without `merge`, run beside them.

    Raises:
        ImportError: peft is not installed.
    """
    try:
        with _without_kernel_notice():
            from peft import PeftModel
    except ImportError:
        raise ImportError("this checkpoint has an adapter; to load it: pip install peft") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of transformers, for what peft asks it
        model = PeftModel.from_pretrained(backbone, str(folder))
    return model.merge_and_unload() if merge else model.get_base_model()


@contextmanager
def _without_kernel_notice() -> Iterator[None]:
    """Drop one message of bitsandbytes, which peft imports if it is installed: a fast 4-bit kernel is missing.

    Nothing here is in 4 bits. Loading a 4-bit backbone imports bitsandbytes earlier, and shows the message.
    """
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")

    def keep(record: logging.LogRecord) -> bool:
        return "gemm_4bit" not in record.getMessage()

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
