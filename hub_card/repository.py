"""A checkpoint as a repository that loads without the package, through the code that it brings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
import transformers

from hub_card.sources import AUTO_MAP, MODULE, copy_sources
from modeling_nerret.checkpoints import Checkpoint

ENDPOINT_FILES = ("handler.py", "requirements.txt")
# What the code that travels along needs; checked by sentence-transformers before it loads anything
REQUIREMENTS = {"transformers": ">=5.5,<6", "sentence-transformers": ">=6.0,<7"}


def write_custom(checkpoint: Checkpoint, folder: Path) -> None:
    """Write the self-contained form: weights, code, tokenizer, detector and the files of sentence-transformers.

    Raises:
        ValueError: the checkpoint's backbone is quantised.
    """
    checkpoint.model.save_pretrained(folder, head_only=False)
    update_json(folder / "config.json", auto_map=AUTO_MAP)
    checkpoint.tokenizer.save_pretrained(folder)
    if checkpoint.detector is not None:
        checkpoint.detector.save_pretrained(folder)
    copy_sources(folder)
    write_modules(folder, [("", MODULE)])
    write_json(folder / "nerret_st_config.json", {})
    write_st_config(folder, REQUIREMENTS)
    for name in ENDPOINT_FILES:
        own = Path(__file__).parent / name
        if own.exists():
            shutil.copyfile(own, folder / name)


def write_modules(folder: Path, modules: list[tuple[str, str]]) -> None:
    """Write modules.json from the folder and class of each module in turn."""
    entries = [{"idx": at, "name": str(at), "path": path, "type": type_} for at, (path, type_) in enumerate(modules)]
    write_json(folder / "modules.json", entries)


def write_st_config(folder: Path, requirements: dict[str, str] | None = None) -> None:
    """Write what sentence-transformers wants to know of the whole model. Both prompts are empty by design.

    The version is the oldest that reads the files: a newer one here would make older ones warn without a reason.
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


def update_json(path: Path, **fields: Any) -> None:
    """Change fields of a JSON file."""
    write_json(path, json.loads(path.read_text(encoding="utf-8")) | fields)


def write_json(path: Path, content: Any) -> None:
    """Write JSON as the libraries do; the folder is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
