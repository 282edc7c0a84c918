"""Average trained checkpoints: `python -m modeling_nerret.training.average RUN RUN --out FOLDER`.

Runs that started from the same heads can be averaged, whatever sets they saw: the average often knows what each of them
knows (model soups, arXiv 2203.05482). The detector is not averaged; train it afterwards.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from modeling_nerret.adapters import FOLDER, read_adapter
from modeling_nerret.manifest import KINDS, write_manifest
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.pretrained.checkpoints import load_checkpoint, locate
from modeling_nerret.weights import find_backbone

from .stages.averaging import adapter_fault, average_adapters, average_states

SHARED = (
    *("backbone_sha256", "layer", "pooling", "head_size", "head_activation", "hidden_size", "document_size"),
    *("prefix_tokens", "suffix_tokens", "golden_tokens", "vocabulary_sha256"),
)
OF_FIRST = (
    *("backbone", "backbone_revision", "max_tokens", "dropout", "match_score"),
    *("certainty", "phrase_weight", "hubness", "document_weight", "document_floor", "lexical_weight", "lexical_half"),
    *("feedback_documents", "feedback_weight"),
)


def main(arguments: list[str] | None = None) -> int:
    """Write the average."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="checkpoints with an adapter: folders or names")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder of the average")
    options = parser.parse_args(arguments)
    average(options.runs, options.out)
    print(f"the average of {len(options.runs)} checkpoints is in {options.out}")
    return 0


def average(names: Sequence[str], out: Path) -> None:
    """Write the average of checkpoints, with the configuration of the first and without a detector.

    Its `recipe.json` names the checkpoints, so that a model card can list what they were trained on.

    Args:
        names: head-only checkpoints with a LoRA adapter, whose ranks may differ.
        out: the folder.

    Raises:
        OSError: a checkpoint was not found, or `out` holds something.
        ValueError: one has no adapter, or another backbone, shape or kind of adapter than the first.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OSError(f"{out} exists already; remove it, or choose another --out")
    checkpoints = [load_checkpoint(name) for name in names]
    models = [checkpoint.model for checkpoint in checkpoints]
    for name, model in zip(names, models, strict=True):
        _refuse_other(name, model, names[0], models[0])
    adapters = [read_adapter(locate(name) / FOLDER) for name in names]
    for name, adapter in zip(names, adapters, strict=True):
        if fault := adapter_fault(adapter, adapters[0]):
            raise ValueError(f"the adapter of {name} {fault}, so that it and that of {names[0]} have no average")
    config = models[0].config
    backbone = find_backbone(config.backbone, config.backbone_revision)
    fields = {field: getattr(config, field) for field in (*SHARED, *OF_FIRST)}
    mean = NerretModel.from_backbone(backbone, **fields)
    for head, *heads in zip(mean.heads, *(model.heads for model in models), strict=True):
        head.load_state_dict(average_states([part.state_dict() for part in heads]))
    average_adapters(adapters, out / FOLDER)
    mean.merge_adapter(out / FOLDER)
    mean.save_pretrained(out, head_only=True)
    checkpoints[0].tokenizer.save_pretrained(out)
    (out / "recipe.json").write_text(json.dumps({"average": list(names)}, indent=2) + "\n", encoding="utf-8")
    write_manifest(out, *KINDS)


def _refuse_other(name: str, model: NerretModel, first_name: str, first: NerretModel) -> None:
    """Refuse a checkpoint that cannot be averaged with the first."""
    if model.config.adapter_sha256 is None or not model.config.head_only:
        raise ValueError(
            f"{name} has no adapter of its own; averages are made of head-only checkpoints with an adapter"
        )
    for field in SHARED:
        values = getattr(model.config, field), getattr(first.config, field)
        if values[0] != values[1]:
            raise ValueError(
                f"{name} has {field} {values[0]!r:.60} and {first_name} {values[1]!r:.60}; both must be the same"
            )


if __name__ == "__main__":
    sys.exit(main())
