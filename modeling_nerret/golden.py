"""A stored vector that shows at once when a library computes other vectors than when the checkpoint was saved.

An index holds vectors; a model that gives slightly different ones finds less, and nobody notices. So a checkpoint keeps
the tokens of one fixed text and the first numbers of its vector. Both are computed again when it is loaded.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch
import transformers
from transformers import PreTrainedTokenizerBase

from .files import one_line

TEXT = "Ada Lovelace, a mathematician, met Charles Babbage in London in 1833."
FOREIGN_TEXT = TEXT + " Ünïcode, 恐竜, динозавр ☃"  # characters that a vocabulary may lack
NUMBERS = 16  # of the vector; a change that spares the first 16 of hundreds of mixed numbers does not exist
LOAD_ANYWAY = "pass golden_vector=None to load it all the same"
REMEDY = f"install the version that it was saved with, or {LOAD_ANYWAY}"


def golden_tokens(tokenizer: PreTrainedTokenizerBase, limit: int) -> list[int]:
    """The fixed text's token ids, at most `limit`."""
    return list(tokenizer(TEXT, truncation=True, max_length=limit)["input_ids"])


def vocabulary_sha256(tokenizer: Any) -> str:
    """SHA-256 of a tokenizer's pieces with their ids, without those that a user may have added.

    The file of a tokenizer differs from one library version to the next; this does not.
    """
    vocabulary = (
        tokenizer.backend_tokenizer.get_vocab(with_added_tokens=False) if tokenizer.is_fast else tokenizer.get_vocab()
    )
    return hashlib.sha256(json.dumps(sorted(vocabulary.items())).encode()).hexdigest()


@torch.no_grad()
def golden_vector(model: Any, tokens: list[int]) -> list[float]:
    """First numbers of the fixed text's vector, as the model (in evaluation mode) gives it now.

    Raises:
        ValueError: the vector has NaN or infinite numbers.
    """
    vector = model(torch.tensor([tokens], device=model.device)).embeddings[0, :NUMBERS]  # (NUMBERS,)
    if not torch.isfinite(vector).all():
        raise ValueError(
            "this model gives vectors with NaN or infinite numbers; its weights (model.safetensors) are damaged"
        )
    return [round(number, 6) for number in vector.tolist()]


def check_vector(model: Any) -> None:
    """Compare the model's vector of the fixed text with the stored one.

    Half precision is allowed a cosine distance of 0.02, float32 of 1e-4; a quantised backbone differs by design and is
    not compared.

    Raises:
        ValueError: the model gives another vector than the one in its configuration.
    """
    config = model.config
    if not config.golden_tokens or not config.golden_vector:
        return
    vocabulary = getattr(model.backbone.config, "vocab_size", None)
    if vocabulary and max(config.golden_tokens) >= vocabulary:
        raise ValueError(
            f"golden_tokens in config.json has the token {max(config.golden_tokens)}, but the backbone knows only "
            f"{vocabulary}; fetch the checkpoint again"
        )
    try:
        vector = torch.tensor(golden_vector(model, config.golden_tokens), dtype=torch.float32)
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:  # of a value that was not used until now
        raise ValueError(
            f"this checkpoint cannot be run; its config.json was changed ({one_line(error)}); fetch it again"
        ) from error
    if getattr(model.backbone, "hf_quantizer", None) is not None:
        return
    if len(vector) != len(config.golden_vector):
        raise ValueError(
            f"golden_vector in config.json has {len(config.golden_vector)} numbers, but the model gives {len(vector)}; "
            "fetch the checkpoint again"
        )
    cosine = torch.cosine_similarity(vector, torch.tensor(config.golden_vector, dtype=torch.float32), dim=0).item()
    if not 1 - cosine < (1e-4 if model.backbone.dtype == torch.float32 else 0.02):
        fault = f"gives other vectors here than when it was saved (cosine {cosine:.4f} on its test text)"
        if config.transformers_version == transformers.__version__:
            raise ValueError(
                f"this checkpoint {fault}: its config.json or model.safetensors was changed; fetch it "
                f"again, or {LOAD_ANYWAY}"
            )
        raise ValueError(
            f"this checkpoint {fault}, with transformers {config.transformers_version} in its config.json; here is "
            f"{transformers.__version__}: {REMEDY}"
        )


def check_tokens(config: Any, tokenizer: PreTrainedTokenizerBase) -> None:
    """Compare the tokenizer's tokens of the fixed text with the stored ones, and its vocabulary.

    Raises:
        ValueError: the tokenizer gives other tokens than those in the configuration, or has another vocabulary.
    """
    if not config.golden_tokens or not config.golden_vector:
        return
    tokens = golden_tokens(tokenizer, len(config.golden_tokens))
    if tokens != config.golden_tokens:
        raise ValueError(
            f"this checkpoint's tokenizer (tokenizer.json, tokenizer_config.json) gives other tokens here than when it "
            f"was saved: {tokens}, not {config.golden_tokens}; {REMEDY}"
        )
    if config.vocabulary_sha256 not in (None, vocabulary_sha256(tokenizer)):
        raise ValueError(
            "the vocabulary of this checkpoint's tokenizer (tokenizer.json or the file of its vocabulary) is not its "
            "backbone's; fetch the checkpoint again"
        )
