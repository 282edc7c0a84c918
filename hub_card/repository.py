"""A checkpoint as a repository with its code, so that it loads without the package."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from sentence_transformers import SentenceTransformer

from modeling_nerret.loading import without_bars
from modeling_nerret.manifest import KINDS, write_manifest
from modeling_nerret.pretrained.checkpoints import Checkpoint
from modeling_nerret.st_nerret import NerretTransformer

from .sources import AUTO_MAP, MODULE, copy_sources

ENDPOINT_FILES = ("handler.py", "requirements.txt")
TOLERANCE, HALF_TOLERANCE = 1e-5, 0.05  # of one number in a vector of length 1, in float32 and in half precision
# Versions that the repository's code needs; sentence-transformers checks them before it loads anything
REQUIREMENTS = {"transformers": ">=5.11,<6", "sentence-transformers": ">=6.0,<7"}


def write_custom(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the self-contained form: weights, code, tokenizer, detector, type names, calibration, and more.

    Raises:
        ValueError: the checkpoint's backbone is quantised.
    """
    checkpoint.model.save_pretrained(folder, head_only=False)
    _write_config(folder / "config.json")
    _write_tokenizer(checkpoint.tokenizer, folder)
    if checkpoint.detector is not None:
        checkpoint.detector.save_pretrained(folder)
    if checkpoint.type_names is not None:
        checkpoint.type_names.save(folder)
    if checkpoint.calibration is not None:
        checkpoint.calibration.save(folder)
    copy_sources(folder)
    write_modules(folder, [("", MODULE)])
    write_st_config(folder, REQUIREMENTS)
    for name in ENDPOINT_FILES:
        shutil.copyfile(Path(__file__).parent / name, folder / name)
    write_manifest(folder, *KINDS)


def compare(checkpoint: Checkpoint, folder: Path, queries: Sequence[str]) -> float:
    """Largest difference between a repository's vectors of type queries and the checkpoint's.

    Raises:
        ValueError: the difference is larger than rounding can explain.
    """
    with without_bars():
        repository = SentenceTransformer(str(folder), device="cpu", trust_remote_code=True, local_files_only=True)
    model: Any = checkpoint.model
    original = SentenceTransformer(modules=[NerretTransformer(model, checkpoint.tokenizer)], device=str(model.device))
    vectors, expected = (encoder.eval().encode(list(queries)) for encoder in (repository, original))
    difference = float(np.abs(vectors - expected).max())  # of (queries, hidden_size)
    if not difference < (TOLERANCE if model.dtype == torch.float32 else HALF_TOLERANCE):
        raise ValueError(
            f"the repository gives other vectors than the checkpoint (by {difference:.1e}); it was deleted"
        )
    return difference


def pad_token(tokenizer: Any) -> str:
    """The token that pads batches. Without a padding token another one serves, because the attention mask hides it."""
    return str(tokenizer.pad_token or tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0))


def _write_config(path: Path) -> None:
    """Name the classes to load, and remove the paths of this machine."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["cut_config"].pop("_name_or_path", None)
    if config["backbone"] and Path(config["backbone"]).exists():
        config["backbone"] = None
    write_json(path, config | {"auto_map": AUTO_MAP})


def _write_tokenizer(tokenizer: Any, folder: Path) -> None:
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"pad_token": pad_token(tokenizer)}
    write_json(path, {name: value for name, value in config.items() if name not in ("is_local", "local_files_only")})


def write_modules(folder: Path, modules: list[tuple[str, str]]) -> None:
    """Write modules.json from the folder and class of each module in turn."""
    entries = [
        {"idx": position, "name": str(position), "path": path, "type": type_}
        for position, (path, type_) in enumerate(modules)
    ]
    write_json(folder / "modules.json", entries)


def write_st_config(folder: Path, requirements: dict[str, str] | None = None) -> None:
    """Write the settings of sentence-transformers for the whole model. Both prompts are empty by design.

    The version is the oldest that reads the files: older releases warn, needlessly, of a newer one.
    """
    oldest = "4.0.2" if requirements is None else "6.0.0"
    config: dict[str, Any] = {
        "__version__": {
            "sentence_transformers": oldest,
            "transformers": transformers.__version__,
            "pytorch": torch.__version__.partition("+")[0],
        },
        "prompts": {"query": "", "document": ""},
        "default_prompt_name": None,
        "similarity_fn_name": "cosine",
    }
    if requirements is not None:
        config |= {"model_type": "SentenceTransformer", "requirements": requirements}
    write_json(folder / "config_sentence_transformers.json", config)


def write_json(path: Path, content: Any) -> None:
    """Write JSON as the libraries do; create the folder if necessary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
