"""The model that a run starts from, and the checkpoint that it writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import BitsAndBytesConfig

from modeling_nerret.detection import MentionProbe
from modeling_nerret.loading import backbone_tokenizer
from modeling_nerret.manifest import KINDS, write_manifest
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.weights import commit_of, find_backbone

from .recipes import Recipe
from .stages.stage import RunState
from .type_names import corpus_type_names


def load_start(recipe: Recipe, device: torch.device | str, cache: Path) -> RunState:
    """Load what training starts from: model, tokenizer and, if the checkpoint `init` has one, detector.

    Args:
        recipe: names the checkpoint or the backbone.
        device: of the model.
        cache: folder of value vectors.

    Raises:
        OSError: checkpoint or backbone was not found.
        ValueError: the recipe sets what the checkpoint has already, or does not fit the backbone.
    """
    options = _loading_options(recipe, device)
    if recipe.init:
        start = load_checkpoint(recipe.init, device, **options)
        if start.detector is not None and recipe.probe:
            raise ValueError(f"init = {recipe.init!r} already has a detector; remove [probe] from the recipe")
        return RunState(recipe, start.model, start.tokenizer, start.detector, cache)
    backbone = find_backbone(recipe.backbone, recipe.revision or None)
    model = NerretModel.from_backbone(
        backbone, layer=int(recipe.layer), pooling=recipe.pooling, **recipe.model, **options
    )
    model.config.backbone = recipe.backbone
    model.config.backbone_revision = recipe.revision or commit_of(backbone)
    if not recipe.quantization:
        model.to(device)  # type: ignore[arg-type]
    return RunState(recipe, model, backbone_tokenizer(backbone, model.causal), None, cache)


def _loading_options(recipe: Recipe, device: torch.device | str) -> dict[str, Any]:
    """Precision and quantization of the backbone, as transformers takes them."""
    options: dict[str, Any] = {} if recipe.dtype == "auto" else {"dtype": getattr(torch, recipe.dtype)}
    if recipe.quantization:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=recipe.quantization,
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        options["device_map"] = {"": device}
    return options


def save_checkpoint(state: RunState, folder: Path) -> None:
    """Write model, detector and names of types; a model that did not start from a checkpoint is written head-only."""
    recipe, model = state.recipe, state.model
    type_names = corpus_type_names(model, state.tokenizer, state.detector)  # before its head is moved
    if recipe.dtype != "auto" and not recipe.init and not recipe.quantization:
        # users load the backbone in its files' precision, and the stored vector must be the one that they get
        files = find_backbone(recipe.backbone, recipe.revision or None)
        fields: dict[str, Any] = {"backbone": recipe.backbone, "backbone_revision": recipe.revision or None}
        fields |= {"layer": int(recipe.layer), "pooling": recipe.pooling}
        model = NerretModel.from_backbone(files, head=model.head.cpu(), **fields | dict(recipe.model))
    model.save_pretrained(folder, head_only=None if recipe.init else True)
    if isinstance(state.detector, MentionProbe):
        state.detector.save_pretrained(folder)
    type_names.save(folder)
    write_manifest(folder, *KINDS)
