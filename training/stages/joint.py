"""The second stage: train an adapter of the backbone's blocks with the head and the document head, on the texts.

Cached value vectors are of no use here, because the adapter changes them with every step. The gradient goes through
the cut backbone only. At the end the adapter is written in peft's form, and merged into the model's weights.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import set_seed

from modeling_nerret.adapters import FOLDER, read_adapter
from modeling_nerret.detection import GivenSpans
from modeling_nerret.encoding import Encoder
from modeling_nerret.modeling_nerret import NerretModel

from ..batches.texts import TextBatches, texts_by_type
from ..data.source import Source
from ..recipes import JointSection
from .averaging import average_adapters, average_states
from .fitting import Log, Schedule, fit
from .holdout import HeldOutTexts, hold_out_texts, with_goal
from .losses import distillation, info_nce
from .stage import RunState, Stage
from .teacher import Teacher


class JointLoss(nn.Module):
    """A model with its loss: types against mentions, and types against the texts that mention them.

    Args:
        model: the model.
        section: the recipe's, with `temperature`, `document_share` and `teacher_share`.
        teacher: scores texts for types; the document vectors learn these scores as well. `None`: there is none.
    """

    def __init__(self, model: NerretModel, section: JointSection, teacher: Teacher | None = None):
        super().__init__()
        self.model, self.section, self.teacher = model, section, teacher
        self.document_share = section.document_share if model.document_head is not None else 0.0

    def train(self, mode: bool = True) -> JointLoss:
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
        may_match: torch.Tensor,
        texts: torch.Tensor,
        holds: torch.Tensor,
        may_hold: torch.Tensor,
        queries: list[str],
        passages: list[str],
    ) -> dict[str, torch.Tensor]:
        """Loss of a batch of `TextBatches`."""
        spans, windows = [], []
        for part in parts:
            states = self.model.hidden_states(part["ids"], part["mask"])  # (windows, tokens, backbone size)
            spans.append(self.model.embed(states, part["spans"]))
            if self.document_share:
                windows.append(self.model.embed_texts(states, part["windows"]))
        section, vectors = self.section, torch.cat(spans)  # (spans of all parts, hidden_size)
        type_vectors = vectors[types]
        loss = info_nce(type_vectors, vectors[mentions], matches, section.temperature, may_match)
        if self.document_share and len(texts):
            documents = torch.cat(windows)[texts]  # (texts, hidden_size)
            contrast = info_nce(type_vectors, documents, holds, section.temperature, may_hold)
            loss = loss + self.document_share * contrast
            if self.teacher is not None:
                scores = self.teacher(queries, passages).to(documents.device)  # (types, texts)
                distance = distillation(type_vectors @ documents.T, scores, section.temperature)
                loss = loss + section.teacher_share * distance
        return {"loss": loss}


def adapt(backbone: Any, name: str, section: JointSection) -> Any:
    """A backbone under a new adapter on all its linear maps; the adapter's settings name the backbone `name`."""
    config = LoraConfig(
        r=section.rank,
        lora_alpha=section.scale * section.rank,  # peft divides it by the rank
        target_modules="all-linear",
        use_dora=section.method == "dora",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of transformers, for what peft asks it
        adapted_backbone = get_peft_model(backbone, config)
    adapted_backbone.peft_config["default"].base_model_name_or_path = name
    return adapted_backbone


class JointStage(Stage):
    """Trains adapter, head and document head.

    Several runs start from the same heads with different seeds, and the model becomes their average. The log is that of
    the first.
    """

    name = "joint"

    def __init__(self, state: RunState):
        super().__init__(state)
        self.section = state.recipe.joint
        if state.model.config.adapter_sha256 is not None:
            raise ValueError("the model has an adapter already; start from its backbone, or set joint.steps=0")
        if self.section.teacher and state.model.document_head is None:  # a new model's recipe has been checked
            raise ValueError(
                f"joint.teacher teaches the document head, which init = {state.recipe.init!r} lacks; remove the teacher"
            )
        self.sources: list[Source] = []
        self.held_out: list[HeldOutTexts] = []
        self.teacher = Teacher(self.section.teacher, state.recipe.device) if self.section.teacher else None

    def prepare(self, sources: Sequence[Source]) -> dict[str, Any]:
        """See `Stage`."""
        for source in sources:
            rest, held_out = hold_out_texts(source, self.state.recipe.held_out)
            self.sources.append(rest)
            self.held_out.append(held_out)
        return {"sets": [_describe(*pair) for pair in zip(self.sources, self.held_out, strict=True)]}

    def measure(self) -> dict[str, float]:
        """Numbers of every held-out set, and their mean R-Precision as `goal`."""
        if not any(held_out.samples for held_out in self.held_out):
            return {}
        encoder = Encoder(self.state.model.eval(), self.state.tokenizer, GivenSpans())
        return with_goal(
            {
                f"{source.name} {kind}": numbers
                for source, held_out in zip(self.sources, self.held_out, strict=True)
                for kind, numbers in held_out.measure(encoder, self.section.temperature).items()
            }
        )

    def train(self, folder: Path) -> Log:
        """See `Stage`."""
        model = self.state.model
        start = [copy.deepcopy(head.state_dict()) for head in model.heads]
        logs, adapters, states = [], [], []
        for number in range(self.section.runs):
            for head, state in zip(model.heads, start, strict=True):
                head.load_state_dict(state)
            logs.append(self._train_run(self.state.recipe.seed + number, folder / f"run-{number}"))
            adapters.append(read_adapter(folder / f"run-{number}" / FOLDER))
            states.append([copy.deepcopy(head.state_dict()) for head in model.heads])
        for head, head_states in zip(model.heads, zip(*states, strict=True), strict=True):
            head.load_state_dict(average_states(head_states))
        average_adapters(adapters, folder / FOLDER)
        model.merge_adapter(folder / FOLDER)
        return logs[0]

    def _train_run(self, seed: int, folder: Path) -> Log:
        """Train the heads in place and write the adapter into `folder`; the model's backbone stays as it is."""
        model, section = self.state.model, self.section
        set_seed(seed)  # whatever ran before, or did not because it had ended
        model.backbone = adapt(model.backbone, model.config.backbone, section)
        for head in model.heads:
            head.requires_grad_(True)
        loss = JointLoss(model, section, self.teacher)
        batches = TextBatches(self.sources, section, seed, self.state.tokenizer, model.causal)
        schedule = Schedule.of(replace(self.state.recipe, seed=seed), section)
        has_held_out = any(held_out.samples for held_out in self.held_out)
        log = fit(loss, batches, folder, schedule, self.measure if has_held_out else None)
        model.backbone.save_pretrained(folder / FOLDER)
        model.backbone = model.backbone.unload()
        return log


def _describe(source: Source, held_out: HeldOutTexts) -> dict[str, Any]:
    """How much of a source is trained on."""
    return {
        "name": source.name,
        "weight": source.weight,
        "texts": len(source.texts),
        "types": len(texts_by_type(source)),
        "held_out_texts": len(held_out.owners),
    }
