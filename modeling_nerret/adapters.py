"""Adapters of the peft library, such as LoRA, over a cut backbone: a few MB in a folder `adapter` beside the head."""

from __future__ import annotations

import logging
import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from transformers.utils import cached_file

from .files import one_line, read_json, regular_file

# Not in the checkpoint's own folder, where transformers would take it for an adapter of the whole checkpoint
FOLDER = "adapter"
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
# Names of modules. A pattern could take for ever to match, so it is refused
NAME = re.compile(r"[\w.]{1,200}")
LARGEST_RANK = 4096
# What peft writes for its own use
NOTES = (
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "peft_type",
    "peft_version",
    "revision",
    "task_type",
)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_RANK


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < math.inf


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and NAME.fullmatch(name) for name in value)


def _is_table(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and _are_names(list(value)) and all(map(check, value.values()))


# Settings that may differ from peft's defaults: all others change the backbone's weights, read files or import code
SETTINGS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "r": (lambda value: _is_count(value) and value > 0, f"a whole number from 1 to {LARGEST_RANK}"),
    **dict.fromkeys(("lora_alpha", "lora_dropout"), (_is_number, "a number")),
    "bias": (lambda value: value in ("none", "all", "lora_only"), "'none', 'all' or 'lora_only'"),
    **dict.fromkeys(
        ("fan_in_fan_out", "init_ia3_weights", "init_lora_weights", "lora_bias", "use_dora", "use_rslora"),
        (lambda value: isinstance(value, bool), "true or false"),
    ),
    **dict.fromkeys(("exclude_modules", "feedforward_modules", "target_modules"), (_are_names, "a list of names")),
    "layers_pattern": (_are_names, "a list of names"),
    "layers_to_transform": (lambda value: isinstance(value, list) and all(map(_is_count, value)), "a list of numbers"),
    "rank_pattern": (_is_table(_is_count), "a table of names and ranks"),
    "alpha_pattern": (_is_table(_is_number), "a table of names and numbers"),
}


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
        OSError: one is missing or no regular file; weights in other files than safetensors are not read, because they
            can run code.
    """
    return {name: regular_file(Path(folder) / name).read_bytes() for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS)}


def write_adapter(checkpoint: Path, files: dict[str, bytes]) -> None:
    """Write an adapter's files into a checkpoint."""
    (checkpoint / FOLDER).mkdir(exist_ok=True)
    for name, content in files.items():
        (checkpoint / FOLDER / name).write_bytes(content)


def add_adapter(backbone: Any, folder: str | Path, merge: bool = True) -> Any:
    """A backbone with an adapter's weights added to its own or, without `merge`, run beside them.

    Raises:
        ImportError: peft is not installed.
        OSError: a file is missing or cannot be read.
        ValueError: the adapter's settings are refused, or its weights do not fit the backbone.
    """
    try:
        with _without_kernel_notice():
            from peft import IA3Config, LoraConfig, PeftModel
    except ImportError:
        raise ImportError("this checkpoint has an adapter; to load it: pip install peft") from None
    config = _config_of(Path(folder) / ADAPTER_CONFIG, {"LORA": LoraConfig, "IA3": IA3Config})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of transformers, for what peft asks it
            warnings.filterwarnings("error", message="Found missing adapter keys")
            model = PeftModel.from_pretrained(backbone, str(folder), config=config)
        return model.merge_and_unload() if merge else model.get_base_model()
    except Exception as error:  # whatever peft makes of weights that do not fit
        raise ValueError(f"the adapter in {folder} does not fit its backbone: {one_line(error)}") from error


def _config_of(path: Path, classes: dict[str, Any]) -> Any:
    """The configuration of an adapter, with settings that can do no harm.

    Raises:
        OSError: the file is missing, or not JSON.
        ValueError: another setting than those differs from its default, or has another type.
    """
    settings = read_json(path)
    config_class = classes.get(str(settings.get("peft_type")))
    if config_class is None:
        names = ", ".join(map(repr, classes))
        raise ValueError(f"{path}: peft_type is {settings.get('peft_type')!r:.80}; accepted are {names}")
    defaults = {
        entry.name: entry.default if entry.default_factory is MISSING else entry.default_factory()
        for entry in fields(config_class)
    }
    options: dict[str, Any] = {}
    for name, value in settings.items():
        if name in NOTES or not value or value == defaults.get(name):
            continue
        check, kind = SETTINGS.get(name, (lambda value: False, "its default"))
        if name not in defaults or not check(value):
            raise ValueError(f"{path}: {name} is {value!r:.80}; accepted is only {kind}")
        options[name] = value
    options |= {name: False for name, value in settings.items() if value is False and defaults.get(name) is True}
    return config_class(**options)


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
