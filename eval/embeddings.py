"""Baselines that compare embeddings: of whole sentences, or of mentions without a trained head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import HfApi, snapshot_download

from .ranking import best_per_document
from .trial import Answer, Answers, System, Trial
from .vectors import Forward, MentionVectors, Reader, limit_of, read_mentions, read_phrases
from modeling_nerret.configuration_nerret import POOLINGS
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.spans import Span
from modeling_nerret.weights import PACKAGED, find_backbone


@dataclass(frozen=True)
class Recipe:
    """How a sentence-embedding model is asked with an instruction.

    Args:
        prompt: what is put before the type.
        end_token: whether texts and queries need the end token added.
        remote_code: whether the model runs code from its repository.
    """

    prompt: str
    end_token: bool = False
    remote_code: bool = False


ANY_MODEL = Recipe("A sentence that mentions a ")
_TASK = "Instruct: Given a type of entity, retrieve sentences that mention an entity of that type\nQuery: "
RECIPES = {
    "intfloat/e5-mistral-7b-instruct": Recipe(_TASK),
    "nvidia/NV-Embed-v2": Recipe(_TASK, end_token=True, remote_code=True),
}


def sentences(name: str) -> System:
    """Whole documents as sentence embeddings; `MODEL@instruct` puts an instruction before the type.

    Raises:
        ValueError: another word than `instruct` after the `@`.
        OSError: there is no such model.
    """
    model, _, how = name.partition("@")
    if how not in ("", "instruct"):
        raise ValueError(f"'st:{name}' ends in '@{how}'; write 'st:{model}' or 'st:{model}@instruct'")
    _refuse_absent(model)
    return partial(_by_sentence, model, how == "instruct")


def _refuse_absent(model: str) -> None:
    """Say at once that a model is nowhere, which the library does only after minutes of trying."""
    if Path(model).is_dir() or model in PACKAGED:
        return
    reasons = []
    for look in (partial(snapshot_download, local_files_only=True), partial(HfApi().model_info, timeout=10)):
        try:
            look(model)
            return
        except Exception as error:  # which transport library raises depends on the version of huggingface_hub
            reasons.append(" ".join(str(error).split())[:160])
    where = f"no such folder, not in the Hugging Face cache, and the Hub gave none ({reasons[-1]})"
    raise OSError(f"there is no model {model!r}: {where}")


def _by_sentence(name: str, instructed: bool, trial: Trial) -> Answers:
    recipe, options = RECIPES.get(name, ANY_MODEL), trial.options
    model = _sentence_model(name, recipe, trial)

    def encode(texts: Sequence[str], prompt: str | None = None) -> np.ndarray:
        end = model.tokenizer.eos_token if recipe.end_token else ""
        settings: dict[str, Any] = {"batch_size": options.batch_size, "normalize_embeddings": True, "prompt": prompt}
        return model.encode([text + end for text in texts], show_progress_bar=None, **settings).astype(np.float32)

    vectors = encode([document.text for document in trial.task.documents])  # (documents, size)
    queries = encode(trial.task.queries, recipe.prompt if instructed else None)  # (queries, size)
    return Answers((Answer(vectors @ query) for query in queries), 0, 2.0 * vectors.shape[1])


def _sentence_model(name: str, recipe: Recipe, trial: Trial) -> Any:
    from sentence_transformers import SentenceTransformer

    if recipe.remote_code and not trial.options.trust_remote_code:
        raise ValueError(f"'st:{name}' runs code from its repository; read it, then allow it with --trust-remote-code")
    folder = find_backbone(name) if name in PACKAGED else Path(name)
    # what find_backbone took from the Hub may lack the pooling's files; then the library fetches them itself
    source = str(folder) if (folder / "modules.json").exists() else name
    model = SentenceTransformer(
        source,
        device=trial.options.device,
        trust_remote_code=trial.options.trust_remote_code,
        model_kwargs={"dtype": trial.options.dtype},
    )
    if recipe.end_token:
        model.tokenizer.padding_side = "right"
    return model


def value_vectors(name: str) -> System:
    """Value vectors of one block at the mentions, without a head.

    Raises:
        ValueError: not of the form `BACKBONE@LAYER`, `BACKBONE@LAYER@end` or `BACKBONE@LAYER@mean`.
        OSError: there is no such backbone.
    """
    backbone, _, rest = name.partition("@")
    layer, _, pooling = rest.partition("@")
    pooling = pooling or "mean"
    if not layer.isdigit() or pooling not in POOLINGS:
        raise ValueError(f"'bare:{name}' is not bare:BACKBONE@LAYER[@end|@mean], such as 'bare:{backbone}@4@mean'")
    find_backbone(backbone)
    return partial(_by_value, backbone, int(layer), pooling)


def _by_value(backbone: str, layer: int, pooling: str, trial: Trial) -> Answers:
    options = trial.options
    model = NerretModel.from_backbone(backbone, layer, pooling=pooling, dtype=options.dtype)
    torch.nn.Module.to(model, options.device)
    reader = _reader(find_backbone(backbone), model.config.max_tokens, model.causal, trial)
    return _by_mention(reader, lambda ids, mask: {"": model.value_states(ids, mask)}, pooling, trial)


def last_layer(name: str) -> System:
    """The backbone's last hidden states at the mentions, averaged over their tokens.

    Raises:
        OSError: there is no such backbone.
    """
    find_backbone(name)
    return partial(_by_last_layer, name)


def _by_last_layer(backbone: str, trial: Trial) -> Answers:
    from transformers import AutoModel, AutoTokenizer

    folder = find_backbone(backbone)
    model = AutoModel.from_pretrained(folder, dtype=trial.options.dtype, trust_remote_code=False).eval()
    torch.nn.Module.to(model, trial.options.device)
    limit = limit_of(AutoTokenizer.from_pretrained(folder), model.config)
    reader = _reader(folder, limit, causal=False, trial=trial)
    return _by_mention(reader, lambda ids, mask: {"": model(ids, mask).last_hidden_state}, "mean", trial)


def _reader(folder: Path, limit: int, causal: bool, trial: Trial) -> Reader:
    from transformers import AutoTokenizer

    options = trial.options
    return Reader(AutoTokenizer.from_pretrained(folder), limit, causal, options.device, options.batch_size * 128)


def _by_mention(reader: Reader, forward: Forward, pooling: str, trial: Trial) -> Answers:
    """Documents by the cosine of their best mention."""
    texts = [(document.text, document.mentions) for document in trial.documents]
    found = read_mentions(reader, texts, forward, [pooling])
    if not len(found.owners):
        raise ValueError(f"{trial.task.name} has no {trial.spans} mentions, which this system needs")
    vectors = found.vectors["", pooling]  # (mentions, size)
    queries = read_phrases(reader, trial.task.queries, forward, [pooling]).vectors["", pooling]  # (queries, size)
    each = _nearest(found, vectors, queries, len(texts))
    return Answers(each, len(vectors), 2.0 * vectors.size / len(texts), given=True)


def _nearest(found: MentionVectors, vectors: np.ndarray, queries: np.ndarray, documents: int) -> Iterator[Answer]:
    for query in queries:
        scores = vectors @ query  # (mentions,)

        def earned(depth: int, scores: np.ndarray = scores) -> dict[int, Span]:
            best: dict[int, Span] = {}
            for at in np.argsort(-scores, kind="stable"):  # mentions stand in order, so ties go to the first start
                best.setdefault(int(found.owners[at]), found.spans[at])
            return best

        yield Answer(best_per_document(scores, found.owners, documents), earned)
