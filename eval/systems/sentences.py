"""Sentence-embedding models: each document is one vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import HfApi, snapshot_download

from modeling_nerret.cli.progress import Progress
from modeling_nerret.weights import PACKAGED, HubError, ask_hub, find_backbone

from .trial import QueryScores, System, TaskScores, Trial

CHUNK = 1_000  # texts between two signs of progress; the library sorts them by length


@dataclass(frozen=True)
class Instruction:
    """How a sentence-embedding model wants to be asked.

    Args:
        prompt: the words before the type.
        end_token: whether texts and queries need the end token added.
        remote_code: whether the model runs code from its repository.
    """

    prompt: str
    end_token: bool = False
    remote_code: bool = False


_TASK = "Instruct: Given a type of entity, retrieve sentences that mention an entity of that type\nQuery: "
ANY_MODEL = Instruction("A sentence that mentions a ")
INSTRUCTIONS = {
    "intfloat/e5-mistral-7b-instruct": Instruction(_TASK),
    "nvidia/NV-Embed-v2": Instruction(_TASK, end_token=True, remote_code=True),
}


def sentence_model(name: str) -> System:
    """The system `st:MODEL`, or `st:MODEL@instruct`, which puts an instruction before the type.

    Raises:
        ValueError: another word than `instruct` after the `@`.
        OSError: there is no such model.
    """
    model, _, suffix = name.partition("@")
    if suffix not in ("", "instruct"):
        raise ValueError(f"'st:{name}' ends in '@{suffix}'; write 'st:{model}' or 'st:{model}@instruct'")
    _refuse_absent(model)
    return partial(_compare, model, suffix == "instruct")


def _refuse_absent(model: str) -> None:
    """Say at once that a model does not exist; the library says so only after minutes of trying."""
    if Path(model).is_dir() or model in PACKAGED:
        return
    try:
        ask_hub(partial(snapshot_download, model, local_files_only=True))
        return
    except HubError:
        pass
    try:
        ask_hub(partial(HfApi().model_info, model, timeout=10))
    except HubError as error:
        raise OSError(
            f"there is no model {model!r}: no such folder, not in the Hugging Face cache, and the Hub gave none "
            f"({error})"
        ) from None


def _compare(name: str, with_instruction: bool, trial: Trial) -> TaskScores:
    """Documents by the cosine of their text and the query."""
    instruction = INSTRUCTIONS.get(name, ANY_MODEL)
    model = _load(name, instruction, trial)
    end = model.tokenizer.eos_token if instruction.end_token else ""

    def encode(texts: Sequence[str], prompt: str | None = None) -> np.ndarray:
        vectors = model.encode(
            [text + end for text in texts],
            prompt=prompt,
            batch_size=trial.settings.batch_size,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return vectors.astype(np.float32)

    texts = [document.text for document in trial.task.documents]
    parts = []
    with Progress(None, f"{trial.task.name}: st:{name} reads", "texts", len(texts)) as progress:
        for begin in range(0, len(texts), CHUNK):
            parts.append(encode(texts[begin : begin + CHUNK]))
            progress.update(len(parts[-1]))
    vectors = np.concatenate(parts)  # (documents, size)
    queries = encode(trial.task.queries, instruction.prompt if with_instruction else None)  # (queries, size)
    return TaskScores((QueryScores(vectors @ query) for query in queries), 0, 2.0 * vectors.shape[1])


def _load(name: str, instruction: Instruction, trial: Trial) -> Any:
    from sentence_transformers import SentenceTransformer

    settings = trial.settings
    if instruction.remote_code and not settings.trust_remote_code:
        raise ValueError(f"'st:{name}' runs code from its repository; read it, then allow it with --trust-remote-code")
    folder = find_backbone(name) if name in PACKAGED else Path(name)
    # A copy that find_backbone took from the Hub may lack the pooling's files; then the library downloads them
    source = str(folder) if (folder / "modules.json").exists() else name
    model = SentenceTransformer(
        source,
        device=settings.device,
        trust_remote_code=settings.trust_remote_code,
        model_kwargs={"dtype": settings.dtype},
    )
    if instruction.end_token:
        model.tokenizer.padding_side = "right"
    return model
