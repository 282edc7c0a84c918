"""Train a head on cached value vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from modeling_nerret.modeling_nerret import NerretHead, NerretModel
from training.data import read_type_names
from training.features import mention_features, phrase_vectors
from training.fitting import fit
from training.losses import info_nce
from training.sampling import Pool, TypeBatches


class HeadTraining(nn.Module):
    """A head with its loss, as the Trainer wants it."""

    def __init__(self, head: NerretHead, temperature: float):
        super().__init__()
        self.head, self.temperature = head, temperature

    def forward(self, types: torch.Tensor, mentions: torch.Tensor, matches: torch.Tensor) -> dict[str, torch.Tensor]:
        """Loss of a batch; see `TypeBatches`."""
        types, mentions = (nn.functional.normalize(self.head(vectors), dim=-1) for vectors in (types, mentions))
        return {"loss": info_nce(types, mentions, matches, self.temperature)}


def load_pool(
    model: NerretModel, tokenizer: PreTrainedTokenizerBase, recipe: dict[str, Any], folder: Path, cache: Path
) -> Pool:
    """A pool from an entry of `sets`: a file of `folder`, or the corpus with its wordings and definitions."""
    name = recipe["name"]
    if name == "corpus":
        home = Path(__file__).parent / "corpus"
        entries = [json.loads(line) for line in (home / "types.jsonl").read_text(encoding="utf-8").splitlines()]
        wordings = {entry["id"]: [*entry["wordings"], entry["definition"]] for entry in entries}
        paths, names = sorted(path for path in home.glob("*.jsonl") if path.name != "types.jsonl"), {}
    else:
        names = read_type_names(folder / "types.json", name)
        paths = [folder / f"{name}.jsonl"]
        wordings = {plain: [plain] for plain in sorted(set(names.values()))}
    numbers = {plain: number for number, plain in enumerate(wordings)}
    parts = [mention_features(model, tokenizer, path, names, cache) for path in paths]
    phrases = [phrase for found in wordings.values() for phrase in found]
    ends = np.cumsum([len(found) for found in wordings.values()])
    return Pool(
        name,
        recipe["weight"],
        np.concatenate([_matrix(part) for part in parts]),
        [frozenset(numbers[plain] for plain in types) for part in parts for types in part["types"]],
        phrase_vectors(model, tokenizer, phrases),
        [range(end - len(found), end) for end, found in zip(ends, wordings.values(), strict=True)],
    )


def _matrix(part: Any) -> np.ndarray:
    """All vectors of a features dataset. (mentions, value_size) float16."""
    return np.concatenate([batch["vector"] for batch in part.iter(4096)])


def train_head(
    model: NerretModel, pools: list[Pool], recipe: dict[str, Any], folder: Path, seed: int
) -> list[dict[str, Any]]:
    """Train the model's head in place; returns the Trainer's log."""
    batches = TypeBatches(pools, recipe["types"], recipe["per_type"], recipe["balance"], seed)
    log = fit(HeadTraining(model.head, recipe["temperature"]), batches, folder, recipe["steps"], recipe["rate"], seed)
    model.head.eval()
    return log
