"""The model card of a repository, from the checkpoint and from measured results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from sentence_transformers import SentenceTransformer

from modeling_nerret.pretrained.checkpoints import Checkpoint
from modeling_nerret.st_nerret import NerretTransformer

from .eval_results import Benchmark
from .figure import draw_types
from .licences import TrainedSet, check_name, licence_of
from .push import TAG
from .results import DATASETS, SPANS, Dataset, Result, corpus_name, losses, table

TEMPLATE = Path(__file__).parent / "card.md"
# Shown on the page: a type and names, with the scores that the checkpoint gives them
EXAMPLES = {
    "dinosaur": ["Triceratops", "Marie Curie", "Lake Baikal", "ibuprofen"],
    "mathematician": ["Emmy Noether", "Stegosaurus", "Nairobi", "Python"],
    "drug that fights bacteria": ["amoxicillin", "Mount Etna", "Johannes Kepler", "violin"],
}


@dataclass(frozen=True)
class About:
    """What a repository says besides the checkpoint itself.

    Args:
        model_id: repository id, or the name that users load it by.
        native: whether the repository is in the native form.
        results: measured results.
        system: name under which the checkpoint was measured.
        benchmarks: registered benchmarks whose results go into `.eval_results`.
        set_licences: licences of training sets that nerret does not know, by name.
        licence: the Hub's name for the licence; `None`: the backbone's.
        notes: Markdown for the top of the card.
    """

    model_id: str
    native: bool = False
    results: Sequence[Result] = ()
    system: str = ""
    benchmarks: Sequence[Benchmark] = ()
    set_licences: Mapping[str, str] = field(default_factory=dict)
    licence: str | None = None
    notes: str = ""


def write_card(checkpoint: Checkpoint, about: About, sets: Sequence[TrainedSet], folder: Path) -> None:
    """Write README.md and its pictures into a repository that is otherwise complete.

    Args:
        checkpoint: the checkpoint.
        about: what the card says besides it.
        sets: the sets that the checkpoint was trained on.
        folder: the repository.

    Raises:
        ValueError: the licence of the backbone is unknown or forbids the name.
    """
    config = checkpoint.model.config
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
            (f"R-Precision per type, {corpus_name(path.stem.removesuffix('-types'))}", f"figures/{path.name}")
            for path in figures
        ],
        parameters=round(sum(weight.numel() for weight in checkpoint.model.parameters()) / 1e6, 1),
        megabytes=round(sum(path.stat().st_size for path in folder.rglob("model*.safetensors")) / 1e6, 1),
        speed=_speed(about),
        licence_line=_licence_line(data.license, config),
    )
    card.text = re.sub(r"\n{3,}", "\n\n", card.text)  # the template's empty parts leave blank lines
    card.save(folder / "README.md")


def card_data(checkpoint: Checkpoint, about: About) -> ModelCardData:
    """The card's metadata, from which the Hub chooses widget, snippets and filters.

    Raises:
        ValueError: the licence of the backbone is unknown or forbids the name.
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
        # the native form cannot repeat the measurement: it does not embed mentions in their texts
        eval_results=None if about.native else model_index(about.results, about.system) or None,
        widget=widget(checkpoint, about.native),
    )


def model_index(results: Sequence[Result], system: str) -> list[EvalResult]:
    """The results of this checkpoint as metadata of a card."""
    entries = []
    for result in results:
        if result["system"] != system:
            continue
        corpus = DATASETS.get(result["corpus"], Dataset(result["corpus"], result["corpus"]))
        entries.append(
            EvalResult(
                task_type="text-retrieval",
                task_name="Retrieval of documents by entity type",
                dataset_type=corpus.dataset,
                dataset_name=corpus.name,
                dataset_config=corpus.config,
                dataset_args={"documents": result["n_documents"], "types": result["n_types"]},
                metric_type="r_precision",
                metric_name=f"Macro R-Precision, {SPANS.get(result['spans'], result['spans'])}",
                metric_value=round(result["macro_r_precision"], 4),
            )
        )
    return entries


def widget(checkpoint: Checkpoint, native: bool) -> list[dict[str, Any]]:
    """Examples with the checkpoint's scores, which the page shows even if no server runs the model."""
    encoder = SentenceTransformer(modules=[NerretTransformer(checkpoint.model, checkpoint.tokenizer)])
    encoder.eval()
    examples: list[dict[str, Any]] = []
    for query, names in EXAMPLES.items():
        scores = encoder.similarity(encoder.encode(query), encoder.encode(names))[0].tolist()
        output = [{"label": name, "score": round(score, 3)} for name, score in zip(names, scores, strict=True)]
        entry = {"source_sentence": query, "sentences": names} if native else {"text": query}
        examples.append(entry | {"example_title": query, "output": output})
    return examples


def is_repository(backbone: str | None) -> bool:
    """Whether a backbone is named by its repository, not by a local folder.

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
        return f"{licence}, the licence of the backbone, whose first blocks are part of these weights."
    return f"{licence}."


def _sizes(results: Sequence[Result]) -> str:
    sizes = {
        result["corpus"]: f"{result['n_documents']:,} documents and {result['n_types']} types" for result in results
    }
    return "; ".join(f"{corpus_name(corpus)}, {size}" for corpus, size in sizes.items())


def _speed(about: About) -> str:
    """A sentence on how long the largest measurement took; empty without results."""
    results = [result for result in about.results if result["system"] == about.system]
    if not results:
        return ""
    largest = max(results, key=lambda result: (result["n_documents"], result["spans"]))
    return (
        f"In the measurement above, indexing {largest['n_documents']:,} documents of {corpus_name(largest['corpus'])} "
        f"and answering {largest['n_types']} queries took {largest['seconds']:.0f} s in all."
    )
