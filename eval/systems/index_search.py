"""A checkpoint of nerret, searched through its own index as a user searches it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from modeling_nerret.detection import GivenSpans
from modeling_nerret.index.retriever import MODES, EntityRetriever
from modeling_nerret.pretrained.checkpoints import load_checkpoint, locate
from modeling_nerret.spans import Span

from .names import FORMS
from .trial import QueryScores, System, TaskScores, Trial


def index_search(name: str) -> System:
    """The system `CHECKPOINT` or `CHECKPOINT@MODE`.

    Raises:
        ValueError: an unknown mode.
        OSError: there is no such checkpoint.
    """
    model, _, mode = name.partition("@") if not Path(name).exists() else (name, "", "")
    mode = mode or "hybrid"
    if mode not in MODES:
        accepted_modes = ", ".join(f"@{mode}" for mode in MODES)
        raise ValueError(f"{name!r} asks for the mode {mode!r}; the modes are {accepted_modes}")
    try:
        locate(model)
    except OSError as error:
        raise OSError(f"{error}; the known forms of systems are {FORMS}") from None
    return partial(_search, name, model, mode)


def _search(name: str, model: str, mode: str, trial: Trial) -> TaskScores:
    settings = trial.settings
    checkpoint = load_checkpoint(model, settings.device, dtype=settings.dtype)
    # The checkpoint's own detector runs in the same pass as its vectors; all other mentions come with the documents
    detects = trial.spans == "predicted" and model == settings.detector
    documents = trial.task.documents if detects else trial.documents
    folder = tempfile.TemporaryDirectory()
    retriever = EntityRetriever(
        Path(folder.name) / "index",
        checkpoint,
        None if detects else GivenSpans(),
        settings.device,
        batch_tokens=settings.batch_tokens,
    )
    retriever.add(tqdm(documents, desc=f"{name}, {trial.spans} mentions", disable=None))
    retriever.compact()
    mentions = retriever.info()["mentions"]
    size = 2.0 * checkpoint.model.config.hidden_size * mentions / len(documents)
    queries = _query_scores(folder, retriever, trial, mode)
    return TaskScores(queries, mentions, size, uses_trial_mentions=not detects)


def _query_scores(
    folder: tempfile.TemporaryDirectory, retriever: EntityRetriever, trial: Trial, mode: str
) -> Iterator[QueryScores]:
    numbers = {document.id: number for number, document in enumerate(trial.task.documents)}

    def best_mentions(query: str, depth: int) -> dict[int, Span]:
        hits = [hit for hit in retriever.search(query, depth, mode=mode) if hit.mentions]
        mentions = {hit.id: max(hit.mentions, key=lambda mention: (mention.score, -mention.start)) for hit in hits}
        return {numbers[id_]: Span(mention.start, mention.end) for id_, mention in mentions.items()}

    with folder:
        for query in trial.task.queries:
            scores = np.full(len(numbers), -np.inf, dtype=np.float32)  # (documents,)
            for id_, score in retriever.rank(query, k=len(numbers), mode=mode):
                scores[numbers[id_]] = score
            yield QueryScores(scores, partial(best_mentions, query))
