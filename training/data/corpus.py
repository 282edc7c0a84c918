"""Read the project's own corpus from `corpus/source/`, the files that its writers edit.

A domain has two files (see corpus/GUIDE.md): `DOMAIN.types.jsonl`, a type per line, and `DOMAIN.txt`, a marked text per
line. Every mention also gets the parents of its types.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent.parent / "corpus"
SOURCE_FOLDER = CORPUS / "source"
TYPES = ".types.jsonl"  # how names of files of types end
SHARED = "core"  # the domain of the types that every domain may use
MARK = re.compile(r"\[([^\[\]|]+)\|([^\[\]|]+)\]")
MANNERS = frozenset(
    (
        *("news", "encyclopedia", "abstract", "review", "post", "minutes", "recipe", "catalogue", "legal", "request"),
        *("letter", "caption", "quiz", "transcript", "textbook", "essay", "ad", "guide", "diary", "translated"),
        *("lowercase", "typos"),
    )
)
MAX_TYPES = 5
FIELDS = ("id", "wordings", "definition", "examples", "parents")


class CorpusError(ValueError):
    """The source breaks a rule of GUIDE.md; each line of the message names file, line and rule."""


@dataclass(frozen=True)
class CorpusType:
    """A type of the corpus, as a line of `DOMAIN.types.jsonl` has it, and its domain."""

    id: str
    wordings: list[str]
    definition: str
    examples: list[str]
    parents: list[str]
    domain: str


@dataclass(frozen=True)
class CorpusText:
    """A text of the corpus; `mentions` are start, end and type, a mention once for each of its types."""

    id: str
    text: str
    manner: str
    mentions: list[tuple[int, int, str]]


Types = Mapping[str, CorpusType]


def read_corpus_types(folder: Path = SOURCE_FOLDER, domain: str | None = None) -> dict[str, CorpusType]:
    """Types of all domains by id.

    Args:
        folder: the source.
        domain: report only faults of this domain and of the shared types.

    Raises:
        CorpusError: a file breaks a rule.
    """
    types: dict[str, CorpusType] = {}
    faults: list[str] = []
    for path in sorted(folder.glob(f"*{TYPES}")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            place = f"{path.name}:{number}"
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                faults.append(f"{place}: not JSON ({error.msg})")
                continue
            entry_faults = list(_type_faults(entry))
            faults += [f"{place}: {fault}" for fault in entry_faults]
            if set(entry) != set(FIELDS):
                continue
            if entry["id"] in types:
                faults.append(f"{place}: type {entry['id']!r} is already defined in {types[entry['id']].domain}")
                continue
            types[entry["id"]] = CorpusType(**entry, domain=path.name.removesuffix(TYPES))
    faults += [
        f"{entry.domain}{TYPES}: {entry.id!r} has the unknown parent {parent!r}"
        for entry in types.values()
        for parent in entry.parents
        if parent not in types
    ]
    _raise([fault for fault in faults if domain is None or fault.startswith((f"{domain}.", f"{SHARED}."))])
    return types


def _type_faults(entry: dict[str, Any]) -> Iterator[str]:
    if set(entry) != set(FIELDS):
        yield f"the fields are {', '.join(sorted(entry))}; they must be {', '.join(FIELDS)}"
        return
    if not 2 <= len(entry["wordings"]) <= 5 or entry["wordings"][0] != entry["id"]:
        yield f"{entry['id']!r}: give two to five wordings, the first equal to the id"
    if len(set(entry["examples"])) != 5:
        yield f"{entry['id']!r}: give five different examples, not {len(set(entry['examples']))}"
    if len(entry["parents"]) > 2 or entry["id"] in entry["parents"]:
        yield f"{entry['id']!r}: give at most two parents; a type is not its own parent"


def _raise(faults: list[str]) -> None:
    if faults:
        raise CorpusError("\n".join(faults))


def ancestors(types: Types, name: str) -> list[str]:
    """A type and all its ancestors, general to specific, each once."""
    chain: list[str] = []
    for parent in types[name].parents:
        chain += [ancestor for ancestor in ancestors(types, parent) if ancestor not in chain]
    return [*chain, name]


def parse(marked_text: str, types: Types) -> tuple[str, list[tuple[int, int, str]]]:
    """Marked text to plain text and its mentions.

    Raises:
        CorpusError: a mark is malformed, or names an unknown type.

    Example:
        >>> place = CorpusType("place", ["place", "spot"], "", [], [], "core")
        >>> city = CorpusType("city", ["city", "town"], "", [], ["place"], "core")
        >>> parse("Rain in [Oslo|city].", {"place": place, "city": city})
        ('Rain in Oslo.', [(8, 12, 'place'), (8, 12, 'city')])
    """
    text, position = "", 0
    mentions: list[tuple[int, int, str]] = []
    for match in MARK.finditer(marked_text):
        text += marked_text[position : match.start()]
        start, position = len(text), match.end()
        text += match[1]
        mentions += [(start, len(text), name) for name in _types_of(match, types)]
    text += marked_text[position:]
    if re.search(r"[\[\]|]", text):
        raise CorpusError("a mark is not closed, nested, or of another form than [name|type]")
    return text, mentions


def _types_of(mark: re.Match[str], types: Types) -> list[str]:
    """The types of a mark, with their ancestors."""
    names: list[str] = []
    for label in (label.strip() for label in mark[2].split(";")):
        if label not in types:
            raise CorpusError(f"unknown type {label!r} in {mark[0]!r}")
        names += [name for name in ancestors(types, label) if name not in names]
    if len(names) > MAX_TYPES:
        raise CorpusError(f"{mark[0]!r} has {len(names)} types with parents ({', '.join(names)}), over {MAX_TYPES}")
    if mark[1] != mark[1].strip():
        raise CorpusError(f"{mark[0]!r} begins or ends with a space")
    return names


def read_domain(path: Path, types: Types) -> list[CorpusText]:
    """The texts of one domain's file, in order.

    Raises:
        CorpusError: lines break rules.
    """
    documents: list[CorpusText] = []
    texts: set[str] = set()
    faults: list[str] = []
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        manner, _, marked_text = line.partition(": ")
        try:
            if manner not in MANNERS:
                raise CorpusError(f"the line begins with {manner[:30]!r}; begin it with one of {sorted(MANNERS)}")
            text, mentions = parse(marked_text.strip(), types)
            if text in texts:
                raise CorpusError("the text occurs twice")
            if manner == "lowercase" and text != text.lower():
                raise CorpusError("a lowercase text has capitals")
        except CorpusError as error:
            faults.append(f"{path.name}:{number}: {error}")
            continue
        texts.add(text)
        documents.append(CorpusText(f"{path.stem}-{len(documents)}", text, manner, mentions))
    _raise(faults)
    return documents


def read_corpus_texts(types: Types, folder: Path = SOURCE_FOLDER) -> list[CorpusText]:
    """The texts of all domains, in order of the domains' names."""
    return [text for path in sorted(folder.glob("*.txt")) for text in read_domain(path, types)]
