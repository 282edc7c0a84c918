"""The paragraphs of NERetrieve that its test labels name, from its archives."""

from __future__ import annotations

import bz2
import json
import shutil
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from huggingface_hub import constants

from modeling_nerret.cli.progress import Progress
from modeling_nerret.spans import Span
from modeling_nerret.training.data.tags import token_starts

from .annotations import LabelledDocument, label_document

ARCHIVES = "https://storage.googleapis.com/neretrieve_dataset/IR/"
PARAGRAPHS, LABELS = "NERetrive_IR_corpus.jsonl.bz2", "NERetrive_IR_test.jsonl.bz2"  # spelled as published
Places = dict[str, dict[str, dict[str, Iterable[Sequence[int]]]]]  # type -> entity -> mention -> numbers of its words


def read_neretrieve(folder: Path | None, limit: int | None = None) -> Iterator[LabelledDocument]:
    """The paragraphs that the test labels name, in the order of the labels.

    Args:
        folder: a local copy of the archives, packed or unpacked; `None`: download them.
        limit: only the first so many paragraphs.

    Raises:
        OSError: an archive cannot be reached.
        ValueError: a paragraph is missing.
    """
    folder = folder or Path(constants.HF_HOME) / "neretrieve"
    entries = {entry["id"]: entry for entry in islice(_lines(folder, LABELS), limit)}
    texts = {entry["id"]: entry["content"] for entry in _lines(folder, PARAGRAPHS) if entry["id"] in entries}
    for id_, entry in entries.items():
        if id_ not in texts:
            raise ValueError(f"the paragraph {id_!r} of {LABELS} is not in {PARAGRAPHS}")
        yield label_words(id_, texts[id_], entry["tagged_entities"])


def label_words(id_: str, text: str, entities: Places) -> LabelledDocument:
    """A paragraph with its mentions.

    Args:
        id_: its id.
        text: words joined by single spaces.
        entities: type -> entity -> mention -> places, each the numbers of the mention's words.

    Example:
        >>> label_words("a", "seen in Oslo today", {"City": {"Q585": {"Oslo": [[2]]}}}).labels
        {Span(start=8, end=12, score=1.0): ('City',)}
    """
    starts = token_starts(text.split(" "))
    labels: dict[Span, tuple[str, ...]] = {}
    for label, entity_mentions in entities.items():
        for place in chain.from_iterable(chain.from_iterable(names.values() for names in entity_mentions.values())):
            if place:
                span = Span(starts[min(place)], starts[max(place) + 1] - 1)
                labels[span] = tuple(dict.fromkeys((*labels.get(span, ()), label)))
    return label_document(id_, text, labels)


def _lines(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """Entries of an archive, which is downloaded if it is missing."""
    archive = folder / name
    plain_file = archive.with_suffix("")
    if not archive.exists() and not plain_file.exists():
        _download(archive)
    with plain_file.open("rb") if plain_file.exists() else bz2.open(archive, "rb") as file:
        for line in Progress(file, f"reading {name}", "lines"):
            yield json.loads(line)


def _download(path: Path) -> None:
    """Download an archive under another name first, so that a broken download never looks complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    try:
        with urllib.request.urlopen(ARCHIVES + path.name, timeout=60) as source, partial.open("wb") as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise OSError(f"{ARCHIVES}{path.name} cannot be reached ({error}); give a local copy with --data DIR") from None
    partial.rename(path)
