"""Value vectors of mentions and phrases, and states of words: computed once, kept on disk, read through memory maps.

Each set of texts has a folder in the cache, named by a digest of all that its numbers depend on: texts and spans,
weights, tokenizer, layer and pooling. The folder has a file for every `CHUNK` texts. A file appears when it is
complete, so that a killed run goes on after the last file, and two runs may fill the same cache.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import torch
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from modeling_nerret.detection import SHAPES, gather, words_of
from modeling_nerret.encoding import BATCH_TOKENS
from modeling_nerret.modeling_nerret import NerretModel, pool
from modeling_nerret.spans import Span
from modeling_nerret.windows import Sightings, batches, make_windows, row_owners, stack, token_rows

from ..data.annotated import Annotated

CHUNK = 512  # texts held in memory, and texts of a file
logger = logging.getLogger(__name__)


class Rows:
    """A matrix in several memory-mapped pieces; only the rows that are asked for are read."""

    def __init__(self, pieces: Sequence[np.ndarray]):
        self.pieces = [piece for piece in pieces if len(piece)]
        self.ends = np.cumsum([len(piece) for piece in self.pieces])

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    def __getitem__(self, rows: np.ndarray | Sequence[int]) -> np.ndarray:
        """The given rows. (rows, size) float32."""
        rows = np.asarray(rows, dtype=np.int64)
        result = np.empty((len(rows), self.pieces[0].shape[1]), dtype=np.float32)
        owners = np.searchsorted(self.ends, rows, side="right")
        for owner in np.unique(owners):
            piece = self.pieces[owner]
            chosen_rows = owners == owner
            result[chosen_rows] = piece[rows[chosen_rows] - (self.ends[owner] - len(piece))]
        return result


@dataclass(frozen=True)
class WordStates:
    """The words of a text as a detector sees them.

    Args:
        owner: number of the text.
        places: (words, 2), start and end of each word in the text.
        first: (words, state_size) float16, hidden states of each word's first token.
        last: (words, state_size) float16, of its last token.
        shapes: (words, SHAPES) float32.
    """

    owner: int
    places: np.ndarray
    first: np.ndarray
    last: np.ndarray
    shapes: np.ndarray


@dataclass(frozen=True)
class MentionFeatures:
    """Mentions in order of their text and place.

    Args:
        owners: (mentions,), number of each mention's text.
        spans: each mention's place in its text.
        vectors: (mentions, value_size), kept as float16.
        unmapped: number of mentions that are left out because they have no token.
    """

    owners: np.ndarray
    spans: list[Span]
    vectors: Rows
    unmapped: int


class FeatureCache:
    """What a model computes of texts: read from a folder, or computed and written there.

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
        parts = self._parts(digest.hexdigest()[:24], texts, self._mention_table, f"value vectors of {name}")
        table = pa.concat_tables(parts)
        columns = [table.column(column).to_numpy() for column in ("text", "start", "end")]
        spans = [Span(int(start), int(end)) for start, end in zip(*columns[1:], strict=True)]
        unmapped = sum(len(text.mentions) for text in texts) - len(spans)
        if unmapped:
            logger.warning("%s: %d mentions have no token and were left out", name, unmapped)
        pieces = [matrix(part, "vector") for part in parts]
        return MentionFeatures(columns[0].astype(np.int64), spans, Rows(pieces), unmapped)

    def words(self, texts: Sequence[Annotated], name: str) -> list[WordStates]:
        """The words of each text's first window; texts without words are left out."""
        digest = hashlib.sha256(f"words {self.key}".encode())
        for text in texts:
            digest.update(repr(text.text).encode())
        words = []
        for part in self._parts(digest.hexdigest()[:24], texts, self._word_table, f"hidden states of {name}"):
            owners, places = part.column("text").to_numpy(), matrix(part, "place")
            first, last, shapes = (matrix(part, column) for column in ("first", "last", "shapes"))
            edges = np.flatnonzero(np.diff(owners, prepend=-1, append=-1)).tolist()
            for begin, end in pairwise(edges):
                rows = slice(begin, end)
                words.append(WordStates(int(owners[begin]), places[rows], first[rows], last[rows], shapes[rows]))
        return words

    def phrases(self, phrases: Sequence[str], name: str) -> np.ndarray:
        """Vectors of whole phrases, such as type names. (phrases, value_size) float32.

        Raises:
            ValueError: a phrase has no character that the tokenizer knows.
        """
        texts = [Annotated("", phrase, {Span(0, len(phrase)): ()}) for phrase in phrases]
        features = self.mentions(texts, f"types of {name}")
        if unread := set(range(len(phrases))) - set(features.owners.tolist()):
            raise ValueError(f"{name}: the type {phrases[min(unread)]!r} has no characters that the model can read")
        return features.vectors[np.arange(len(phrases))]

    def _parts(
        self, key: str, texts: Sequence[Annotated], make: Callable[[int, Sequence[Annotated]], pa.Table], title: str
    ) -> list[pa.Table]:
        """The tables of a folder of the cache, one for every `CHUNK` texts; missing ones are computed."""
        folder = self.folder / key
        folder.mkdir(parents=True, exist_ok=True)
        parts = []
        for first in tqdm(range(0, len(texts), CHUNK), desc=title, disable=None):
            path = folder / f"{first // CHUNK:06}.arrow"
            if not path.exists():
                _write(path, make(first, texts[first : first + CHUNK]))
            parts.append(datasets.Dataset.from_file(str(path)).data.table.combine_chunks())
        return parts

    def _mention_table(self, first: int, texts: Sequence[Annotated]) -> pa.Table:
        mentions = value_vectors(self.model, self.tokenizer, [(text.text, list(text.mentions)) for text in texts])
        vectors = np.array(list(mentions.values()), dtype=np.float16).reshape(-1, self.model.config.value_size)
        return pa.table(
            {
                "text": pa.array([first + owner for owner, _ in mentions], pa.int64()),
                "start": pa.array([span.start for _, span in mentions], pa.int64()),
                "end": pa.array([span.end for _, span in mentions], pa.int64()),
                "vector": _lists(vectors),
            }
        )

    def _word_table(self, first: int, texts: Sequence[Annotated]) -> pa.Table:
        words = word_states(self.model, self.tokenizer, [text.text for text in texts])
        owners = [np.full(len(states.places), first + states.owner) for states in words]
        size = self.model.backbone.config.hidden_size
        columns = {"place": (2, np.int64), "first": (size, np.float16), "last": (size, np.float16)}
        columns["shapes"] = (SHAPES, np.float32)
        table = {"text": pa.array(np.concatenate([np.zeros(0, dtype=np.int64), *owners]))}
        for column, (width, dtype) in columns.items():
            rows = [getattr(states, "places" if column == "place" else column) for states in words]
            table[column] = _lists(np.concatenate([np.zeros((0, width)), *rows]).astype(dtype))
        return pa.table(table)


def _write(path: Path, table: pa.Table) -> None:
    """Write a file that appears only when it is complete."""
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    partial.replace(path)


def _lists(rows: np.ndarray) -> pa.FixedSizeListArray:
    """A matrix as a column."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), rows.shape[1])


def matrix(table: pa.Table, column: str) -> np.ndarray:
    """A column of `_lists` as a matrix in the table's memory."""
    width = table.schema.field(column).type.list_size
    pieces = [chunk.flatten().to_numpy(zero_copy_only=True).reshape(-1, width) for chunk in table.column(column).chunks]
    return pieces[0] if len(pieces) == 1 else np.concatenate([np.zeros((0, width)), *pieces])


def weights_digest(model: NerretModel) -> str:
    """SHA-256 of the weights that compute value vectors, as they are in memory: dtype and adapters count too."""
    digest = hashlib.sha256()
    for part in (model.backbone, model.value_projection):
        for name, tensor in sorted(part.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 of a fast tokenizer; truncation and padding of its last call do not count."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    return hashlib.sha256(json.dumps(state | {"truncation": None, "padding": None}).encode()).hexdigest()


@torch.inference_mode()
def value_vectors(
    model: NerretModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[tuple[str, Sequence[Span]]]
) -> dict[tuple[int, Span], np.ndarray]:
    """Pooled value vectors of mentions, before the head, by text number and span; (value_size,) float32 each."""
    windows = make_windows(tokenizer, [text for text, _ in texts], model.config.max_tokens)
    sightings = Sightings(windows, model.causal)
    vectors: dict[tuple[int, Span], np.ndarray] = {}
    for batch in batches(windows, BATCH_TOKENS):
        values = model.value_states(*stack(batch, model.device))  # (windows, tokens, value_size)
        groups = [sightings.of(window, texts[window.owner][1]) for window in batch]
        rows = token_rows(groups)  # (mentions, 3)
        if len(rows):
            pooled_values = pool(values, rows, model.config.pooling).cpu().numpy()  # (mentions, value_size)
            vectors |= dict(zip(row_owners(batch, groups), pooled_values, strict=True))
    return dict(sorted(vectors.items(), key=lambda item: item[0]))


@torch.inference_mode()
def word_states(model: NerretModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[WordStates]:
    """The words of texts that have any, in order; only a text's first window is read."""
    windows = [window for window in make_windows(tokenizer, texts, model.config.max_tokens) if window.number == 0]
    states_by_text: dict[int, WordStates] = {}
    for batch in batches(windows, BATCH_TOKENS):
        words = [words_of(window) for window in batch]
        states = model.hidden_states(*stack(batch, model.device))  # (windows, tokens, state_size)
        first, last, shapes = (tensor.cpu() for tensor in gather(batch, words, states))
        for row, (window, places) in enumerate(zip(batch, words, strict=True)):
            count = len(places)
            if count:
                begin, end = (tensor[row, :count].half().numpy().copy() for tensor in (first, last))
                look = shapes[row, :count].numpy().copy()
                states_by_text[window.owner] = WordStates(window.owner, places[:, :2].copy(), begin, end, look)
    return [states_by_text[owner] for owner in sorted(states_by_text)]
