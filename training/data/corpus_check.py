"""Check the corpus: `python -m modeling_nerret.training.data.corpus_check`.

Prints every fault; the exit code is 1 if there is any. The rules are those of corpus/GUIDE.md: mentions do not cross,
no text occurs twice, every type has at least ten different entities, no two types share a wording, and no sentence
frame (names removed) occurs more than three times.

  --domain chess    check the files of one domain and report its size and its types with too few entities
  --against DIR     also find runs of eight words that the corpus shares with the JSONL texts of DIR
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from .corpus import (
    SOURCE_FOLDER,
    CorpusError,
    CorpusText,
    Types,
    ancestors,
    read_corpus_texts,
    read_corpus_types,
    read_domain,
)

MIN_ENTITIES = 10
MAX_FRAME = 3
GRAM = 8


def corpus_faults(types: Types, documents: Sequence[CorpusText]) -> Iterator[str]:
    """All faults of the corpus as a whole."""
    ids, texts = Counter(text.id for text in documents), Counter(text.text for text in documents)
    for kind, counts in (("id", ids), ("text", texts)):
        yield from (f"the {kind} {value[:80]!r} occurs {count} times" for value, count in counts.items() if count > 1)
    for document in documents:
        yield from (f"{document.id}: {fault}" for fault in _mention_faults(document, types))
    yield from (
        f"the type {name!r} has {len(names)} different entities, fewer than {MIN_ENTITIES}"
        for name, names in entities(types, documents).items()
        if len(names) < MIN_ENTITIES
    )
    wordings = Counter(wording for entry in types.values() for wording in entry.wordings)
    yield from (f"the wording {wording!r} names {count} types" for wording, count in wordings.items() if count > 1)
    for frame, count in Counter(frame_of(document) for document in documents).items():
        if count > MAX_FRAME:
            yield f"the frame {frame[:80]!r} occurs {count} times"


def _mention_faults(document: CorpusText, types: Types) -> Iterator[str]:
    labels: dict[tuple[int, int], set[str]] = defaultdict(set)
    for start, end, label in document.mentions:
        labels[start, end].add(label)
    frontier = 0  # where the mentions so far end
    for (start, end), names in sorted(labels.items()):
        name = document.text[start:end]
        if not 0 <= start < end <= len(document.text) or name != name.strip():
            yield f"[{start}, {end}) is not a mention of the text"
        if start < frontier:
            yield f"{name!r} crosses the mention before it"
        frontier = max(frontier, end)
        if unknown := names - types.keys():
            yield f"{name!r} has the unknown types {sorted(unknown)}"
        elif gaps := {ancestor for label in names for ancestor in ancestors(types, label)} - names:
            yield f"{name!r} lacks the parent types {sorted(gaps)}"


def entities(types: Types, documents: Sequence[CorpusText]) -> dict[str, set[str]]:
    """The different names of each type, lower-cased."""
    names: dict[str, set[str]] = {name: set() for name in types}
    for document in documents:
        for start, end, label in document.mentions:
            names.get(label, set()).add(document.text[start:end].lower())
    return names


def frame_of(document: CorpusText) -> str:
    """The text, lower-cased, with `_` instead of each name.

    Example:
        >>> frame_of(CorpusText("1", "Ada met Bo.", "news", [(0, 3, "person"), (8, 10, "person")]))
        '_ met _.'
    """
    text, spans = document.text, {(start, end) for start, end, _ in document.mentions}
    for start, end in sorted(spans, reverse=True):
        text = f"{text[:start]}_{text[end:]}"
    return text.lower()


def grams(text: str) -> Iterator[tuple[str, ...]]:
    """All runs of eight words, lower-cased, without punctuation."""
    words = re.findall(r"\w+", text.lower())
    return (tuple(words[first : first + GRAM]) for first in range(len(words) - GRAM + 1))


def shared_runs(documents: Sequence[CorpusText], folder: Path) -> Iterator[str]:
    """Runs of eight words that also occur in a JSONL text of `folder`."""
    ids = {gram: document.id for document in documents for gram in grams(document.text)}
    for path in sorted(folder.rglob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            for entry in map(json.loads, file):
                for gram in grams(entry["text"]):
                    if gram in ids:
                        yield f"{ids[gram]} shares {' '.join(gram)!r} with {path.name} {entry['id']}"


def domain_report(domain: str, documents: Sequence[CorpusText], types: Types) -> str:
    """What a writer wants to know of a domain: size, manners, types with too few entities."""
    names = entities(types, documents)
    domain_types = [name for name, entry in types.items() if entry.domain == domain]
    rare_types = {name: len(names[name]) for name in domain_types if len(names[name]) < MIN_ENTITIES}
    manners = Counter(document.manner for document in documents)
    return (
        f"{domain}: {len(domain_types)} types, {len(documents)} texts, {sum(map(len, names.values()))} typed entities, "
        f"manners {dict(manners.most_common())}\n"
        f"types with fewer than {MIN_ENTITIES} different entities: {rare_types or 'none'}"
    )


def main(arguments: list[str] | None = None) -> int:
    """Print all faults, or one domain's report; 0 if there is no fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domain", help="check this domain alone and print a report")
    parser.add_argument("--against", type=Path, metavar="DIR", help="texts with which no eight words may be shared")
    options = parser.parse_args(arguments)
    if options.domain and not (SOURCE_FOLDER / f"{options.domain}.txt").exists():
        parser.error(f"there is no domain {options.domain!r}; domains are the names of corpus/source/*.txt")
    try:
        types = read_corpus_types(domain=options.domain)
        if options.domain:
            print(domain_report(options.domain, read_domain(SOURCE_FOLDER / f"{options.domain}.txt", types), types))
            return 0
        documents = read_corpus_texts(types)
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 1
    faults = [*corpus_faults(types, documents), *(shared_runs(documents, options.against) if options.against else ())]
    print("\n".join(faults), end="\n" if faults else "")
    print(f"{len(documents)} texts, {len(types)} types, {len(faults)} faults", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
