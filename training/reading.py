"""Read annotated text by the form of its name.

- `FILE.jsonl`: a line `{"id", "text", "mentions": [{"start", "end", "type"}]}` per text, `text[start:end]` being the
  mention; a mention of several types stands once for each. Or a line `{"type", "examples": [...]}` per type.
- `FILE.conll`, `.bio`, `.iob`: a token a line, its tag last (BIO, BIOES or IO), an empty line after a sentence. Tokens
  are joined by single spaces.
- `FILE.toml`, `FILE.csv`: examples of types, `dinosaur = ["Triceratops", ...]`, or lines `dinosaur,Triceratops`.
- `hf:ID`, `hf:ID@CONFIG`, `hf:ID:SPLIT`, `hf:ID@CONFIG:SPLIT`: a dataset of the Hugging Face Hub or a local folder,
  with `tokens` and tags, or `text` and spans.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modeling_nerret.spans import Span, check_span

TAGS = ("ner_tags", "fine_ner_tags", "tags", "labels")  # columns of tags, the first that is there counts
SPANS = ("mentions", "entities", "spans")  # columns of spans
OUTSIDE = "O"
PREFIXES = frozenset("BIESLU")  # of tags: begin, inside, end (or last), single (or unit)


@dataclass(frozen=True)
class Annotated:
    """A text and its mentions, each with the plain names of all its types."""

    id: str
    text: str
    mentions: dict[Span, tuple[str, ...]]


def read(name: str, names: Mapping[str, str] | None = None) -> Iterator[Annotated]:
    """Texts in order.

    Args:
        name: a file or a dataset, see above.
        names: plain names of raw labels; a label that is not among them stands for itself, `_` becoming a space.

    Raises:
        OSError: there is no such file.
        ValueError: the form is unknown, or the content is malformed; the message names file and line.
    """
    for place, id_, text, found in _raw(name):
        types: dict[Span, list[str]] = defaultdict(list)
        for start, end, label in found:
            try:
                check_span(text, start, end)
            except ValueError as error:
                raise ValueError(f"{place}: {error}") from None
            plain = (names or {}).get(label) or label.replace("_", " ").strip()
            if not plain:
                raise ValueError(f"{place}: the mention [{start}, {end}) has an empty type")
            span = Span(start, end)
            if plain not in types[span]:
                types[span].append(plain)
        yield Annotated(id_, text, {span: tuple(own) for span, own in sorted(types.items())})


def is_name_of_file(name: str) -> bool:
    """Whether a set's name is a file that `read` knows, such as `mine.jsonl`."""
    return Path(name).suffix in READERS


# Where it stands, id, text, and start, end and label of each mention
Raw = tuple[str, str, str, list[tuple[int, int, str]]]


def _raw(name: str) -> Iterator[Raw]:
    if name.startswith("hf:"):
        yield from _read_dataset(name[len("hf:") :])
        return
    path = Path(name)
    reader = READERS.get(path.suffix)
    if reader is None:
        raise ValueError(f"{name}: how to read it is unknown; accepted are {', '.join(READERS)} files and hf:ID")
    try:
        yield from reader(path)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: {error.reason} at byte {error.start}") from None


def _read_jsonl(path: Path) -> Iterator[Raw]:
    examples: list[tuple[str, str]] = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{place} is no JSON: {error.msg}") from None
            if isinstance(entry, dict) and "examples" in entry:
                examples += _pairs(entry.get("type"), entry["examples"], place)
            else:
                yield _entry(entry, number, place)
    yield from _names(examples, str(path))


def _entry(entry: Any, number: int, place: str) -> Raw:
    """A text with spans, as JSONL files and datasets hold it."""
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
        raise ValueError(f'{place}: needed is {{"text": "...", "mentions": [{{"start", "end", "type"}}]}}')
    spans = next((entry[column] for column in SPANS if column in entry), None)
    if not isinstance(spans, list):
        raise ValueError(f'{place}: there is no list "mentions" of {{"start", "end", "type"}}')
    found = []
    for mention in spans:
        label = mention.get("type", mention.get("label")) if isinstance(mention, dict) else None
        if not isinstance(label, str) or "start" not in mention or "end" not in mention:
            raise ValueError(f'{place}: the mention {mention!r:.80} is not {{"start", "end", "type"}}')
        found.append((mention["start"], mention["end"], label))
    return place, str(entry.get("id", number)), entry["text"], found


def _pairs(label: Any, examples: Any, place: str) -> list[tuple[str, str]]:
    """Type and name of each example."""
    if not isinstance(label, str) or not isinstance(examples, list):
        raise ValueError(f'{place}: needed is {{"type": "...", "examples": ["...", ...]}}')
    for name in examples:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"{place}: the example {name!r:.80} of {label!r} is no name")
    return [(label, " ".join(name.split())) for name in examples]


def _names(pairs: Iterable[tuple[str, str]], place: str) -> Iterator[Raw]:
    """Names without context, each a text of its own with all its types."""
    types: dict[str, list[str]] = defaultdict(list)
    for label, name in pairs:
        types[name].append(label)
    for name, labels in types.items():
        yield f"{place}, {name!r}", name, name, [(0, len(name), label) for label in labels]


def _read_toml(path: Path) -> Iterator[Raw]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: {error}") from None
    return _names([pair for label, own in entries.items() for pair in _pairs(label, own, str(path))], str(path))


def _read_csv(path: Path) -> Iterator[Raw]:
    pairs = []
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file), 1):
            cells = [cell.strip() for cell in row]
            if not any(cells) or (number == 1 and cells[0].lower() == "type"):
                continue
            if not cells[0] or len(cells) < 2:
                raise ValueError(
                    f"{path}, line {number}: needed is a type and names of it, such as dinosaur,Triceratops"
                )
            pairs += _pairs(cells[0], [cell for cell in cells[1:] if cell], f"{path}, line {number}")
    return _names(pairs, str(path))


def _read_conll(path: Path) -> Iterator[Raw]:
    sentences: list[list[tuple[int, str, str]]] = [[]]
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            cells = line.rstrip("\n").split("\t") if "\t" in line else line.split()
            if not line.strip() or cells[0] == "-DOCSTART-":
                sentences.append([])
            elif not (cells[0].startswith("#") and not sentences[-1] and not _is_tag(cells[-1])):  # no comment
                if len(cells) < 2 or not cells[0].strip():
                    raise ValueError(f"{path}, line {number}: {line.strip()!r:.60} is no token with a tag after it")
                sentences[-1].append((number, cells[0].strip(), cells[-1].strip()))
    tags = {tag for sentence in sentences for _, _, tag in sentence}
    if not any(_is_tag(tag) for tag in tags - {OUTSIDE}):
        tags = set()  # all are bare labels: a token belongs to its neighbour of the same label
    for at, sentence in enumerate(filter(None, sentences)):
        for number, _, tag in sentence:
            if tags and not _is_tag(tag):
                raise ValueError(
                    f"{path}, line {number}: the tag {tag!r} is neither O nor B-, I-, E- or S- with a type"
                )
        tokens = [token for _, token, _ in sentence]
        yield _sentence(f"{path}, line {sentence[0][0]}", str(at), tokens, [tag for _, _, tag in sentence], not tags)


def _is_tag(tag: str) -> bool:
    return tag == OUTSIDE or (len(tag) > 2 and tag[0] in PREFIXES and tag[1] in "-_")


def _sentence(place: str, id_: str, tokens: Sequence[str], tags: Sequence[str], bare: bool) -> Raw:
    """A text of tokens joined by spaces, and its mentions."""
    starts = [0]
    for token in tokens:
        starts.append(starts[-1] + len(token) + 1)
    found = [(starts[first], starts[last] - 1, label) for first, last, label in tag_spans(tags, bare)]
    return place, id_, " ".join(tokens), found


def tag_spans(tags: Sequence[str], bare: bool = False) -> list[tuple[int, int, str]]:
    """First token, last token + 1 and label of each mention of BIO, BIOES or IO tags.

    An I- or E- with nothing before it begins a mention, as older files have it.

    Args:
        tags: a sentence's tags.
        bare: whether they are labels without prefixes.

    Example:
        >>> tag_spans(["B-PER", "I-PER", "O", "S-LOC", "I-ORG", "B-ORG"])
        [(0, 2, 'PER'), (3, 4, 'LOC'), (4, 5, 'ORG'), (5, 6, 'ORG')]
        >>> tag_spans(["person", "person", "O"], bare=True)
        [(0, 2, 'person')]
    """
    spans: list[tuple[int, int, str]] = []
    open_ = False  # whether the last span may go on
    for at, tag in enumerate(tags):
        if tag == OUTSIDE:
            open_ = False
            continue
        prefix, label = ("I", tag) if bare else (tag[0], tag[2:])
        if open_ and prefix in "IEL" and spans[-1][2] == label:
            spans[-1] = (spans[-1][0], at + 1, label)
        else:
            spans.append((at, at + 1, label))
        open_ = prefix in "BI"
    return spans


def _read_dataset(name: str) -> Iterator[Raw]:
    import datasets

    id_, config, split = parse_dataset_name(name)
    if Path(id_).is_dir() and (Path(id_) / "dataset_info.json").exists():
        rows = datasets.load_from_disk(id_)
    elif Path(id_).is_dir() and (Path(id_) / "dataset_dict.json").exists():
        rows = datasets.load_from_disk(id_)[split]
    else:
        rows = datasets.load_dataset(id_, config, split=split)
    if "text" in rows.column_names and any(column in rows.column_names for column in SPANS):
        for number, row in enumerate(rows):
            yield _entry(row, number, f"hf:{name}, row {number}")
        return
    column = next((column for column in TAGS if column in rows.column_names), None)
    if column is None or "tokens" not in rows.column_names:
        raise ValueError(
            f"hf:{name} has the columns {', '.join(rows.column_names)}; needed are tokens and one of "
            f"{', '.join(TAGS)}, or text and one of {', '.join(SPANS)}"
        )
    inner = getattr(rows.features[column], "feature", None)
    labels = inner.names if isinstance(inner, datasets.ClassLabel) else None
    known = labels or sorted({tag for row in rows for tag in row[column]})
    if not all(isinstance(tag, str) for tag in known):
        raise ValueError(f"hf:{name}: {column} are numbers without names; needed are ClassLabel or string tags")
    bare = not any(_is_tag(tag) for tag in known if tag != OUTSIDE)
    for number, row in enumerate(rows):
        tags = [labels[tag] for tag in row[column]] if labels else row[column]
        if len(tags) != len(row["tokens"]):
            raise ValueError(f"hf:{name}, row {number}: {len(row['tokens'])} tokens but {len(tags)} tags")
        yield _sentence(f"hf:{name}, row {number}", str(row.get("id", number)), row["tokens"], tags, bare)


def parse_dataset_name(name: str) -> tuple[str, str | None, str]:
    """Id, configuration and split of `ID[@CONFIG][:SPLIT]`; the split is `train` where none is named.

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


READERS: dict[str, Callable[[Path], Iterator[Raw]]] = {
    ".jsonl": _read_jsonl,
    ".conll": _read_conll,
    ".bio": _read_conll,
    ".iob": _read_conll,
    ".toml": _read_toml,
    ".csv": _read_csv,
}
