"""Find the sets that a recipe names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..recipes import SetEntry
from .annotated import Annotated
from .examples import example_names, find_file
from .open_sets import mentions_source, open_source
from .own_sets import corpus_source, kinds_source, phrases_source
from .readers import HUB, is_name_of_file, read
from .source import Source, thin_out

KINDS = ("kinds", "words", "descriptions")
BUILT: dict[str, Callable[[float, Path], Source]] = {
    name: partial(kinds_source, name) for name in KINDS
}  # from the user's folder
BUILT |= {"open": open_source, "mentions": mentions_source, "phrases": phrases_source}


@dataclass(frozen=True)
class Data:
    """What the user names with `--data`.

    Args:
        folder: where sets are found by their names.
        files: files and Hugging Face ids, which together are the set `data`.
    """

    folder: Path = Path("data")
    files: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str]) -> Data:
        """From command-line values: folders, files, names of examples, and `hf:` names. The last folder counts.

        Raises:
            OSError: a file or folder is missing.
        """
        folders, files = [Path("data")], []
        for name in names:
            path = None if name.startswith(HUB) else find_file(name)
            if path is None and not name.startswith(HUB):
                examples = ", ".join(example_names())
                raise FileNotFoundError(f"--data {name}: there is no such file or folder, and no example ({examples})")
            if path is not None and path.is_dir():
                folders.append(path)
            else:
                files.append(name if path is None else str(path))
        return cls(folders[-1], tuple(files))


def read_sources(entry: SetEntry, data: Data) -> list[Source]:
    """The sources of an entry of `sets`; several only for the set `data` of several files, which share its weight.

    Args:
        entry: its name is `corpus` (the project's own), `open` or `mentions` (texts of several sets in the user's
            folder, with the project's own types for their names or for all that they mention), `kinds`, `words`,
            `descriptions` or `phrases` (built there by `training.kinds.build`), `data` (all files that the user
            named), that of a set in the user's folder (NAME.jsonl with types.json), or a file there or `hf:` name as
            in `data.readers`.
        data: what the user named.

    Raises:
        OSError: a file is missing.
        ValueError: a file is malformed, or a name points out of its folder.
    """
    sources = _read_whole(entry, data)
    if entry.texts:
        sources = [thin_out(source, entry.texts) for source in sources]
        if blank := next((source.name for source in sources if not source.wordings), None):
            raise ValueError(
                f"none of the {entry.texts} texts that are taken of the set {blank!r} has a mention; take more"
            )
    return sources


def _read_whole(entry: SetEntry, data: Data) -> list[Source]:
    if entry.names and entry.name in ("corpus", *BUILT):
        raise ValueError(f"the types of the set {entry.name!r} have names already; remove names from its entry")
    if entry.name == "corpus":
        return [corpus_source(entry.weight)]
    if entry.name in BUILT:
        return [BUILT[entry.name](entry.weight, data.folder)]
    if entry.name == "data":
        if not data.files:
            raise ValueError("the recipe's set 'data' is your own: name it with --data FILE (or --data hf:ID)")
        weight = entry.weight / len(data.files)
        return [_source(name, weight, list(read(name, entry.names))) for name in data.files]
    if entry.name.startswith(HUB):
        return [_source(entry.name, entry.weight, list(read(entry.name, entry.names)))]
    return [_source_in_folder(entry, data.folder)]


def _source_in_folder(entry: SetEntry, folder: Path) -> Source:
    """A set in the user's folder; the folder's types.json has plain names of its labels."""
    path = _inside(folder, entry.name if is_name_of_file(entry.name) else f"{entry.name}.jsonl")
    if not path.exists():
        raise FileNotFoundError(
            f"the set {entry.name!r} is not in {folder} (no {path.name}); say where with --data DIR"
        )
    names, types = dict(entry.names), path.parent / "types.json"
    if types.exists():
        names = _plain_names(types, entry.name) | names
    return _source(entry.name, entry.weight, list(read(str(path), names)))


def _plain_names(path: Path, name: str) -> dict[str, str]:
    """The plain names that a types.json has for a set; none if it does not name the set."""
    try:
        sets = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # not UTF-8, or not JSON
        raise ValueError(f"{path} is not JSON ({error})") from None
    names = sets.get(name, {}) if isinstance(sets, dict) else None
    if not isinstance(names, dict) or not all(isinstance(plain, str) for plain in names.values()):
        raise ValueError(f'{path} must be {{"set": {{"label": "plain name", ...}}, ...}}, for the set {name!r} too')
    return names


def _inside(folder: Path, name: str) -> Path:
    """The file `name` of a folder; refuses a name that points out of it."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"the set {name!r} lies outside {folder}; sets of a recipe are names inside --data")
    return path


def _source(name: str, weight: float, texts: list[Annotated]) -> Source:
    types = sorted({label for text in texts for labels in text.mentions.values() for label in labels})
    if not types:
        raise ValueError(f"{name}: there are no mentions in it to learn from")
    name = Path(name).stem if is_name_of_file(name) else name
    return Source(name, weight, texts, {label: [label] for label in types})
