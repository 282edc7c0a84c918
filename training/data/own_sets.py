"""The sets that this project wrote or built: its corpus and its kinds; `open_sets` has its labels for other texts.

See corpus/README.md; `training.kinds.build` writes the files of the sets `kinds` and `phrases`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from modeling_nerret.files import one_line

from .annotated import Annotated, RawText, annotate
from .broad_types import broad_types
from .corpus import CorpusType, Types, read_corpus_texts, read_corpus_types
from .readers import read
from .source import Source

BUILD = "python -m modeling_nerret.training.kinds.build"
REBUILD = f"build it again with {BUILD}"


def corpus_source(weight: float) -> Source:
    """The corpus, with its wordings and definitions, and broad types."""
    types = read_corpus_types()
    texts = [annotate(RawText(text.id, text.id, text.text, text.mentions)) for text in read_corpus_texts(types)]
    plain = Source("corpus", weight, texts, {name: entry.wordings for name, entry in types.items()})
    source = _add_broad_types(plain)
    return replace(source, wordings=source.wordings | queries(types), related_types=_related_types(types))


def kinds_source(name: str, weight: float, folder: Path) -> Source:
    """A set in `folder` whose labels are in `kinds.types.json`: `kinds`, `words` or `descriptions`.

    Raises:
        FileNotFoundError: the set is not in the folder.
        ValueError: its files have another form, or do not belong together.
    """
    path, types_path = _built(folder, f"{name}.jsonl"), _built(folder, "kinds.types.json")
    labels, wordings = _read_kinds(types_path)
    texts = []
    for text in read(str(path)):
        mentions, perhaps = {}, {}
        for span, names in text.mentions.items():
            if len(names) > 1 or names[0] not in labels:
                raise ValueError(
                    f"{path}: the label {' and '.join(map(repr, names))} of the text {text.id!r} is none of "
                    f"{types_path.name}; {REBUILD}"
                )
            mentions[span], doubts = labels[names[0]]
            if doubts:
                perhaps[span] = doubts
        texts.append(replace(text, mentions=mentions, perhaps=perhaps))
    present = sorted({name for text in texts for types in text.mentions.values() for name in types})
    if not present:
        raise ValueError(f"{path} has no mention with a type; {REBUILD}")
    return Source(name, weight, texts, {name: wordings[name] for name in present})


def _read_kinds(path: Path) -> tuple[dict[str, tuple[tuple[str, ...], frozenset[str]]], dict[str, list[str]]]:
    """What `kinds.types.json` holds: by label the types it has and those it may have, and each type's wordings.

    Raises:
        ValueError: the file has another form, or a type has no wording.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        labels = {
            label: (_names(entry["types"]), frozenset(_names(entry.get("perhaps", []))))
            for label, entry in entries["labels"].items()
        }
        wordings = {name: list(_names(phrases)) for name, phrases in entries["wordings"].items()}
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # not UTF-8, not JSON, or another form
        raise ValueError(f"{path} has not the form of the set 'kinds' ({one_line(error)}); {REBUILD}") from None
    for label, (types, _) in labels.items():
        for name in types:
            if not wordings.get(name):
                raise ValueError(f"{path}: the type {name!r} of the label {label!r} has no wording; {REBUILD}")
    return labels, wordings


def _names(value: Any) -> tuple[str, ...]:
    if not (isinstance(value, list) and all(isinstance(name, str) and name.strip() for name in value)):
        raise ValueError(f"{value!r:.60} is no list of names")
    return tuple(value)


def phrases_source(weight: float, folder: Path) -> Source:
    """The set `phrases` in `folder`: all noun phrases of its texts; what may be one is a mention without a type.

    Raises:
        FileNotFoundError: the set is not in the folder.
        ValueError: a label is neither `phrase` nor `unsure`, or there is no phrase.
    """
    path = _built(folder, "phrases.jsonl")
    texts = list(read(str(path)))
    labels = {label for text in texts for names in text.mentions.values() for label in names}
    if strangers := sorted(labels - {"phrase", "unsure"}):
        raise ValueError(f"{path}: the label {strangers[0]!r} is neither 'phrase' nor 'unsure'; {REBUILD}")
    if "phrase" not in labels:
        raise ValueError(f"{path} has no phrase; {REBUILD}")
    texts = [relabel(text, lambda labels: [label for label in labels if label != "unsure"]) for text in texts]
    return Source("phrases", weight, texts, {"phrase": ["phrase"]}, has_names=False)


def _built(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.exists():
        raise FileNotFoundError(
            f"{name} is not in {folder}; build it there with {BUILD}, or say where it is with --data DIR"
        )
    return path


def relabel(text: Annotated, change: Callable[[Sequence[str]], Iterable[str]]) -> Annotated:
    """A text whose mentions have the types that `change` gives, each once."""
    mentions = {span: tuple(dict.fromkeys(change(labels))) for span, labels in text.mentions.items()}
    return replace(text, mentions=mentions)


def queries(types: Types) -> dict[str, list[str]]:
    """The wordings of types as queries: their wordings and definitions."""
    return {name: [*entry.wordings, entry.definition] for name, entry in types.items()}


def _add_broad_types(source: Source) -> Source:
    """A source with the broad types of its types."""
    broad = broad_types(source.wordings)
    nouns: dict[str, list[str]] = defaultdict(list)
    for noun, types in broad.items():
        for name in types:
            nouns[name].append(noun)
    texts = [
        relabel(text, lambda labels: [*labels, *(noun for label in labels for noun in nouns.get(label, ()))])
        for text in source.texts
    ]
    wordings = source.wordings | {noun: [noun] for noun in broad}
    return replace(source, texts=texts, wordings=wordings, broad=frozenset(broad))


def _related_types(types: Mapping[str, CorpusType]) -> dict[str, set[str]]:
    """Types that are not negatives of each other: parent and child, and types that share a wording."""
    groups: dict[str, set[str]] = defaultdict(set)
    for name, entry in types.items():
        for wording in entry.wordings:
            groups[wording.casefold()].add(name)
        for parent in entry.parents:
            groups[f"{name} < {parent}"] = {name, parent}
    relatives: dict[str, set[str]] = defaultdict(set)
    for group in groups.values():
        for name in group:
            relatives[name] |= group - {name}
    return {name: names for name, names in relatives.items() if names}
