"""Build the corpus from its hand-written source: ``python -m training.corpus.build``.

``source/DOMAIN.types.jsonl`` and ``source/DOMAIN.txt`` (marked text, see GUIDE.md) become ``types.jsonl`` and
``DOMAIN.jsonl`` (``id``, ``text``, ``mentions``), with every mention closed under its types' parents.
``python -m training.corpus.build --only chess`` checks one domain and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MARK = re.compile(r"\[([^\[\]|]+)\|([^\[\]|]+)\]")
MANNERS = frozenset(
    (
        *("news", "encyclopedia", "abstract", "review", "post", "minutes", "recipe", "catalogue", "legal", "request"),
        *("letter", "caption", "quiz", "transcript", "textbook", "essay", "ad", "guide", "diary", "translated"),
        *("lowercase", "typos"),
    )
)
MAX_TYPES = 5


class CorpusError(ValueError):
    """The source breaks a rule of GUIDE.md; the message names file, line and rule."""


def read_types(source: Path, only: str | None = None) -> dict[str, dict]:
    """Types of all domains by id, each with its ``domain``; faults outside ``core`` and ``only`` are let pass."""
    types: dict[str, dict] = {}
    problems = []
    for path in sorted(source.glob("*.types.jsonl")):
        domain = path.name.removesuffix(".types.jsonl")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            where = f"{path.name}:{number}"
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                problems.append(f"{where}: not JSON ({error.msg})")
                continue
            problems += [f"{where}: {problem}" for problem in _type_problems(entry)]
            if entry.get("id") in types:
                problems.append(f"{where}: type {entry['id']!r} is already defined in {types[entry['id']]['domain']}")
                continue
            types[entry["id"]] = entry | {"domain": domain}
    for entry in types.values():
        problems += [
            f"{entry['domain']}.types.jsonl: {entry['id']!r} has the unknown parent {parent!r}"
            for parent in entry["parents"]
            if parent not in types
        ]
    problems = [problem for problem in problems if only is None or problem.startswith((f"{only}.", "core."))]
    if problems:
        raise CorpusError("\n".join(problems))
    return types


def _type_problems(entry: dict) -> Iterator[str]:
    if set(entry) != {"id", "wordings", "definition", "examples", "parents"}:
        yield f"fields are {sorted(entry)}, not id, wordings, definition, examples, parents"
        return
    if not 2 <= len(entry["wordings"]) <= 5 or entry["wordings"][0] != entry["id"]:
        yield f"{entry['id']!r}: two to five wordings, the first equal to the id"
    if len(set(entry["examples"])) != 5:
        yield f"{entry['id']!r}: five different examples, not {len(set(entry['examples']))}"
    if len(entry["parents"]) > 2 or entry["id"] in entry["parents"]:
        yield f"{entry['id']!r}: at most two parents, none of them itself"


def ancestors(types: dict[str, dict], type_id: str) -> list[str]:
    """``type_id`` and all its ancestors, general to specific, each once."""
    chain: list[str] = []
    for parent in types[type_id]["parents"]:
        chain += [name for name in ancestors(types, parent) if name not in chain]
    return [*chain, type_id]


def parse(marked: str, types: dict[str, dict]) -> tuple[str, list[dict]]:
    """Marked text to plain text and its mentions.

    >>> types = {"city": {"parents": ["place"]}, "place": {"parents": []}}
    >>> parse("Rain in [Oslo|city].", types)
    ('Rain in Oslo.', [{'start': 8, 'end': 12, 'type': 'place'}, {'start': 8, 'end': 12, 'type': 'city'}])
    """
    text, mentions, position = "", [], 0
    for match in MARK.finditer(marked):
        text += marked[position : match.start()]
        start, position = len(text), match.end()
        text += match[1]
        names: list[str] = []
        for type_id in (name.strip() for name in match[2].split(";")):
            if type_id not in types:
                raise CorpusError(f"unknown type {type_id!r} in {match[0]!r}")
            names += [name for name in ancestors(types, type_id) if name not in names]
        if len(names) > MAX_TYPES:
            raise CorpusError(
                f"{match[0]!r} has {len(names)} types with its parents ({', '.join(names)}), over {MAX_TYPES}"
            )
        if match[1] != match[1].strip():
            raise CorpusError(f"{match[0]!r} begins or ends with a space")
        mentions += [{"start": start, "end": len(text), "type": name} for name in names]
    text += marked[position:]
    if re.search(r"[\[\]|]", text):
        raise CorpusError("a mark is not closed, nested, or of another form than [name|type]")
    return text, mentions


def read_domain(path: Path, types: dict[str, dict]) -> list[dict]:
    """The documents of one domain: ``id``, ``text``, ``manner``, ``mentions``."""
    documents: list[dict[str, Any]] = []
    problems: list[str] = []
    seen: set[str] = set()
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        manner, _, marked = line.partition(": ")
        try:
            if manner not in MANNERS:
                raise CorpusError(
                    f"the line begins with {manner[:30]!r}, not with a manner ({', '.join(sorted(MANNERS))})"
                )
            text, mentions = parse(marked.strip(), types)
            if text in seen:
                raise CorpusError("the text stands twice")
            if manner == "lowercase" and text != text.lower():
                raise CorpusError("a lowercase text has capitals")
        except CorpusError as error:
            problems.append(f"{path.name}:{number}: {error}")
            continue
        seen.add(text)
        documents.append({"id": f"{path.stem}-{len(documents)}", "text": text, "manner": manner, "mentions": mentions})
    if problems:
        raise CorpusError("\n".join(problems))
    return documents


def report(domain: str, documents: list[dict], types: dict[str, dict]) -> str:
    """What a writer wants to know of a domain: size, manners, types with too few entities."""
    entities = defaultdict(set)
    for document in documents:
        for mention in document["mentions"]:
            entities[mention["type"]].add(document["text"][mention["start"] : mention["end"]].lower())
    own = [name for name, entry in types.items() if entry["domain"] == domain]
    few = {name: len(entities[name]) for name in own if len(entities[name]) < 10}
    manners = Counter(document["manner"] for document in documents)
    return (
        f"{domain}: {len(own)} types, {len(documents)} texts, {sum(map(len, entities.values()))} typed entities, "
        f"manners {dict(manners.most_common())}\ntypes with fewer than 10 different entities: {few or 'none'}"
    )


def main() -> int:
    """Build or check; 0 if the source keeps the rules."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="DOMAIN", help="check this domain, print a report and write nothing")
    only = parser.parse_args().only
    source = HERE / "source"
    built: dict[str, list[dict[str, Any]]] = {}
    try:
        types = read_types(source, only)
        for path in [source / f"{only}.txt"] if only else sorted(source.glob("*.txt")):
            built[path.stem] = read_domain(path, types)
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 1
    if only:
        print(report(only, built[only], types))
        return 0
    for name, entries in {**built, "types": list(types.values())}.items():
        lines = (json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
        (HERE / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
