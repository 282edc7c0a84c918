"""A detector that runs GLiNER (arXiv 2311.08526) with a broad set of types, which it then ignores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ..configuration_nerret import stock_faults
from ..documents import Document
from ..extras import install_line
from ..files import read_json
from ..forms import WORD
from ..spans import Span
from ..weights import WEIGHTS
from ..windows import Window
from .model_files import model_folder
from .pieces import pieces_of, spans_by_window

# Broad enough to cover most entities, few enough to be fast: every type makes GLiNER slower
TYPES = (
    "person",
    "group of people",
    "organization",
    "location",
    "building or structure",
    "event",
    "creative work",
    "product or vehicle",
    "technology",
    "animal",
    "plant",
    "food",
    "disease or symptom",
    "drug or chemical",
    "gene or protein",
    "award or title",
    "law or language",
    "date or number",
)
CONFIG = "gliner_config.json"
# Fields that name a model whose configuration is read from the Hub, unless another field holds it
ENCODERS = {
    "model_name": "encoder_config",
    "labels_encoder": "labels_encoder_config",
    "labels_decoder": "labels_decoder_config",
}
ATTENTION = frozenset({"eager", "sdpa", "flash_attention_2"})


class Gliner:
    """Use any GLiNER checkpoint as a detector.

    Args:
        name_or_path: repository id or folder of the checkpoint.
        device: where the model runs.
        types: entity types to look for.
        threshold: spans with a score above this are proposed, in [0, 1].
        batch_size: number of texts in a batch.

    Raises:
        ImportError: GLiNER is not installed; the message says how to install it.
        ValueError: it is no GLiNER checkpoint, or needs code of a repository.
        OSError: there is no such checkpoint, or its weights are no safetensors.
    """

    reads_states = False

    def __init__(
        self,
        name_or_path: str,
        device: str = "cpu",
        types: Sequence[str] = TYPES,
        threshold: float = 0.3,
        batch_size: int = 8,
    ):
        try:
            from gliner import GLiNER
        except ImportError as error:
            raise ImportError(
                f"the detector gliner:{name_or_path} needs GLiNER ({error}): {install_line('gliner')}"
            ) from None
        self.types, self.threshold, self.batch_size = list(types), threshold, batch_size
        self.model: Any = GLiNER.from_pretrained(str(check_gliner(name_or_path))).to(device).eval()

    def propose(
        self, documents: Sequence[Document], windows: Sequence[Window], states: torch.Tensor | None
    ) -> list[list[Span]]:
        """The spans in each window's text that have any of the types, each with its best score."""
        pieces = pieces_of(windows)
        parts = [
            (number, start, end)
            for number, piece in enumerate(pieces)
            for start, end in split_long_text(piece.form.text, 0, len(piece.form.text), self.model.config.max_len)
        ]
        texts = [pieces[number].form.text[start:end] for number, start, end in parts]
        answers = self.model.inference(texts, self.types, threshold=self.threshold, batch_size=self.batch_size)
        proposals = (
            (
                pieces[number],
                [Span(entity["start"] + shift, entity["end"] + shift, float(entity["score"])) for entity in entities],
            )
            for (number, shift, _), entities in zip(parts, answers, strict=True)
        )
        return spans_by_window(windows, proposals)


def check_gliner(name_or_path: str) -> Path:
    """The folder of a GLiNER checkpoint that can be loaded without running code of anybody's repository.

    GLiNER itself would fall back to pickled weights, and trusts code that the configuration of an encoder names.

    Raises:
        ValueError: it is no GLiNER checkpoint, or an encoder needs code of its repository.
        OSError: there is no such checkpoint, its weights are no safetensors, or its encoder was not found.
    """
    folder = model_folder(name_or_path)
    if not (folder / CONFIG).exists():
        raise ValueError(f"the model {name_or_path!r:.80} is no GLiNER checkpoint: it has no {CONFIG}")
    if not (folder / WEIGHTS).exists():
        raise OSError(f"{folder} holds no {WEIGHTS}, the only weights that are loaded")
    fields = read_json(folder / CONFIG)
    configurations = [fields]
    for name, config in ENCODERS.items():
        if fields.get(name) and fields.get(config) is None:
            configurations.append(_encoder_fields(str(fields[name])))
    for configuration in configurations:
        for fault in stock_faults(configuration):
            raise ValueError(f"{folder / CONFIG}, or its encoder's: {fault}; fetch it again")
        for key, value in _fields_of(configuration):
            if key == "auto_map" and value:
                raise ValueError(
                    f"the GLiNER checkpoint {name_or_path!r:.80} runs only with code from a repository, which nerret "
                    "never executes; choose another"
                )
            if "attn_implementation" in key and not ATTENTION.issuperset(_texts_of(value)):
                raise ValueError(
                    f"the GLiNER checkpoint {name_or_path!r:.80} names {value!r:.40} as its {key}; accepted are "
                    f"{', '.join(sorted(ATTENTION))}"
                )
    return folder


def _encoder_fields(name: str) -> dict[str, Any]:
    """The configuration that GLiNER reads of a model that it builds its own upon."""

    def read(folder: Path) -> dict[str, Any]:
        return read_json(folder / "config.json")

    return read(model_folder(name, ["config.json"], read))


def _fields_of(value: Any) -> Iterator[tuple[str, Any]]:
    """All fields of a configuration, at every depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key), inner
            yield from _fields_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _fields_of(inner)


def _texts_of(value: Any) -> list[str]:
    """The strings in a value: it is one, or an object with one for each part of a model."""
    values = value.values() if isinstance(value, dict) else [value]
    return [str(text) for text in values if isinstance(text, (str, dict, list))]


def split_long_text(text: str, start: int, end: int, limit: int) -> list[tuple[int, int]]:
    """Split `text[start:end]` into parts of at most `limit` words, at the end of a sentence if possible.

    GLiNER ignores everything after its first `max_len` words.

    Example:
        >>> text = "One two. Three four five six."
        >>> [text[start:end] for start, end in split_long_text(text, 0, len(text), 5)]
        ['One two.', ' Three four five six.']
    """
    words = list(WORD.finditer(text, start, end))
    parts = []
    while len(words) > limit:
        sentence_ends = [index for index in range(limit // 2, limit) if words[index].group() in ".!?"]
        last = sentence_ends[-1] if sentence_ends else limit - 1
        parts.append((start, words[last].end()))
        start, words = words[last].end(), words[last + 1 :]
    return [*parts, (start, end)]
