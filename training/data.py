"""Annotated text as training sees it: texts with typed mentions, and sets of them whose labels are complete."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .own_sets import read_corpus, read_open
from .reading import Annotated, is_name_of_file, read
from .source import Source

__all__ = ["Annotated", "Data", "Source", "read_annotated", "read_source", "read_type_names", "split"]


@dataclass(frozen=True)
class Data:
    """What the user gave as `--data`.

    Args:
        folder: where sets are found by their names.
        own: files and Hugging Face ids, which the set `data` stands for.
    """

    folder: Path = Path("data")
    own: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: Sequence[str]) -> Data:
        """From command-line values: folders, files and `hf:` names, the last folder counting.

        Raises:
            OSError: a file or folder is missing.
        """
        folders = [Path(name) for name in given if not name.startswith("hf:") and Path(name).is_dir()]
        own = tuple(name for name in given if name.startswith("hf:") or not Path(name).is_dir())
        for name in own:
            if not name.startswith("hf:") and not Path(name).exists():
                raise FileNotFoundError(f"--data {name}: there is no such file or folder")
        return cls(folders[-1] if folders else Path("data"), own)


def read_source(entry: dict[str, Any], data: Data) -> list[Source]:
    """The sources of an entry of `sets`; several only for the set `data` of several files, which share its weight.

    Args:
        entry: `name`, `weight` and `names` (plain names of raw labels). A name is `corpus` (the project's own), `open`
            (texts of several sets in the user's folder, under the project's own types), `data` (all that the user
            gave), that of a set in the user's folder (NAME.jsonl with types.json), or a file there or `hf:` name as in
            `training.reading`.
        data: what the user gave.

    Raises:
        OSError: a file is missing.
        ValueError: a file is malformed, or a name points out of its folder.
    """
    name, weight, names = entry["name"], float(entry.get("weight", 1.0)), dict(entry.get("names", {}))
    if name == "corpus":
        return [read_corpus(weight)]
    if name == "open":
        return [read_open(weight, data.folder)]
    if name == "data":
        if not data.own:
            raise ValueError("the recipe's set 'data' is your own: name it with --data FILE (or --data hf:ID)")
        return [_source(one, weight / len(data.own), list(read(one, names))) for one in data.own]
    if name.startswith("hf:"):
        return [_source(name, weight, list(read(name, names)))]
    path = inside(data.folder, name if is_name_of_file(name) else f"{name}.jsonl")
    if not path.exists():
        raise FileNotFoundError(f"the set {name!r} is not in {data.folder} (no {path.name}); say where with --data DIR")
    types = path.parent / "types.json"
    if types.exists():
        names = json.loads(types.read_text(encoding="utf-8")).get(name, {}) | names
    return [_source(name, weight, list(read(str(path), names)))]


def inside(folder: Path, name: str) -> Path:
    """The file `name` of a folder.

    Raises:
        ValueError: the name points out of the folder.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"the set {name!r} lies outside of {folder}; sets of a recipe are names inside --data")
    return path


def _source(name: str, weight: float, texts: list[Annotated]) -> Source:
    types = sorted({plain for text in texts for found in text.mentions.values() for plain in found})
    if not types:
        raise ValueError(f"{name}: there is no mention in it to learn from")
    name = Path(name).stem if is_name_of_file(name) else name
    return Source(name, weight, texts, {plain: [plain] for plain in types})


def read_type_names(path: Path, key: str | None = None) -> dict[str, str]:
    """Raw labels to plain names, from a `types.json` (of the set `key`) or a corpus's own `types.jsonl`."""
    if path.suffix == ".jsonl":
        return {entry["id"]: entry["id"] for entry in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
    names = json.loads(path.read_text(encoding="utf-8"))
    return names[key] if key is not None else names


def read_annotated(path: Path, names: dict[str, str] | None = None) -> Iterator[Annotated]:
    """Texts of a JSONL file in order; see `training.reading`."""
    return read(str(path), names)


def split(items: Sequence[Annotated], share: float, seed: int) -> tuple[list[Annotated], list[Annotated]]:
    """A random split into the rest and a `share` in [0, 1) held out; the same for the same seed."""
    order = list(range(len(items)))
    random.Random(seed).shuffle(order)
    held = set(order[: int(len(items) * share)])
    return [item for at, item in enumerate(items) if at not in held], [items[at] for at in sorted(held)]
