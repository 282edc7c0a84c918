"""Detectors by name: the model's own probe, given spans, a token classifier, GLiNER, or a language model."""

from __future__ import annotations

import importlib

from ..detection import Detector, GivenSpans

FORMS = "probe, given, hf:NAME, gliner:NAME, generative:NAME"
_CLASSES = {
    "hf": ("token_classifier", "TokenClassifier"),
    "gliner": ("gliner", "Gliner"),
    "generative": ("generative", "GenerativeExtractor"),
}


def is_external(name: str) -> bool:
    """Whether a name is that of a detector with a model of its own, such as `hf:dslim/bert-base-NER`."""
    kind, _, model = name.partition(":")
    return kind in _CLASSES and bool(model)


def load_detector(name: str, device: str = "cpu") -> Detector | None:
    """A detector by its name; `None` for `probe`, which each checkpoint has of its own.

    Args:
        name: `probe`, `given`, `hf:NAME` (a token classifier), `gliner:NAME` or `generative:NAME` (a language model).
        device: where its model runs.

    Raises:
        ValueError: the name has another form.
        OSError: there is no such model.
        ImportError: the detector needs a package that is not installed.
    """
    if name == "probe":
        return None
    if name == "given":
        return GivenSpans()
    if not is_external(name):
        raise ValueError(f"the detector {name!r} is unknown; accepted are {FORMS}")
    kind, _, model = name.partition(":")
    file, class_name = _CLASSES[kind]
    detector: Detector = getattr(importlib.import_module(f".{file}", __name__), class_name)(model, device)
    return detector
