"""A GLiNER model that reads every document once for every type."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import partial

import numpy as np

from modeling_nerret.detectors.gliner import check_gliner
from modeling_nerret.extras import install_line
from modeling_nerret.spans import Span

from .trial import QueryScores, System, TaskScores, Trial

LEAST_SCORE = 0.01  # without a lower bound GLiNER reports every span there is


def gliner(name: str) -> System:
    """The system `gliner:MODEL`; it finds its own mentions.

    Raises:
        ImportError: GLiNER is not installed.
    """
    if importlib.util.find_spec("gliner") is None:
        raise ImportError(f"the system 'gliner:{name}' needs GLiNER; install it with: {install_line('gliner')}")
    return partial(_extract, name)


def _extract(name: str, trial: Trial) -> TaskScores:
    from gliner import GLiNER

    model = GLiNER.from_pretrained(str(check_gliner(name))).to(trial.settings.device)
    texts = [document.text for document in trial.task.documents]

    def query_scores() -> Iterator[QueryScores]:
        for query in trial.task.queries:
            entities = model.inference(texts, [query], threshold=LEAST_SCORE, batch_size=trial.settings.batch_size)
            best = {
                number: max(group, key=lambda entity: entity["score"]) for number, group in enumerate(entities) if group
            }
            scores = np.full(len(texts), -np.inf, dtype=np.float32)  # (documents,)
            for number, entity in best.items():
                scores[number] = entity["score"]
            spans = {number: Span(entity["start"], entity["end"]) for number, entity in best.items()}
            yield QueryScores(scores, partial(_at_any_depth, spans))

    return TaskScores(query_scores(), 0, 0.0)


def _at_any_depth(spans: dict[int, Span], depth: int) -> dict[int, Span]:
    return spans
