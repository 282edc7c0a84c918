"""The model card of a repository, from the checkpoint and from measured results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData
from sentence_transformers import SentenceTransformer

import modeling_nerret
from .figure import draw_types
from .licences import check_name, licence_of, training_sets
from .results import Result, corpus_name, losses, model_index, table
from modeling_nerret.pretrained.checkpoints import Checkpoint
from modeling_nerret.st_nerret import NerretTransformer

TEMPLATE = Path(__file__).parent / "card.md"
TAG = f"v{modeling_nerret.__version__}"
# Shown on the page: a type and names, with the scores that the checkpoint gives them
EXAMPLES = {
    "dinosaur": ["Triceratops", "Marie Curie", "Lake Baikal", "ibuprofen"],
    "mathematician": ["Emmy Noether", "Stegosaurus", "Nairobi", "Python"],
    "drug that fights bacteria": ["amoxicillin", "Mount Etna", "Johannes Kepler", "violin"],
}


@dataclass(frozen=True)
class About:
    """What a card tells beside the checkpoint itself.

    Args:
        model_id: repository id, or the name that users load it by.
        native: whether the repository is in the native form.
        recipes: the checkpoint's recipe, and those of the checkpoints that it went on from.
        set_licences: licences of training sets of one's own, by name.
        results: measured results.
        system: name that the checkpoint was measured under.
        licence: the Hub's identifier of the licence; `None`: that of the backbone.
        notes: Markdown for this very model.
    """

    model_id: str
    native: bool = False
    recipes: Sequence[dict[str, Any]] = ()
    set_licences: Mapping[str, str] = field(default_factory=dict)
    results: Sequence[Result] = ()
    system: str = ""
    licence: str | None = None
    notes: str = ""


def write_card(checkpoint: Checkpoint, about: About, folder: Path) -> None:
    """Write README.md, and the pictures that it shows, into a repository that is otherwise complete.

    Raises:
        ValueError: the licence of the backbone or of a training set is not known, or forbids a shipped checkpoint.
    """
    config = checkpoint.model.config
    sets = training_sets(about.recipes, about.set_licences)
    data = card_data(checkpoint, about)
    figures = draw_types(about.results, about.system, folder / "figures")
    card: Any = ModelCard.from_template(
        data,
        str(TEMPLATE),
        title=_name(about.model_id),
        model_id=about.model_id,
        native=about.native,
        mentions_as_text=checkpoint.model.causal and config.pooling == "end",
        tag=TAG,
        notes=about.notes.strip(),
        config=config,
        detector=checkpoint.detector is not None,
        base=_base_line(config),
        adapted=config.adapter_sha256 is not None,
        sets=sets,
        results=about.results,
        hybrid="@" not in about.system,
        table=table(about.results, about.system) if about.results else "",
        losses=losses(about.results, about.system),
        sizes=_sizes(about.results),
        figures=[
            (f"R-Precision per type, {corpus_name(one.stem.removesuffix('-types'))}", f"figures/{one.name}")
            for one in figures
        ],
        parameters=round(sum(weight.numel() for weight in checkpoint.model.parameters()) / 1e6, 1),
        megabytes=round(sum(path.stat().st_size for path in folder.rglob("model*.safetensors")) / 1e6, 1),
        speed=_speed(about),
        licence_line=_licence_line(data.license, config),
    )
    card.text = re.sub(r"\n{3,}", "\n\n", card.text)  # what was left out leaves empty lines
    card.save(folder / "README.md")


def card_data(checkpoint: Checkpoint, about: About) -> ModelCardData:
    """The card's metadata: what the Hub reads to choose widget, snippets and filters.

    Raises:
        ValueError: the licence of the backbone is not known, or forbids the name.
    """
    config = checkpoint.model.config
    licence = licence_of(config.backbone, about.licence)
    check_name(licence, about.model_id)
    tags = ["sentence-transformers", "named-entity-retrieval", "entity-typing", "zero-shot"]
    return ModelCardData(
        language="en",
        license=licence,
        library_name="sentence-transformers" if about.native else "transformers",
        pipeline_tag="sentence-similarity" if about.native else "feature-extraction",
        tags=tags if about.native else [*tags, "custom_code"],
        base_model=config.backbone if is_repository(config.backbone) else None,
        metrics=["r_precision"],
        model_name=_name(about.model_id),
        # the native form alone cannot repeat them: it knows no mentions in their texts
        eval_results=None if about.native else model_index(about.results, about.system) or None,
        widget=widget(checkpoint, about.native),
    )


def widget(checkpoint: Checkpoint, native: bool) -> list[dict[str, Any]]:
    """Examples with the scores that the checkpoint gives, which the page shows also where no server runs the model."""
    encoder = SentenceTransformer(modules=[NerretTransformer(checkpoint.model, checkpoint.tokenizer)])
    encoder.eval()
    examples: list[dict[str, Any]] = []
    for query, names in EXAMPLES.items():
        scores = encoder.similarity(encoder.encode(query), encoder.encode(names))[0].tolist()
        output = [{"label": name, "score": round(score, 3)} for name, score in zip(names, scores, strict=True)]
        given = {"source_sentence": query, "sentences": names} if native else {"text": query}
        examples.append(given | {"example_title": query, "output": output})
    return examples


def is_repository(backbone: str | None) -> bool:
    """Whether a backbone is named by its repository, and not by a folder of some machine.

    Example:
        >>> is_repository("meta-llama/Llama-3.1-8B"), is_repository("/data/llama"), is_repository(None)
        (True, False, False)
    """
    return (
        backbone is not None and backbone.count("/") == 1 and not Path(backbone).exists() and backbone[0] not in "/.~"
    )


def _name(model_id: str) -> str:
    return model_id.rpartition("/")[2]


def _base_line(config: Any) -> str:
    if not is_repository(config.backbone):
        return f"a {config.cut_config['model_type'] if config.cut_config else 'stock'} model"
    revision = f" (revision `{config.backbone_revision}`)" if config.backbone_revision else ""
    return f"[{config.backbone}](https://huggingface.co/{config.backbone}){revision}"


def _licence_line(licence: Any, config: Any) -> str:
    if is_repository(config.backbone):
        return f"{licence}, which is that of the backbone, whose first blocks these weights contain."
    return f"{licence}."


def _sizes(results: Sequence[Result]) -> str:
    found = {one["corpus"]: f"{one['n_documents']:,} documents and {one['n_types']} types" for one in results}
    return "; ".join(f"{corpus_name(corpus)}, {text}" for corpus, text in found.items())


def _speed(about: About) -> str:
    """A sentence on how long the largest of the measurements took."""
    own = [one for one in about.results if one["system"] == about.system]
    if not own:
        return ""
    one = max(own, key=lambda one: (one["n_documents"], one["spans"]))
    return (
        f"In the measurement above, indexing {one['n_documents']:,} documents of {corpus_name(one['corpus'])} and "
        f"answering {one['n_types']} queries took {one['seconds']:.0f} s in all."
    )
