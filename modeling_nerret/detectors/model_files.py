"""Find the files of a detector's model, and load it from safetensors alone, without code of its repository."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download
from transformers import CONFIG_MAPPING, AutoTokenizer

from ..files import one_line, read_json
from ..loading import (
    quiet,
    readable_tokenizer,
    readable_weights,
    refuse_larger,
    refuse_missing,
    refuse_nan,
    stock_config,
)
from ..weights import HubError, ask_hub, weight_files

FILES = ("*.json", "model*.safetensors", "*.txt", "*.model", "*.jinja")


def model_folder(
    name_or_path: str, patterns: Sequence[str] = FILES, check: Callable[[Path], Any] = weight_files
) -> Path:
    """The folder with a model's files: a local one, or of the Hugging Face cache or the Hub.

    Args:
        name_or_path: repository id or folder.
        patterns: which files are downloaded.
        check: raises OSError if a folder does not hold what is needed.

    Raises:
        OSError: there is no such model, or its weights are no safetensors of its own folder.
    """
    if Path(name_or_path).is_dir():
        check(Path(name_or_path))
        return Path(name_or_path)

    def snapshot(offline: bool) -> Path:
        if not offline:  # fails at once without a network, where a download retries for half a minute
            HfApi().model_info(name_or_path, timeout=10)
        folder = Path(snapshot_download(name_or_path, local_files_only=offline, allow_patterns=list(patterns)))
        check(folder)
        return folder

    try:
        return ask_hub(partial(snapshot, offline=True))
    except HubError:
        pass
    try:
        return ask_hub(partial(snapshot, offline=False))
    except HubError as error:
        raise OSError(
            f"the detector's model {name_or_path!r:.80} was not found ({error}); give a local folder or go online"
        ) from None


def load_model(kind: Any, name_or_path: str, subject: str, dtype: Any = None) -> tuple[Any, Any]:
    """A stock model and its tokenizer.

    Args:
        kind: the class of transformers that loads it, such as `AutoModelForCausalLM`.
        name_or_path: repository id or folder.
        subject: what the model must be, for messages, such as "token classifier".
        dtype: data type of the weights, as in transformers.

    Raises:
        ValueError: the model is none of this kind, lacks weights or needs code or adapters of its repository.
        OSError: there is no such model, or its files cannot be read.
    """
    folder = model_folder(name_or_path)
    config = _read_config(folder, subject)
    with readable_tokenizer(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    options = {"dtype": dtype} if dtype is not None else {}
    try:
        refuse_larger(lambda: kind.from_config(config), weight_files(folder))
        with quiet(), readable_weights(folder):
            model, report = kind.from_pretrained(
                folder,
                config=config,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # the report then says which, and they are refused below
                **options,
            )
        refuse_missing(report, "it")
        refuse_nan(model, "it")
    except OSError:
        raise
    except Exception as error:  # whatever transformers makes of a value that it does not expect
        raise ValueError(f"the model {name_or_path!r:.80} is no {subject} ({one_line(error)})") from error
    return model.eval(), tokenizer


def _read_config(folder: Path, subject: str) -> Any:
    """A model's configuration, without what only the caller chooses, such as an implementation of attention."""
    fields = read_json(folder / "config.json")
    model_type = str(fields.get("model_type"))
    if model_type not in CONFIG_MAPPING:
        raise ValueError(
            f"the model in {folder} ({model_type!r:.80}) is no {subject} that transformers itself supports; nerret "
            "never runs code from a model's repository"
        )
    if fields.get("quantization_config"):
        raise ValueError(f"the weights in {folder} are quantised; use the original ones")
    if (folder / "adapter_config.json").exists():
        raise ValueError(f"{folder} holds adapter_config.json; merge the adapter into the model's weights")
    return stock_config(folder / "config.json", fields)
