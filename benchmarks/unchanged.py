"""Prove that a change computes what was computed before, to the last bit.

  python -m benchmarks.unchanged DEV before.json        # in the checkout before the change
  python -m benchmarks.unchanged DEV after.json --against before.json

Every JSONL file of DEV is indexed by the default model. The script takes SHA-256 of all spans, scores and vectors of
mentions and windows, of the ranking of every document for each type in each mode, and of the hits with their mentions.
It uses nothing but what both checkouts have: `EntityRetriever` and its `encoder`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from modeling_nerret import EntityRetriever

PART = 4_000  # documents of an index: few enough that it scans exactly, for a vector index is drawn at random
MODES = ("hybrid", "vector", "document", "lexical")


def main() -> int:
    """Write the digests; 1 if they differ from those of `--against`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dev", type=Path, metavar="DEV", help="folder of JSONL files and types.json")
    parser.add_argument("out", type=Path, metavar="OUT", help="where the digests are written, as JSON")
    parser.add_argument("--against", type=Path, metavar="FILE", help="digests of an earlier run")
    parser.add_argument("--types", type=int, default=40, metavar="N", help="type queries of a set (default: 40)")
    options = parser.parse_args()
    torch.set_num_threads(1)  # sums are rounded in another order with more
    names = json.loads((options.dev / "types.json").read_text(encoding="utf-8"))
    digests: dict[str, str] = {}
    for path in sorted(options.dev.glob("*.jsonl")):
        queries = _spread(_plain_names(names[path.stem]), options.types)
        for number, records in enumerate(_parts(path)):
            for subject, digest in digests_of(records, queries):
                digests[f"{path.stem}-{number} {subject}"] = digest
                print(f"{path.stem}-{number} {subject} {digest[:16]}", flush=True)
    options.out.write_text(json.dumps(digests, indent=2) + "\n", encoding="utf-8")
    if options.against is None:
        return 0
    before = json.loads(options.against.read_text(encoding="utf-8"))
    different = sorted(name for name in before.keys() | digests.keys() if before.get(name) != digests.get(name))
    print(f"{len(digests)} digests, {len(different)} differ{': ' if different else ''}{', '.join(different)}")
    return 1 if different else 0


def digests_of(records: Sequence[dict[str, Any]], queries: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What was digested, and its SHA-256, for one corpus."""
    with tempfile.TemporaryDirectory() as folder:
        retriever = EntityRetriever(Path(folder) / "index")
        sha256 = hashlib.sha256()
        encode = retriever.encoder.encode

        def listening(documents: Iterable[Any]) -> Iterator[Any]:
            for document in encode(documents):
                sha256.update(repr((document.document.id, document.mentions, document.windows)).encode())
                sha256.update(document.vectors.tobytes() + document.window_vectors.tobytes())
                yield document

        retriever.encoder.encode = listening  # type: ignore[method-assign]
        report = retriever.add(records)
        yield "mentions", sha256.hexdigest()
        yield "report", _sha256([report.documents, report.characters, report.windows, report.mentions, report.unmapped])
        retriever.compact()
        for mode in MODES:
            rankings = [retriever.rank(query, k=len(records), mode=mode) for query in queries]
            yield f"rankings, {mode}", _sha256(rankings)
        yield "hits", _sha256([[hit.as_dict() for hit in retriever.search(query, k=20)] for query in queries])


def _sha256(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def _parts(path: Path) -> Iterator[list[dict[str, Any]]]:
    """A file's documents, without their gold mentions, so many at a time."""
    with path.open(encoding="utf-8") as file:
        entries = map(json.loads, file)
        while part := list(islice(entries, PART)):
            yield [{"id": entry["id"], "text": entry["text"]} for entry in part]


def _plain_names(names: dict[str, Any]) -> list[str]:
    plain = (entry if isinstance(entry, str) else entry["name"] for entry in names.values())
    return list(dict.fromkeys(plain))


def _spread(items: Sequence[str], most: int) -> list[str]:
    """At most so many items, evenly from the whole list."""
    step = max(len(items) / most, 1)
    return [items[int(place * step)] for place in range(min(most, len(items)))]


if __name__ == "__main__":
    sys.exit(main())
