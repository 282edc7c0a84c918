"""Published benchmarks by name, as the paper uses them, from the network or from a local copy of the same files.

- `fewnerd`: DFKI-SLT/few-nerd, supervised, all three splits (CC BY-SA 4.0).
- `multiconer2`: MultiCoNER/multiconer_v2, English, all three splits (CC BY 4.0).
- `neretrieve`: the paragraphs that the test labels of NERetrieve name (CC BY-SA 4.0).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import datasets
from huggingface_hub import HfApi, constants

from modeling_nerret.spans import Span
from modeling_nerret.training.data.tags import tag_spans, token_starts
from modeling_nerret.weights import HubError, ask_hub

from .annotations import LabelledDocument, label_document
from .neretrieve import read_neretrieve
from .task import Task, make_task
from .type_names import QuerySettings

TYPES = Path(__file__).parent / "benchmark_types.json"
SPLITS = ("train", "validation", "test")


class TaggedSet(NamedTuple):
    """A benchmark of tagged tokens on the Hub.

    Args:
        repository: its id.
        config: its configuration.
        revision: the revision with Parquet files; `None`: the newest.
        column: the column of tags.
        bare: whether its tags are labels without a prefix such as `B-`.
    """

    repository: str
    config: str
    revision: str | None
    column: str
    bare: bool


HUB = {
    "fewnerd": TaggedSet("DFKI-SLT/few-nerd", "supervised", None, "fine_ner_tags", bare=True),
    "multiconer2": TaggedSet(
        "MultiCoNER/multiconer_v2", "English (EN)", "refs/convert/parquet", "ner_tags", bare=False
    ),
}


def load_benchmark(
    name: str, folder: Path | None = None, settings: QuerySettings | None = None, limit: int | None = None
) -> Task:
    """A benchmark as a task.

    Args:
        name: one of `BENCHMARKS`.
        folder: a local copy of the repository's Parquet files or of the archives; `None`: download them.
        settings: which types are queries. Without names, this project's plain names are used; NERetrieve's labels are
            plain already.
        limit: only the first so many documents.

    Raises:
        OSError: the benchmark cannot be reached, or the folder lacks its files.
        ValueError: its rows have another form.
    """
    settings = settings or QuerySettings()
    if folder is not None and not folder.is_dir():
        raise OSError(f"--data {folder} is not a folder; give a local copy of {name}")
    if name not in HUB:
        return make_task(name, read_neretrieve(folder, limit), settings)
    if settings.names is None:
        settings = replace(settings, names=json.loads(TYPES.read_text(encoding="utf-8"))[name])
    return make_task(name, islice(_read_tagged_set(name, folder), limit), settings)


def _read_tagged_set(name: str, folder: Path | None) -> Iterator[LabelledDocument]:
    """The sentences of all splits, one split after another."""
    source = HUB[name]
    for split in SPLITS:
        rows = _rows(source, split, folder)
        classes = rows.features[source.column].feature
        for number, row in enumerate(rows):
            tags = [classes.int2str(tag) if isinstance(tag, int) else tag for tag in row[source.column]]
            if row["tokens"]:
                yield label_tokens(f"{name}-{split}-{number}", row["tokens"], tags, source.bare)


def _rows(source: TaggedSet, split: str, folder: Path | None) -> Any:
    if folder is None:
        try:
            return ask_hub(partial(_download, source, split))
        except HubError as error:
            raise OSError(
                f"{source.repository} cannot be reached ({error}); give a local copy of its Parquet files with "
                "--data DIR"
            ) from None
    files = sorted(path for path in folder.rglob("*.parquet") if split in str(path.relative_to(folder)))
    if not files:
        raise OSError(f"{folder} holds no *.parquet of the split {split!r} of {source.repository}")
    # The copy may hold other configurations too
    config_files = [path for path in files if source.config in path.relative_to(folder).parts]
    return datasets.Dataset.from_parquet([str(path) for path in config_files or files], keep_in_memory=True)


def _download(source: TaggedSet, split: str) -> Any:
    if not constants.HF_HUB_OFFLINE:  # fails at once without a network; load_dataset retries for minutes
        HfApi().dataset_info(source.repository, timeout=10)
    return datasets.load_dataset(source.repository, source.config, revision=source.revision, split=split)


def label_tokens(id_: str, tokens: Sequence[str], tags: Sequence[str], bare: bool) -> LabelledDocument:
    """A document from tokens, joined by single spaces, and their tags.

    Args:
        id_: the document's id.
        tokens: the tokens.
        tags: a tag for each token: `O`, or a label with a prefix (`B-Artist`) or without one (`art-film`).
        bare: whether labels have no prefix.

    Example:
        >>> tags = ["B-Artist", "I-Artist", "O", "B-Station"]
        >>> sentence = label_tokens("a", ["Ada", "Lovelace", "left", "Oslo"], tags, bare=False)
        >>> sentence.document.text, list(sentence.labels.values())
        ('Ada Lovelace left Oslo', [('Artist',), ('Station',)])
    """
    starts = token_starts(tokens)
    labels: dict[Span, tuple[str, ...]] = {
        Span(starts[first], starts[last] - 1): (label,) for first, last, label in tag_spans(tags, bare)
    }
    return label_document(id_, " ".join(tokens), labels)
