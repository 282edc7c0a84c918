"""The demo corpus as a static Space's page reads it: texts, mentions with their vectors in 16 bits, and words.

All is taken from an ordinary index, so the page ranks what the package ranks.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import save_file

from modeling_nerret.demo import demo_corpus
from modeling_nerret.documents import Document
from modeling_nerret.index.readers import read_corpus
from modeling_nerret.index.retriever import EntityRetriever
from modeling_nerret.index.snapshot import Snapshot
from modeling_nerret.index.terms import K1, LETTERS, B, letters_of, terms_of
from modeling_nerret.pretrained.checkpoints import Checkpoint

CORPUS, VECTORS = "corpus.json", "vectors.safetensors"
LEVELS = 2**15 - 1  # of a vector's number, on either side of 0
GROUPS, GROUP_EXAMPLES = 12, 2  # types on the start page, and examples of each
# The weights of the hybrid score, and the least score of a mention that is shown
WEIGHTS = (
    *("document_floor", "document_weight", "lexical_weight", "lexical_half", "match_score"),
    *("feedback_documents", "feedback_weight"),
)


class Rows(NamedTuple):
    """Mentions or windows: place (document, start, end) of each, and vectors (rows, hidden_size)."""

    places: list[tuple[int, int, int]]
    vectors: np.ndarray


def write_corpus(checkpoint: Checkpoint, folder: Path, documents: Iterable[Document] | None = None) -> None:
    """Index documents, and write them with all that ranks them.

    Args:
        checkpoint: the model.
        folder: where the two files are written.
        documents: the documents; `None`: the demo corpus.

    Raises:
        ValueError: the model has no detector.
    """
    if documents is None:
        documents = [record for record in read_corpus(demo_corpus()) if isinstance(record, Document)]
    with tempfile.TemporaryDirectory() as parent:
        retriever = EntityRetriever(Path(parent) / "index", checkpoint)
        retriever.add(documents)
        texts = sorted(retriever.lookup(retriever.ids()).values(), key=lambda document: document.id)
        mentions, windows = (_rows(retriever, [text.id for text in texts], name) for name in ("mentions", "windows"))
        groups = [] if checkpoint.type_names is None else retriever.types().types
    kinds = [kind for group in groups for kind in group.kinds or [group]]  # which say more than the groups
    kinds = sorted(kinds, key=lambda kind: -kind.documents)[:GROUPS]
    tensors = {}
    for name, rows in (("mentions", mentions), ("windows", windows)):
        tensors[name], tensors[f"{name}.scales"] = quantize(rows.vectors)
    save_file(tensors, folder / VECTORS)
    config, calibration = checkpoint.model.config, checkpoint.calibration
    content: dict[str, Any] = {
        "documents": [{"id": text.id, "text": text.text} for text in texts],
        "mentions": [(owner, *_units(texts[owner].text, start, end)) for owner, start, end in mentions.places],
        "windows": [owner for owner, _, _ in windows.places],
        "words": _words([text.text for text in texts], checkpoint.tokenizer.get_vocab()),
        "weights": {name: getattr(config, name) for name in WEIGHTS},
        "calibration": None if calibration is None else {**asdict(calibration), "sets": None},
        "groups": [{"name": kind.name, "examples": kind.examples[:GROUP_EXAMPLES]} for kind in kinds],
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    (folder / CORPUS).write_text(text + "\n", encoding="utf-8")


def quantize(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, size) in 16 bits, and for each the number that scales it back. (n, size) int16, (n,) float32

    Example:
        >>> numbers, scales = quantize(np.array([[0.5, -1.0], [0.0, 0.0]]))
        >>> numbers[0].tolist(), (numbers * scales[:, None]).round(4).tolist()
        ([16384, -32767], [[0.5, -1.0], [0.0, 0.0]])
    """
    scales = np.abs(vectors).max(1, initial=0.0).astype(np.float32) / LEVELS
    divisors = np.where(scales > 0, scales, 1.0)[:, None]  # (n, 1)
    return np.rint(vectors / divisors).clip(-LEVELS, LEVELS).astype(np.int16), scales


def _rows(retriever: EntityRetriever, ids: Sequence[str], of: str) -> Rows:
    """Rows of an index, by document in the order of `ids`."""
    assert retriever._store is not None

    def read(snapshot: Snapshot) -> Rows:
        keys = snapshot.keys(ids)
        numbers = {keys[name]: number for number, name in enumerate(ids)}
        places, vectors = snapshot.vectors(list(numbers), of)
        order = sorted(range(len(places)), key=lambda row: (numbers[places[row][0]], places[row][1:]))
        return Rows([(numbers[places[row][0]], *places[row][1:]) for row in order], vectors[order])

    return retriever._store.read(read)


def _units(text: str, start: int, end: int) -> tuple[int, int]:
    """A place counted as JavaScript counts, which takes a character beyond U+FFFF for two.

    Example:
        >>> _units("🦕 Ada", 2, 5)
        (3, 6)
    """
    first, last = (len(text[:place].encode("utf-16-le")) // 2 for place in (start, end))
    return first, last


def _words(texts: Sequence[str], vocabulary: Iterable[str]) -> dict[str, Any]:
    """What BM25 needs, and which words stand for which terms, so that the page needs no stemmer.

    A word of a query that is neither a word of the model, nor of a text, nor the plural of one, matches nothing.
    """
    terms = [terms_of(text) for text in texts]
    places: dict[str, list[int]] = defaultdict(list)
    for number, document in enumerate(terms):
        for term, count in Counter(document).items():
            places[term] += [number, count]
    words = {word for text in texts for word in re.findall(r"\w+", text)}
    words |= {word for word in vocabulary if word.isalpha()}
    forms = {letters_of(form): terms_of(form) for word in words for form in (word, word + _ending(word))}
    stems = {form: parts for form, parts in sorted(forms.items()) if any(part in places for part in parts)}
    return {
        "k1": K1,
        "b": B,
        "lengths": [len(document) for document in terms],
        "places": places,  # of a term: document, count, document, count, ...
        "terms": {form: parts[0] if len(parts) == 1 else parts for form, parts in stems.items()},  # of a word's letters
        "letters": LETTERS | {"ß": "ss"},
    }


def _ending(word: str) -> str:
    """What makes the plural of most English words."""
    return "es" if word.endswith(("s", "x", "z", "ch", "sh")) else "s"
