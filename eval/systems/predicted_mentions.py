"""The mentions that a detector predicts."""

from __future__ import annotations

from collections.abc import Iterable

from modeling_nerret.detectors import is_external, load_detector
from modeling_nerret.documents import Document
from modeling_nerret.encoding import BATCH_TOKENS, Encoder
from modeling_nerret.pretrained.built_in import DEFAULT
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.spans import Span


def predict_mentions(
    documents: Iterable[Document], name: str = DEFAULT, device: str = "cpu", batch_tokens: int = BATCH_TOKENS
) -> list[list[Span]]:
    """The spans that a detector proposes for each document, in order of their start.

    Args:
        documents: the texts; their own mentions are not read.
        name: a checkpoint with a detector, or `hf:MODEL` (a token classifier), `gliner:MODEL`, `generative:MODEL`.
        device: where it runs.
        batch_tokens: most tokens in a batch, padding included.

    Raises:
        OSError: there is no such checkpoint.
        ValueError: the checkpoint has no detector.
        ImportError: the detector needs a package that is not installed.
    """
    external = is_external(name)
    checkpoint = load_checkpoint(DEFAULT if external else name, device)
    detector = load_detector(name, device) if external else checkpoint.detector
    if detector is None:
        raise absent_detector(name)
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, detector, batch_tokens)
    return [document.mentions for document in encoder.encode(documents)]


def absent_detector(name: str) -> ValueError:
    """The error of a checkpoint that should detect and cannot."""
    return ValueError(f"the checkpoint {name!r} has no detector; choose another with --detector, such as {DEFAULT}")
