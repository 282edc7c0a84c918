"""Value vectors of annotated mentions and of phrases: computed once, kept on disk as Arrow, read through memory maps.

A set of texts is a folder of the cache, named by what its numbers depend on: texts and spans, the weights that are run,
tokenizer, layer and pooling. In it lies a file for every `CHUNK` texts, moved there when it is whole: a run that is
killed goes on after the last one, and two runs may fill the same cache.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import torch
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from modeling_nerret.encoding import BATCH_TOKENS
from modeling_nerret.modeling_nerret import NerretModel, pool
from modeling_nerret.spans import Span
from modeling_nerret.windows import batches, by_text, make_windows, stack
from training.data import Annotated

CHUNK = 512  # texts held in memory, and texts of a file
logger = logging.getLogger(__name__)


class Rows:
    """Rows of a matrix that lies in several memory-mapped pieces; only rows that are asked for are read."""

    def __init__(self, pieces: Sequence[np.ndarray]):
        self.pieces = [piece for piece in pieces if len(piece)]
        self.ends = np.cumsum([len(piece) for piece in self.pieces])

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def __getitem__(self, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        """The given rows. (rows, size) float32."""
        rows = np.asarray(rows, dtype=np.int64)
        found = np.empty((len(rows), self.pieces[0].shape[1]), dtype=np.float32)
        owner = np.searchsorted(self.ends, rows, side="right")
        for at in np.unique(owner):
            piece = self.pieces[at]
            some = owner == at
            found[some] = piece[rows[some] - (self.ends[at] - len(piece))]
        return found


@dataclass(frozen=True)
class MentionFeatures:
    """Mentions in order of their text and place.

    Args:
        owners: (mentions,), number of each mention's text.
        spans: where each stands in it.
        vectors: (mentions, value_size), kept as float16.
        lost: how many mentions have no token and are left out.
    """

    owners: np.ndarray
    spans: list[Span]
    vectors: Rows
    lost: int


class FeatureCache:
    """Value vectors by a model, from a folder where they are there and into it where they are not.

    Args:
        model: the model; its head is not used.
        tokenizer: its tokenizer.
        folder: the cache; it may be deleted at any time between runs.
    """

    def __init__(self, model: NerretModel, tokenizer: PreTrainedTokenizerBase, folder: Path):
        self.model, self.tokenizer, self.folder = model, tokenizer, folder
        config = model.config
        self.key = f"{weights_digest(model)} {config.layer} {config.pooling} {config.max_tokens} "
        self.key += tokenizer_digest(tokenizer)

    def mentions(self, texts: Sequence[Annotated], name: str) -> MentionFeatures:
        """Vectors of all mentions of texts."""
        digest = hashlib.sha256(self.key.encode())
        for text in texts:
            digest.update(repr((text.text, [span[:2] for span in text.mentions])).encode())
        folder = self.folder / digest.hexdigest()[:24]
        folder.mkdir(parents=True, exist_ok=True)
        parts = []
        for at in tqdm(range(0, len(texts), CHUNK), desc=f"value vectors of {name}", disable=None):
            path = folder / f"{at // CHUNK:06}.arrow"
            if not path.exists():
                self._write(path, at, texts[at : at + CHUNK])
            parts.append(datasets.Dataset.from_file(str(path)).data.table)
        table = pa.concat_tables(parts)
        columns = [table.column(column).to_numpy() for column in ("text", "start", "end")]
        spans = [Span(int(start), int(end)) for start, end in zip(*columns[1:], strict=True)]
        lost = sum(len(text.mentions) for text in texts) - len(spans)
        if lost:
            logger.warning("%s: %d mentions have no token and were left out", name, lost)
        size = self.model.config.value_size
        pieces = [
            chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, size) for chunk in table.column("vector").chunks
        ]
        return MentionFeatures(columns[0].astype(np.int64), spans, Rows(pieces), lost)

    def phrases(self, phrases: Sequence[str], name: str) -> np.ndarray:
        """Vectors of whole phrases, such as type names. (phrases, value_size) float32.

        Raises:
            ValueError: a phrase has no character that the tokenizer knows.
        """
        found = self.mentions([Annotated("", one, {Span(0, len(one)): ()}) for one in phrases], f"types of {name}")
        if missing := set(range(len(phrases))) - set(found.owners.tolist()):
            raise ValueError(f"{name}: the type {phrases[min(missing)]!r} has no characters that the model can read")
        return found.vectors[np.arange(len(phrases))]

    def _write(self, path: Path, first: int, texts: Sequence[Annotated]) -> None:
        found = value_vectors(self.model, self.tokenizer, [(text.text, list(text.mentions)) for text in texts])
        size = self.model.config.value_size
        vectors = np.array(list(found.values()), dtype=np.float16).reshape(-1)
        table = pa.table(
            {
                "text": pa.array([first + owner for owner, _ in found], pa.int64()),
                "start": pa.array([span.start for _, span in found], pa.int64()),
                "end": pa.array([span.end for _, span in found], pa.int64()),
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors), size),
            }
        )
        partial = path.with_suffix(f".{os.getpid()}.partial")
        with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        partial.replace(path)


def weights_digest(model: NerretModel) -> str:
    """SHA-256 of the weights that make value vectors, as they are in memory: dtype and adapters count too."""
    digest = hashlib.sha256()
    for part in (model.backbone, model.value_projection):
        for name, tensor in sorted(part.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of a fast tokenizer, whatever lengths it was last called with."""
    whole = json.loads(tokenizer.backend_tokenizer.to_str())
    return hashlib.sha256(json.dumps(whole | {"truncation": None, "padding": None}).encode()).hexdigest()


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
