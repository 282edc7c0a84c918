"""Read hostile corpus files, and prove that every record is a document or is named with its place.

    python -m benchmarks.reliability.documents [--count 5000] [--seed 0] [--commands 6]

Files of every kind are written with a mark in each record, then damaged: cut off, with bytes changed, inserted and
removed, in other encodings, with quotes, byte-order marks, line ends and odd values. Each is read in this process, and
some of them by the command with a tiny model. A record passes if its mark stands in a document, or if its
line is named, or if the whole file is refused from a line at or before its own. The table counts what is wrong:

- lost: a record that is neither stored nor named
- absorbed: a document with the marks of two records on two lines
- traceback: an error that is not one line of ValueError or OSError
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet

from benchmarks.reliability.table import print_table
from modeling_nerret.documents import Document
from modeling_nerret.index.readers import read_corpus
from tests.tiny import save_checkpoint

KINDS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".jsonl.gz", ".parquet")
ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "latin-1")
WORDS = ("Ada", "Göttingen", "wet", '"quoted"', "a, b; c", "it's", "x|y", "\\", "Ōsaka", "{}", "[", "")
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1.5, 1e308, float("nan"), float("inf"), 2**70, "", "\ud800", "\0", "\u2028", "\ufeff", "\x1b[2J"),
    *([], {}, [[[]]], {"": 1}, {"a": {"b": [1, None]}}, {"id": 1, "text": 2}, [{"start": 0, "end": 2}]),
)
NAMES = ("year", "mentions", "note", "a.b", "", "ñ", "x" * 300, "start", "score")
BYTES = (
    b'"',
    b"\0",
    b"\xff",
    b"\n",
    b"\r",
    b"\xef\xbb\xbf",
    b",",
    b";",
    b"{",
    b"]",
    b"\\",
    b"'",
    b"\xe2\x80\xa8",
    b"\t",
)
LINE_END = re.compile("\r\n|\r|\n")


def main() -> None:
    """Write, damage, read and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5_000, help="files that are read in this process")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", type=int, default=6, help="files that the command indexes as well")
    options = parser.parse_args()
    generator = random.Random(options.seed)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(options.count):
            kind = KINDS[number % len(KINDS)]
            path = folder / f"corpus{kind}"
            records = _records(generator)
            _write(path, records, kind, generator)
            _check(path, [mark for mark, _ in records], counts[kind], f"file {number}")
        model = save_checkpoint(folder) if options.commands else ""
        for number in range(options.commands):
            kind = KINDS[number % len(KINDS)]
            path = folder / f"corpus{kind}"
            _write(path, _records(generator), kind, generator)
            _check_command(path, model, counts[f"{kind} (command)"])
    columns = ("files", "refused", "records", "stored", "named", "lost", "absorbed", "traceback")
    print_table([{"kind": kind} | {name: row[name] for name in columns} for kind, row in counts.items()])
    sys.exit(any(row["lost"] or row["absorbed"] or row["traceback"] for row in counts.values()))


def _records(generator: random.Random) -> list[tuple[str, dict[str, Any]]]:
    """Records, each with a mark that no other has."""
    records = []
    for number in range(generator.randint(1, 12)):
        mark = f"mark{number:03}end"
        words = [*generator.choices(WORDS, k=generator.randint(0, 5)), mark]
        generator.shuffle(words)
        fields: dict[str, Any] = {"id": f"d{number}"} if generator.random() < 0.7 else {}
        fields["text"] = " ".join(words)
        for name in generator.sample(NAMES, generator.randint(0, 2)):
            fields[name] = generator.choice(VALUES)
        records.append((mark, fields))
    return records


def _write(path: Path, records: list[tuple[str, dict[str, Any]]], kind: str, generator: random.Random) -> None:
    """Write a file of this kind, damaged in most cases."""
    if kind == ".parquet":
        content = _parquet([fields for _, fields in records], generator)
        encoding = "latin-1"
    else:
        encoding = generator.choice(ENCODINGS)
        text = _TEXTS[kind.removesuffix(".gz")]([fields for _, fields in records], generator)
        end = generator.choice(("\n", "\n", "\r\n", "\r"))
        content = text.replace("\n", end).encode(encoding, "replace" if encoding == "latin-1" else "surrogatepass")
    for _ in range(generator.choice((0, 1, 1, 1, 2, 4))):
        content = _damage(content, generator)
    if kind.endswith(".gz"):
        content = gzip.compress(content)
        content = _damage(content, generator) if generator.random() < 0.3 else content
    path.write_bytes(content)


def _damage(content: bytes, generator: random.Random) -> bytes:
    place = generator.randint(0, len(content))
    match generator.randrange(6):
        case 0:
            return content[:place]
        case 1 | 2:
            return content[:place] + generator.choice(BYTES) + content[place:]
        case 3:
            return content[:place] + content[place + generator.choice((1, 1, 2, 20)) :]
        case 4:
            return content[:place] + bytes([generator.randrange(256)]) + content[place + 1 :]
        case _:
            return content[:place] + content[max(0, place - 30) :]  # a part stands twice


def _jsonl(rows: list[dict[str, Any]], generator: random.Random) -> str:
    return "".join(json.dumps(row, ensure_ascii=generator.random() < 0.5) + "\n" for row in rows)


def _json(rows: list[dict[str, Any]], generator: random.Random) -> str:
    return "[" + generator.choice((",", ",\n")).join(json.dumps(row) for row in rows) + "]\n"


def _csv(rows: list[dict[str, Any]], generator: random.Random, delimiters: str = ",;\t|") -> str:
    file = io.StringIO()
    style = generator.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    writer = csv.writer(file, delimiter=generator.choice(delimiters), quoting=style, lineterminator="\n")
    writer.writerow(["id", "text", "note"])
    for row in rows:
        note = generator.choice(("", "x", "two\nlines", 'a "b"'))
        writer.writerow([row.get("id", ""), row["text"], note])
    return file.getvalue()


def _tsv(rows: list[dict[str, Any]], generator: random.Random) -> str:
    return _csv(rows, generator, "\t")


def _txt(rows: list[dict[str, Any]], generator: random.Random) -> str:
    return "".join(row["text"] + generator.choice(("\n", "\n\n")) for row in rows)


_TEXTS: dict[str, Callable[[list[dict[str, Any]], random.Random], str]] = {
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".csv": _csv,
    ".tsv": _tsv,
    ".txt": _txt,
}


def _parquet(rows: list[dict[str, Any]], generator: random.Random) -> bytes:
    texts: list[Any] = [row["text"].encode() for row in rows]
    if generator.random() < 0.4:
        row = generator.randrange(len(texts))
        texts[row] = generator.choice((None, b"", b"\xff\xfe" + texts[row], texts[row] + b"\xed\xa0\x80"))
    kind = generator.choice((pa.string(), pa.large_string(), pa.binary(), pa.large_binary()))
    text = pa.array(texts, pa.binary()).cast(kind, safe=False)
    numbers = range(len(texts))
    ids: list[list[Any]] = [[*numbers], [float(n) for n in numbers], [None] * len(texts), [n + 0.5 for n in numbers]]
    notes = pa.array([generator.choice((None, 1, 2**40)) for _ in texts], pa.int64())
    note = notes.cast(generator.choice((pa.int64(), pa.timestamp("us"), pa.duration("s"))))
    file = io.BytesIO()
    table = pa.table({"id": generator.choice(ids), "text": text, "note": note})
    parquet.write_table(table, file, row_group_size=generator.randint(1, 5), write_page_checksum=True)
    return file.getvalue()


def _check(path: Path, marks: list[str], counts: Counter[str], name: str) -> None:
    """Read a file, and account for each of its marks."""
    counts["files"] += 1
    documents, places, error = [], [], ""
    try:
        for record in read_corpus(str(path)):
            if isinstance(record, Document):
                documents.append(record)
            else:
                places.append(record.where)
    except (ValueError, OSError) as failure:
        error = str(failure)
        counts["refused"] += 1
    except Exception as failure:
        counts["traceback"] += 1
        print(f"{name}, {path.name}: {failure!r}", file=sys.stderr)
        return
    lines, text = _lines_of_marks(path, marks)
    named_lines = {line for place in places for line in _numbers(place)}
    first_refused = min(_numbers(error), default=0) if error else None
    for mark in marks:
        homes = [document for document in documents if mark in document.text]
        counts["records"] += 1
        if homes:
            counts["stored"] += 1
        elif first_refused is not None and lines.get(mark, first_refused) >= first_refused:
            counts["named"] += 1
        elif mark not in lines or lines[mark] in named_lines or _is_metadata(mark, documents):
            counts["named"] += 1  # or destroyed: the file no longer has it
        else:
            counts["lost"] += 1
            print(f"{name}, {path.name}: {mark} of line {lines[mark]} is lost: {text!r:.600}", file=sys.stderr)
    for document in documents:
        if _crosses_lines(document, marks):
            counts["absorbed"] += 1
            print(f"{name}, {path.name}: absorbed: {document.text!r:.300} of {text!r:.900}", file=sys.stderr)


def _is_metadata(mark: str, documents: list[Document]) -> bool:
    """Whether damage has moved the mark to another field of a document."""
    return any(mark in json.dumps([document.id, document.metadata], default=str) for document in documents)


def _crosses_lines(document: Document, marks: list[str]) -> bool:
    """Whether different marks stand on different lines of the document; else damage has joined their lines."""
    text = " ".join((document.id, document.text, *map(str, document.metadata.values())))
    lines = [frozenset(mark for mark in marks if mark in line) for line in LINE_END.split(text)]
    return len({line for line in lines if line}) > 1


def _numbers(place: str) -> Iterator[int]:
    """The lines or rows that a message names."""
    for match in re.finditer(r"(?:after )?(?:line|row)s? (\d+)(?: to (\d+))?", place):
        first = int(match[1])
        yield from range(first, int(match[2] or first) + 1)


def _lines_of_marks(path: Path, marks: list[str]) -> tuple[dict[str, int], str]:
    """The line, or row, of each mark that the file still has, and the file's text."""
    content = path.read_bytes()
    if path.suffix == ".parquet":
        return {mark: number for number, mark in enumerate(marks, 1)}, ""
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except Exception:
            return {}, ""
    code = next((name for start, name in _MARKS.items() if content.startswith(start)), "utf-8")
    text = content.decode(code, "replace")
    lines = {mark: len(LINE_END.findall(text[: text.index(mark)])) + 1 for mark in marks if mark in text}
    if path.suffix in (".csv", ".tsv"):  # damage may have made a record a part of the header
        lines = {mark: line for mark, line in lines.items() if line > 1}
    return lines, text


_MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def _check_command(path: Path, model: str, counts: Counter[str]) -> None:
    """Index a file by the command: it stores what is read here, and prints no traceback."""
    counts["files"] += 1
    try:
        count = sum(isinstance(record, Document) for record in read_corpus(str(path)))
    except (ValueError, OSError):
        count = -1
    index = Path(tempfile.mkdtemp(dir=path.parent)) / "index"
    command = [sys.executable, "-m", "modeling_nerret.cli", "index", str(path), str(index), "--model", model]
    result = subprocess.run([*command, "--on-error", "skip"], capture_output=True, text=True)
    counts["refused"] += count < 0
    counts["records"] += max(count, 0)
    is_right = result.returncode == 1 if count < 0 else f"{count} documents added" in result.stderr
    counts["stored"] += max(count, 0) if is_right else 0
    counts["lost"] += 0 if is_right else max(count, 1)
    counts["traceback"] += "Traceback" in result.stderr


if __name__ == "__main__":
    main()
