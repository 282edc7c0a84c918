"""Vectors of types: of their words, moved by examples and by marks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...detection import GivenSpans
from ...documents import Document
from ...encoding import Encoder
from ...pretrained.vectors import unit
from ...spans import Span
from .type_query import Example, Type

LIKE, UNLIKE = 0.5, 0.25  # weights of the mean example, and of the mean counterexample
FEW_MARKS, MARKED_LIKE, MARKED_UNLIKE = 10, 1.0, 0.5  # beyond so many marks they weigh more


def embed_type(encoder: Encoder, type_: Type) -> np.ndarray:
    """The vector of a type's words and examples, not of its marks. (hidden_size,), of length 1

    Raises:
        ValueError: a word or an example cannot be read.
    """
    words = encoder.embed_queries([type_.name, *type_.wordings])  # (wordings, hidden_size)
    vector = unit(words.mean(0)) if type_.vector is None else np.asarray(type_.vector, dtype=np.float32)
    for examples, weight in ((type_.like, LIKE), (type_.unlike, -UNLIKE)):
        if examples:
            vector = vector + weight * _embed_examples(encoder, examples).mean(0)
    return unit(vector) if type_.like or type_.unlike else vector


def moved(vector: np.ndarray, examples: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """A query's vector, moved towards right examples and away from wrong ones (Rocchio, 1971). (hidden_size,)

    Args:
        vector: of length 1. (hidden_size,)
        examples: best mentions of marked documents, each of length 1, or 0 if it has none. (marks, hidden_size)
        marks: whether each is right. (marks,)
    """
    many = len(marks) > FEW_MARKS
    for is_right, weight in (
        (True, MARKED_LIKE if many else LIKE),
        (False, -(MARKED_UNLIKE if many else UNLIKE)),
    ):
        group = examples[marks == is_right]
        if len(group):
            vector = vector + weight * group.mean(0)
    return unit(vector)


def _embed_examples(encoder: Encoder, examples: Sequence[Example]) -> np.ndarray:
    """Vectors of names and of mentions. (examples, hidden_size), each of length 1"""
    names = [example for example in examples if isinstance(example, str)]
    places = [example for example in examples if not isinstance(example, str)]
    documents = [
        Document(str(number), place["text"], mentions=(Span(place["start"], place["end"]),))
        for number, place in enumerate(places)
    ]
    reader = Encoder(encoder.model, encoder.tokenizer, GivenSpans(), encoder.batch_tokens)
    vectors = [item.vectors for item in reader.encode(documents)]
    for place, rows in zip(places, vectors, strict=True):
        if not len(rows):
            raise ValueError(f"the example {place!r:.80} has no characters that the model can read; name another one")
    return np.concatenate([encoder.embed_queries(names), *vectors] if names else vectors)
