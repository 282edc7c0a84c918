"""Read annotated text from a dataset of the Hugging Face Hub or a local folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets

from .annotated import SPANS, RawText, raw_sentence, raw_text
from .tags import OUTSIDE, is_tag

TAGS = ("ner_tags", "fine_ner_tags", "tags", "labels")  # columns of tags; the first that exists counts


def read_dataset(name: str) -> Iterator[RawText]:
    """The texts of `ID[@CONFIG][:SPLIT]`, in order.

    Raises:
        ValueError: the dataset has neither tagged tokens nor texts with spans.
    """
    rows = _load(name)
    if "text" in rows.column_names and any(column in rows.column_names for column in SPANS):
        for number, row in enumerate(rows):
            yield raw_text(row, number, f"hf:{name}, row {number}")
        return
    column = next((column for column in TAGS if column in rows.column_names), None)
    if column is None or "tokens" not in rows.column_names:
        raise ValueError(
            f"hf:{name} has the columns {', '.join(rows.column_names)}; needed are tokens and one of "
            f"{', '.join(TAGS)}, or text and one of {', '.join(SPANS)}"
        )
    inner = getattr(rows.features[column], "feature", None)
    labels = inner.names if isinstance(inner, datasets.ClassLabel) else None
    known_tags = labels or sorted({tag for row in rows for tag in row[column]})
    if not all(isinstance(tag, str) for tag in known_tags):
        raise ValueError(f"hf:{name}: {column} are numbers without names; needed are ClassLabel or string tags")
    bare = not any(is_tag(tag) for tag in known_tags if tag != OUTSIDE)
    for number, row in enumerate(rows):
        tags = [labels[tag] for tag in row[column]] if labels else row[column]
        if len(tags) != len(row["tokens"]):
            raise ValueError(f"hf:{name}, row {number}: {len(row['tokens'])} tokens but {len(tags)} tags")
        yield raw_sentence(f"hf:{name}, row {number}", str(row.get("id", number)), row["tokens"], tags, bare)


def _load(name: str) -> Any:
    id_, config, split = parse_dataset_name(name)
    folder = Path(id_)
    if (folder / "dataset_info.json").exists():
        return datasets.load_from_disk(id_)
    if (folder / "dataset_dict.json").exists():
        return datasets.load_from_disk(id_)[split]
    return datasets.load_dataset(id_, config, split=split)


def parse_dataset_name(name: str) -> tuple[str, str | None, str]:
    """Id, configuration and split of `ID[@CONFIG][:SPLIT]`; without a split it is `train`.

    Example:
        >>> parse_dataset_name("DFKI-SLT/few-nerd@supervised:train[:10%]")
        ('DFKI-SLT/few-nerd', 'supervised', 'train[:10%]')
        >>> parse_dataset_name("conll2003")
        ('conll2003', None, 'train')
    """
    name, _, split = name.partition(":")
    id_, _, config = name.partition("@")
    if not id_:
        raise ValueError(f"hf:{name} names no dataset; write hf:ID, hf:ID@CONFIG or hf:ID@CONFIG:SPLIT")
    return id_, config or None, split or "train"
