"""Train an adapter of the backbone's blocks together with the head and the document head, on the texts themselves.

Cached value vectors are of no use here, because the adapter changes them with every step. The gradient goes through the
cut backbone only. At the end the adapter lies in peft's form beside the head, and is merged into the model's weights.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import PreTrainedTokenizerBase, set_seed

from modeling_nerret.adapters import FOLDER, read_adapter
from modeling_nerret.detection import GivenSpans
from modeling_nerret.encoding import Encoder
from modeling_nerret.modeling_nerret import NerretModel
from .averaging import average_adapters, average_states
from .data import Source
from .fitting import Schedule, fit
from .holdout import HeldOutTexts, hold_out_texts, shares_of, with_goal
from .losses import info_nce
from .text_batches import TextBatches, texts_by_type

Log = list[dict[str, Any]]


class JointTraining(nn.Module):
    """A model with its loss: types against mentions, and types against the texts that mention them."""

    def __init__(self, model: NerretModel, temperature: float, document_share: float):
        super().__init__()
        self.model, self.temperature, self.document_share = model, temperature, document_share

    def train(self, mode: bool = True) -> JointTraining:
        """As in torch, but without dropout in the backbone, which would make attention slow."""
        super().train(mode)
        self.model.backbone.eval()
        return self

    def forward(
        self,
        parts: list[dict[str, torch.Tensor]],
        types: torch.Tensor,
        mentions: torch.Tensor,
        matches: torch.Tensor,
        texts: torch.Tensor,
        holds: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """Loss of a batch of `TextBatches`."""
        found, whole = [], []
        for part in parts:
            states = self.model.hidden_states(part["ids"], part["mask"])  # (windows, tokens, backbone size)
            found.append(self.model.embed(states, part["spans"]))
            if self.document_share:
                whole.append(self.model.embed_texts(states, part["windows"]))
        vectors = torch.cat(found)  # (spans of all parts, hidden_size)
        queries = vectors[types]
        loss = info_nce(queries, vectors[mentions], matches, self.temperature)
        if self.document_share and len(texts):
            documents = torch.cat(whole)[texts]  # (texts, hidden_size)
            loss = loss + self.document_share * info_nce(queries, documents, holds, self.temperature)
        return {"loss": loss}


def adapt(backbone: Any, name: str, recipe: dict[str, Any]) -> Any:
    """A backbone under a new adapter on all its linear maps; `name` is what the adapter says that it belongs to."""
    config = LoraConfig(
        r=recipe["rank"],
        lora_alpha=recipe["scale"] * recipe["rank"],  # peft divides it by the rank
        target_modules="all-linear",
        use_dora=recipe["method"] == "dora",
    )
    adapted = get_peft_model(backbone, config)
    adapted.peft_config["default"].base_model_name_or_path = name
    return adapted


def train_joint(
    model: NerretModel,
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[Source],
    recipe: dict[str, Any],
    folder: Path,
) -> tuple[Log, dict[str, Any]]:
    """Train adapter, head and document head in place; returns the Trainer's log and what was read.

    Several runs begin from the same heads and differ by their seeds; the model becomes their average. The log is that
    of the first.

    Raises:
        ValueError: the model has an adapter already.
    """
    own = recipe["joint"]
    if model.config.adapter_sha256 is not None:
        raise ValueError("the model has an adapter already; begin with its backbone, or set joint.steps=0")
    apart = [hold_out_texts(source, **shares_of(recipe)) for source in sources]
    sources, held = map(list, zip(*apart, strict=True))

    def measure_all() -> dict[str, float]:
        encoder = Encoder(model.eval(), tokenizer, GivenSpans())
        return with_goal(
            {
                f"{source.name} {kind}": numbers
                for source, one in zip(sources, held, strict=True)
                for kind, numbers in one.measure(encoder, own["temperature"]).items()
            }
        )

    measured = measure_all if any(one.sets for one in held) else None
    facts: dict[str, Any] = {
        "sets": [_describe(source, one) for source, one in zip(sources, held, strict=True)],
        "before": measured() if measured else {},
    }
    start = [copy.deepcopy(head.state_dict()) for head in model.heads]
    logs, adapters, states = [], [], []
    for number in range(own["runs"]):
        for head, state in zip(model.heads, start, strict=True):
            head.load_state_dict(state)
        run = folder / f"run-{number}"
        logs.append(_train_one(model, tokenizer, sources, recipe | {"seed": recipe["seed"] + number}, run, measured))
        adapters.append(read_adapter(run / FOLDER))
        states.append([copy.deepcopy(head.state_dict()) for head in model.heads])
    for head, found in zip(model.heads, zip(*states, strict=True), strict=True):
        head.load_state_dict(average_states(found))
    average_adapters(adapters, folder / FOLDER)
    model.merge_adapter(folder / FOLDER)
    return logs[0], facts | {"after": measured() if measured else {}}


def _describe(source: Source, held: HeldOutTexts) -> dict[str, Any]:
    return {
        "name": source.name,
        "weight": source.weight,
        "texts": len(source.texts),
        "types": len(texts_by_type(source)),
        "held_out_texts": len(held.owners),
    }


def _train_one(
    model: NerretModel,
    tokenizer: PreTrainedTokenizerBase,
    sources: Sequence[Source],
    recipe: dict[str, Any],
    folder: Path,
    measured: Callable[[], dict[str, float]] | None,
) -> Log:
    """Train the heads in place and write the adapter into `folder`; the model's backbone stays as it is."""
    own = recipe["joint"]
    set_seed(recipe["seed"])  # whatever ran before, or did not because it had ended
    model.backbone = adapt(model.backbone, model.config.backbone, own)
    for head in model.heads:
        head.requires_grad_(True)
    share = own["document_share"] if model.document_head is not None else 0.0
    module = JointTraining(model, own["temperature"], share)
    stream = TextBatches(sources, tokenizer, model.causal, recipe)
    log = fit(module, stream, folder, Schedule.of(recipe, "joint"), measured)
    model.backbone.save_pretrained(folder / FOLDER)
    model.backbone = model.backbone.unload()
    return log
