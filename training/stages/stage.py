"""What every stage of a run offers, and what it works on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from transformers import PreTrainedTokenizerBase

from modeling_nerret.detection import MentionProbe
from modeling_nerret.modeling_nerret import NerretModel

from ..data.source import Source
from ..recipes import Recipe
from .fitting import Log


@dataclass
class RunState:
    """What a run works on; its stages change model and detector in place.

    Args:
        recipe: the run's recipe.
        model: the model.
        tokenizer: its tokenizer.
        detector: the detector, if there is one.
        cache: folder of value vectors.
    """

    recipe: Recipe
    model: NerretModel
    tokenizer: PreTrainedTokenizerBase
    detector: MentionProbe | None
    cache: Path


class Stage(ABC):
    """A stage: `prepare` once, then `measure`, `train`, and `measure` again.

    A stage that cannot run with the recipe and model says so when it is made, before anything is read.
    """

    name: ClassVar[str]  # of its section in a recipe

    def __init__(self, state: RunState):
        self.state = state

    @abstractmethod
    def prepare(self, sources: Sequence[Source]) -> dict[str, Any]:
        """Split the sources into training and held-out data; returns what each has, for `metrics.json`.

        Raises:
            ValueError: nothing is left to train on.
        """

    @abstractmethod
    def measure(self) -> dict[str, float]:
        """Numbers of the held-out data, `goal` among them; empty if nothing is held out."""

    @abstractmethod
    def train(self, folder: Path) -> Log:
        """Train in place, with checkpoints in `folder`; returns the Trainer's log."""
