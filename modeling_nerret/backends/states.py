"""The choice of a backend, and the function with which it computes hidden states."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch

from ..extras import install_line
from ..modeling_nerret import NerretModel
from . import BACKENDS, TORCH
from .cache import exported_folder

LEAST_COSINE = 0.9  # of a token's state with torch's; what an exporter got wrong is far below

States = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def check_backend(name: str, device: Any = "cpu", **options: Any) -> None:
    """Refuse a backend that is unknown or not installed, or that cannot do what is asked, before a model is loaded.

    Args:
        name: of the backend.
        device: where the model is to run.
        options: of the backbone, as of `load_checkpoint`.

    Raises:
        ValueError: the name is unknown, or the backend runs no such device or options.
        ImportError: its packages are missing; the message says how to install them.
    """
    if name not in BACKENDS:
        raise ValueError(f"the backend is {name!r:.60}; accepted are {', '.join(BACKENDS)}")
    if name == TORCH:
        return
    if torch.device(device).type != "cpu":
        raise ValueError(f"the backend {name} runs on the CPU only, not on {str(device)!r:.60}; torch does")
    if foreign := [option for option, value in options.items() if value is not None]:
        raise ValueError(f"the backend {name} chooses its own precision and does not take {foreign[0]}; torch does")
    _module(name)


def load_states(model: NerretModel, name: str, fingerprint: str) -> States | None:
    """A function from ids and mask, (batch, tokens) each, to hidden states, run by a backend; `None` for torch.

    The first time, the backbone is exported into the user's cache, which takes from some seconds to a minute.

    Args:
        model: a loaded model on the CPU.
        name: of a backend that `check_backend` accepts.
        fingerprint: of the checkpoint.

    Raises:
        ValueError: the backbone is quantised, or cannot be exported.
        OSError: the cache cannot be written.
    """
    if name == TORCH:
        return None
    if model.quantized:
        raise ValueError(f"a quantised backbone cannot run with the backend {name}; load it without quantisation")
    backend = _module(name)

    def export(folder: Any) -> None:
        try:
            backend.export(model, folder)
            _check_states(model, backend.load(folder))
        except Exception as error:  # each exporter fails in ways of its own
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise ValueError(
                f"a backbone of the kind {model.backbone.config.model_type} cannot be exported for the backend {name} "
                f"({reason:.300}); use the backend torch"
            ) from error

    states: States = backend.load(exported_folder(name, (fingerprint, *backend.versions()), export))
    return states


def _module(name: str) -> Any:
    try:
        return import_module(f".{name}_backend", __package__)
    except ImportError as error:
        raise ImportError(f"the backend {name} needs packages of its own ({error}): {install_line(name)}") from error


@torch.inference_mode()
def _check_states(model: NerretModel, states: States) -> None:
    """Compare a backend's states with torch's, on rows of two lengths."""
    size = min(24, model.config.max_tokens)
    ids = torch.arange(3 * size).reshape(3, size) % model.backbone.config.get_text_config().vocab_size
    mask = torch.ones_like(ids)
    mask[1, size // 2 :] = 0
    cosines = torch.cosine_similarity(states(ids, mask), model.hidden_states(ids, mask).float(), dim=-1)[mask.bool()]
    if not cosines.min() > LEAST_COSINE:
        raise ValueError(f"its states have a cosine of only {float(cosines.min()):.3f} with torch's")
