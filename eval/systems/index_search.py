"""A checkpoint of nerret, searched through its own index as a user searches it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from modeling_nerret.index.retriever import MODES, EntityRetriever
from modeling_nerret.pretrained.checkpoints import locate
from modeling_nerret.spans import Span

from .names import FORMS
from .trial import QueryScores, System, TaskScores, Trial


@dataclass(frozen=True)
class IndexSearch:
    """The system that searches a checkpoint's index of a trial in one mode.

    All modes of a checkpoint share the index. Each of them is given the seconds that the index took, as if it had
    made the index alone.
    """

    model: str
    mode: str

    def __call__(self, trial: Trial) -> TaskScores:
        """Scores for a trial's task."""
        index = trial.index(self.model)
        return TaskScores(
            self._query_scores(trial, index.retriever),
            index.mention_count,
            index.bytes_per_document,
            uses_trial_mentions=not trial.detects(self.model),
            shared_seconds=index.seconds,
        )

    def _query_scores(self, trial: Trial, retriever: EntityRetriever) -> Iterator[QueryScores]:
        numbers = {document.id: number for number, document in enumerate(trial.task.documents)}

        def best_mentions(query: str, depth: int) -> dict[int, Span]:
            hits = [hit for hit in retriever.search(query, depth, mode=self.mode) if hit.mentions]
            mentions = {hit.id: max(hit.mentions, key=lambda mention: (mention.score, -mention.start)) for hit in hits}
            return {numbers[id_]: Span(mention.start, mention.end) for id_, mention in mentions.items()}

        for query in trial.task.queries:
            scores = np.full(len(numbers), -np.inf, dtype=np.float32)  # (documents,)
            for id_, score in retriever.rank(query, k=len(numbers), mode=self.mode):
                scores[numbers[id_]] = score
            yield QueryScores(scores, partial(best_mentions, query))
        trial.leave(self.model)


def index_search(name: str) -> IndexSearch:
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
    return IndexSearch(model, mode)


def searched_checkpoints(systems: Iterable[System]) -> list[str]:
    """The checkpoints whose indexes some systems search, each as often as it is searched."""
    return [system.model for system in systems if isinstance(system, IndexSearch)]
