"""Read annotated text by the form of its name.

- `FILE.jsonl`: one text per line, `{"id", "text", "mentions": [{"start", "end", "type"}]}`, where `text[start:end]` is
  the mention. List a mention of several types once for each. Or one type per line, `{"type", "examples": [...]}`.
- `FILE.conll`, `.bio`, `.iob`: a token per line with its tag last (BIO, BIOES or IO), and an empty line after each
  sentence. Tokens are joined by single spaces.
- `FILE.toml`, `FILE.csv`: examples of types, `dinosaur = ["Triceratops", ...]`, or lines `dinosaur,Triceratops`.
- `hf:ID`, `hf:ID@CONFIG`, `hf:ID:SPLIT`, `hf:ID@CONFIG:SPLIT`: a dataset of the Hugging Face Hub or a local folder,
  with `tokens` and tags, or `text` and spans; see `hub_datasets`.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .annotated import Annotated, RawText, annotate, raw_sentence, raw_text
from .tags import OUTSIDE, is_tag

HUB = "hf:"  # names of datasets begin with it


def read(name: str, names: Mapping[str, str] | None = None) -> Iterator[Annotated]:
    """Texts of a file or dataset, in order.

    Args:
        name: a file or a dataset, see above.
        names: plain names of raw labels; without one a label stands for itself, with spaces instead of `_`.

    Raises:
        OSError: there is no such file.
        ValueError: the form is unknown, or the content is malformed; the message names file and line.
    """
    return (annotate(raw, names) for raw in _read_raw(name))


def is_name_of_file(name: str) -> bool:
    """Whether a set's name is a file that `read` knows, such as `mine.jsonl`."""
    return Path(name).suffix in READERS


def _read_raw(name: str) -> Iterator[RawText]:
    if name.startswith(HUB):
        from .hub_datasets import read_dataset

        yield from read_dataset(name.removeprefix(HUB))
        return
    path = Path(name)
    reader = READERS.get(path.suffix)
    if reader is None:
        raise ValueError(f"{name}: unknown form of file; accepted are {', '.join(READERS)} files and hf:ID")
    if path.exists() and not path.is_file():  # which may never end
        raise ValueError(f"{name} is no regular file but a folder, a pipe or a device; give a file")
    try:
        yield from reader(path)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}; convert it") from None


def _read_jsonl(path: Path) -> Iterator[RawText]:
    examples: list[tuple[str, str]] = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{place} is not JSON: {error.msg}") from None
            if isinstance(entry, dict) and "examples" in entry:
                examples += _examples(entry.get("type"), entry["examples"], place)
            else:
                yield raw_text(entry, number, place)
    yield from _names_alone(examples, str(path))


def _examples(label: Any, examples: Any, place: str) -> list[tuple[str, str]]:
    """Type and name of each example."""
    if not isinstance(label, str) or not isinstance(examples, list):
        raise ValueError(f'{place}: expected {{"type": "...", "examples": ["...", ...]}}')
    for name in examples:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"{place}: the example {name!r:.80} of {label!r} is not a name")
    return [(label, " ".join(name.split())) for name in examples]


def _names_alone(examples: Iterable[tuple[str, str]], place: str) -> Iterator[RawText]:
    """Names without context: each is a text by itself, with all its types."""
    types: dict[str, list[str]] = defaultdict(list)
    for label, name in examples:
        types[name].append(label)
    for name, labels in types.items():
        yield RawText(f"{place}, {name!r}", name, name, [(0, len(name), label) for label in labels])


def _read_toml(path: Path) -> Iterator[RawText]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from None
    examples = [pair for label, names in entries.items() for pair in _examples(label, names, str(path))]
    return _names_alone(examples, str(path))


def _read_csv(path: Path) -> Iterator[RawText]:
    examples = []
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            cells = [cell.strip() for cell in row]
            if not any(cells) or (number == 1 and cells[0].lower() == "type"):
                continue
            if not cells[0] or len(cells) < 2:
                raise ValueError(
                    f"{path}, line {number}: expected a type and names of it, such as dinosaur,Triceratops"
                )
            examples += _examples(cells[0], [cell for cell in cells[1:] if cell], f"{path}, line {number}")
    return _names_alone(examples, str(path))


Token = tuple[int, str, str]  # line, token, tag


def _read_conll(path: Path) -> Iterator[RawText]:
    sentences = _conll_sentences(path)
    tags = {tag for sentence in sentences for _, _, tag in sentence}
    bare = not any(is_tag(tag) for tag in tags - {OUTSIDE})
    for number, sentence in enumerate(sentences):
        for line, _, tag in sentence:
            if not (bare or is_tag(tag)):
                raise ValueError(f"{path}, line {line}: the tag {tag!r} is neither O nor B-, I-, E- or S- with a type")
        tokens, labels = [token for _, token, _ in sentence], [tag for _, _, tag in sentence]
        yield raw_sentence(f"{path}, line {sentence[0][0]}", str(number), tokens, labels, bare)


def _conll_sentences(path: Path) -> list[list[Token]]:
    sentences: list[list[Token]] = [[]]
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            cells = line.rstrip("\n").split("\t") if "\t" in line else line.split()
            if not line.strip() or cells[0] == "-DOCSTART-":
                sentences.append([])
            elif not (cells[0].startswith("#") and not sentences[-1] and not is_tag(cells[-1])):  # not a comment
                if len(cells) < 2 or not cells[0].strip():
                    raise ValueError(f"{path}, line {number}: {line.strip()!r:.60} is not a token with a tag after it")
                sentences[-1].append((number, cells[0].strip(), cells[-1].strip()))
    return [sentence for sentence in sentences if sentence]


READERS: dict[str, Callable[[Path], Iterator[RawText]]] = {
    ".jsonl": _read_jsonl,
    ".conll": _read_conll,
    ".bio": _read_conll,
    ".iob": _read_conll,
    ".toml": _read_toml,
    ".csv": _read_csv,
}
