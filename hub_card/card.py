"""The model card of a repository, from the checkpoint and from measured results."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

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
# Shown on the page: a type and mentions in their texts, the right one first, with the scores that the checkpoint gives
EXAMPLES = {
    "dinosaur": [
        "The herd of [Triceratops] crossed the river at dusk.",
        "[Marie Curie] left Warsaw for Paris.",
        "The eruption of [Mount Etna] closed the airport.",
    ],
    "mathematician": [
        "[Emmy Noether] proved that every symmetry hides a conserved quantity.",
        "[Marie Curie] left Warsaw for Paris.",
        "He rewrote the parser in [Python] within a week.",
    ],
    "drug that fights bacteria": [
        "She stopped the [amoxicillin] after a rash.",
        "The [violin] was made in Cremona.",
        "[Nairobi] grew around a railway depot.",
    ],
    "programming language": [
        "He rewrote the parser in [Python] within a week.",
        "The [violin] was made in Cremona.",
        "[Emmy Noether] proved that every symmetry hides a conserved quantity.",
    ],
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
    examples = score_examples(checkpoint, about.native)
    data = card_data(checkpoint, about, examples)
    figures = draw_types(about.results, about.system, folder / "figures")
    card: Any = ModelCard.from_template(
        data,
        str(TEMPLATE),
        title=_name(about.model_id),
        model_id=about.model_id,
        native=about.native,
        examples=_example_rows(examples, about.native),
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


def card_data(checkpoint: Checkpoint, about: About, examples: Sequence[Example]) -> ModelCardData:
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
        widget=widget(examples, about.native) or None,
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


class Example(NamedTuple):
    """A type, and the score of each marked text, the right one first."""

    query: str
    texts: list[str]
    scores: list[float]


def score_examples(checkpoint: Checkpoint, native: bool) -> list[Example]:
    """The examples of which the checkpoint finds the right mention.

    Args:
        checkpoint: the checkpoint.
        native: whether it sees names alone, as the native form does, and not mentions in their texts.
    """
    encoder = SentenceTransformer(modules=[NerretTransformer(checkpoint.model, checkpoint.tokenizer)])
    encoder.eval()
    examples = []
    for query, texts in EXAMPLES.items():
        mentions = [_mention(text) for text in texts]
        vectors = encoder.encode([_name_of(text) for text in texts]) if native else encoder.encode_document(mentions)
        scores = encoder.similarity(encoder.encode_query(query), vectors)[0].tolist()
        if scores[0] == max(scores):
            examples.append(Example(query, texts, [round(score, 3) for score in scores]))
    return examples


def widget(examples: Sequence[Example], native: bool) -> list[dict[str, Any]]:
    """Examples with their scores, which the page shows even if no server runs the model."""
    entries: list[dict[str, Any]] = []
    for query, texts, scores in examples:
        labels = [_name_of(text) if native else _mention(text)["text"] for text in texts]
        output = [{"label": label, "score": score} for label, score in zip(labels, scores, strict=True)]
        entry = {"source_sentence": query, "sentences": labels} if native else {"text": query}
        entries.append(entry | {"example_title": query, "output": output})
    return entries


def _example_rows(examples: Sequence[Example], native: bool) -> list[tuple[str, str, float]]:
    """Rows of the card: type, mention in bold letters, cosine."""
    return [
        (query if number == 0 else "", _name_of(text) if native else re.sub(r"\[(.*)\]", r"**\1**", text), score)
        for query, texts, scores in examples
        for number, (text, score) in enumerate(zip(texts, scores, strict=True))
    ]


def _name_of(marked_text: str) -> str:
    return re.split(r"[\[\]]", marked_text)[1]


def _mention(marked_text: str) -> dict[str, Any]:
    """A text with a mention in brackets, as sentence-transformers gets it.

    Example:
        >>> _mention("Rain in [Oslo].")
        {'text': 'Rain in Oslo.', 'start': 8, 'end': 12}
    """
    left, name, right = re.split(r"[\[\]]", marked_text)
    return {"text": left + name + right, "start": len(left), "end": len(left) + len(name)}


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
