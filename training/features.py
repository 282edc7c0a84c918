"""Value vectors of annotated mentions and of type names: computed once, kept on disk as Arrow.

One dataset per text file, named by what its numbers depend on: the file's content, the backbone's weights, layer and
pooling. A run that is interrupted begins again with the file it was in.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from modeling_nerret.encoding import BATCH_TOKENS
from modeling_nerret.modeling_nerret import NerretModel, pool
from modeling_nerret.spans import Span
from modeling_nerret.windows import batches, by_text, make_windows, stack
from training.data import Annotated, read_annotated

CHUNK = 512  # texts held in memory at once
logger = logging.getLogger(__name__)


def cache_key(model: NerretModel, *parts: str | bytes) -> str:
    """A name for numbers that depend on the backbone, layer, pooling and the given parts."""
    config = model.config
    digest = hashlib.sha256(f"{config.backbone_sha256} {config.layer} {config.pooling} {config.max_tokens}".encode())
    for part in parts:
        digest.update(b"\0" + (part.encode() if isinstance(part, str) else part))
    return digest.hexdigest()[:24]


def cached(folder: Path, key: str, rows: Iterable[dict[str, Any]], features: datasets.Features) -> datasets.Dataset:
    """The dataset `key` of a cache folder, made from `rows` if it is not there yet; memory-mapped, rows as numpy."""
    path = folder / key
    if not (path / "dataset_info.json").exists():
        writer = datasets.arrow_writer.ArrowWriter(path=str(folder / f"{key}.partial"), features=features)
        for row in rows:
            writer.write(row)
        writer.finalize()
        datasets.Dataset.from_file(str(folder / f"{key}.partial")).save_to_disk(path)
        (folder / f"{key}.partial").unlink()
    return datasets.load_from_disk(str(path)).with_format("numpy")


def mention_features(
    model: NerretModel, tokenizer: PreTrainedTokenizerBase, path: Path, names: dict[str, str], cache: Path
) -> datasets.Dataset:
    """A row per mention of a file: `text` (its number), `start`, `end`, `types` (plain names), `vector` (float16)."""
    features = datasets.Features(
        {
            "text": datasets.Value("int32"),
            "start": datasets.Value("int32"),
            "end": datasets.Value("int32"),
            "types": datasets.List(datasets.Value("string")),
            "vector": datasets.List(datasets.Value("float16"), length=model.config.value_size),
        }
    )
    cache.mkdir(parents=True, exist_ok=True)
    key = cache_key(model, "mentions", path.read_bytes(), repr(sorted(names.items())))
    return cached(cache, key, _mention_rows(model, tokenizer, list(read_annotated(path, names)), path.stem), features)


def _mention_rows(
    model: NerretModel, tokenizer: PreTrainedTokenizerBase, texts: list[Annotated], name: str
) -> Iterator[dict[str, Any]]:
    lost = 0
    for at in tqdm(range(0, len(texts), CHUNK), desc=f"value vectors of {name}", disable=None):
        some = texts[at : at + CHUNK]
        found = value_vectors(model, tokenizer, [(text.text, list(text.mentions)) for text in some])
        lost += sum(len(text.mentions) for text in some) - len(found)
        for (owner, span), vector in found.items():
            yield {
                "text": at + owner,
                "start": span.start,
                "end": span.end,
                "types": list(some[owner].mentions[span]),
                "vector": vector.astype(np.float16),
            }
    if lost:
        logger.warning("%s: %d mentions have no token and were left out", name, lost)


@torch.inference_mode()
def value_vectors(
    model: NerretModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[tuple[str, Sequence[Span]]]
) -> dict[tuple[int, Span], np.ndarray]:
    """Pooled value vectors, before the head, of given spans, by number of the text and span; (value_size,) float32."""
    windows = make_windows(tokenizer, [text for text, _ in texts], model.config.max_tokens)
    places = by_text(windows, len(texts))
    found: dict[tuple[int, Span], np.ndarray] = {}
    for batch in batches(windows, BATCH_TOKENS):
        values = model.value_states(*stack(batch, model.device))  # (windows, tokens, value_size)
        rows, keys = [], []
        for row, window in enumerate(batch):
            for span in texts[window.owner][1]:
                place = places[window.owner].place(span.start, span.end, model.causal)
                if place is not None and place[0] == window.number:
                    rows.append((row, *place[1]))
                    keys.append((window.owner, span))
        if rows:
            vectors = pool(values, torch.tensor(rows), model.config.pooling).cpu().numpy()  # (mentions, value_size)
            found |= dict(zip(keys, vectors, strict=True))
    return dict(sorted(found.items(), key=lambda item: item[0]))


def phrase_vectors(model: NerretModel, tokenizer: PreTrainedTokenizerBase, phrases: Sequence[str]) -> np.ndarray:
    """Pooled value vectors of whole phrases, such as type names. (phrases, value_size) float32."""
    found = value_vectors(model, tokenizer, [(phrase, [Span(0, len(phrase))]) for phrase in phrases])
    return np.stack([found[at, Span(0, len(phrase))] for at, phrase in enumerate(phrases)])
