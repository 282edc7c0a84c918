"""Load a detector by name: the checkpoint's probe, given spans, a token classifier, GLiNER or a language model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..detection import Detector

FORMS = "probe, given, hf:NAME, gliner:NAME, generative:NAME"
_CLASSES = {
    "hf": ("token_classifier", "TokenClassifier"),
    "gliner": ("gliner", "Gliner"),
    "generative": ("generative", "GenerativeExtractor"),
}


def is_external(name: str) -> bool:
    """Whether a name selects a detector that loads a model of its own.

    Example:
        >>> is_external("hf:dslim/bert-base-NER"), is_external("probe")
        (True, False)
    """
    kind, _, model = name.partition(":")
    return kind in _CLASSES and bool(model)


def check_name(name: str) -> None:
    """Refuse a name of another form before anything is loaded.

    Raises:
        ValueError: the message lists the forms.
    """
    if name not in ("probe", "given") and not is_external(name):
        raise ValueError(f"the detector {name!r} is unknown; accepted are {FORMS}")


def load_detector(name: str, device: str = "cpu") -> Detector | None:
    """Load a detector by name.

    Args:
        name: `probe`, `given`, `hf:NAME` (a token classifier), `gliner:NAME` or `generative:NAME` (a language model).
        device: where the detector's model runs.

    Returns:
        The detector; `None` for `probe`, which comes with the checkpoint.

    Raises:
        ValueError: the name has none of these forms.
        OSError: there is no such model.
        ImportError: the detector needs a package that is not installed.
    """
    check_name(name)
    if name == "probe":
        return None
    if name == "given":
        from ..detection import GivenSpans

        return GivenSpans()
    kind, _, model = name.partition(":")
    file, class_name = _CLASSES[kind]
    detector: Detector = getattr(importlib.import_module(f".{file}", __name__), class_name)(model, device)
    return detector
