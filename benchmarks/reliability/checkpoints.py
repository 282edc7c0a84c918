"""Damage copies of checkpoints, and load them: an error must name the file, or the vectors must be the same.

  python -m benchmarks.reliability.checkpoints --count 300 --seed 0

The checkpoints are a tiny one with its backbone inside, a tiny head with its backbone beside it, and the built-in one.
A change is a bit, a cut, a swap, a value of a JSON file, a file that is removed or added, a link, a pipe or a device.
With `--by-hand` the manifests are removed first, as somebody does who has changed a file: then changes of numbers
cannot be noticed, but nothing may hang or end in a traceback.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModel

from modeling_nerret import NerretModel, checkpoint_path
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.manifest import MANIFEST
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.st_nerret import NerretTransformer
from tests.tiny import save_checkpoint

from .table import print_table

SECONDS = 20  # after which a load counts as a hang
OUTCOMES = ("refused", "harmless", "silent", "unnamed", "traceback", "hang")
TEXT = "Ada was born in London. The river of Paris wrote 12 notes; the city in it was 7.5 old."
VALUES: tuple[Any, ...] = (
    *(float("nan"), float("inf"), -1, 0, 1, 3, 10**9, 10**30, 0.5, -0.5, 1e-30, True, False, None),
    *("", "x", "../x", "someone/kernel", "(a+)+$" * 9, [], ["x"], {}, {"x": 1}, [[[]]], "x" * 100_000),
)
NEW_FIELDS = (
    "_attn_implementation",
    "attn_implementation",
    "quantization_config",
    "auto_map",
    "transformers_weights",
    "x",
)
NEW_FILES = (
    *("model.safetensors.index.json", "adapter_config.json", "adapter_model.safetensors", "pytorch_model.bin"),
    *("added_tokens.json", "special_tokens_map.json", "tokenizer.model", "vocab.txt", "merges.txt", "detector.json"),
    *("adapter/adapter_model.bin", "adapter/adapter_config.json", "README.md", ".gitattributes", "notes.txt"),
    "types.safetensors",
)


def main() -> int:
    """Print the table; 1 if anything was silent, unnamed, a traceback or a hang."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="changes of each checkpoint (default: 300)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--by-hand", action="store_true", help="remove the manifests first")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, checkpoint, targets in make_checkpoints(Path(folder)):
            rows.append({"checkpoint": name} | attack(name, checkpoint, targets, options))
    print_table(rows)
    harmless_outcomes = ("refused", "harmless", "silent", "unnamed") if options.by_hand else ("refused", "harmless")
    return int(any(row[outcome] for row in rows for outcome in OUTCOMES if outcome not in harmless_outcomes))


def make_checkpoints(folder: Path) -> list[tuple[str, Path, list[Path]]]:
    """Name, folder, and the folders whose files are changed, for each checkpoint."""
    whole = Path(save_checkpoint(folder / "tiny", document_size=8))
    head = folder / "tiny" / "head"
    NerretModel.from_pretrained(whole).save_pretrained(head, head_only=True)
    built_in = folder / "built-in"
    shutil.copytree(checkpoint_path(), built_in)
    return [
        ("self-contained", whole, [whole]),
        ("head-only", head, [head, folder / "tiny" / "backbone"]),
        ("built-in", built_in, [built_in]),
    ]


def attack(name: str, checkpoint: Path, folders: list[Path], options: argparse.Namespace) -> dict[str, int]:
    """How often each outcome came, for one checkpoint."""
    if options.by_hand:
        (checkpoint / MANIFEST).unlink()
    draw, counts = random.Random(f"{options.seed} {name}"), Counter[str]()
    expected = {way: run(way, checkpoint) for way in WAYS}
    assert all(digest.startswith("vectors") for digest in expected.values()), expected
    for number in range(options.count):
        folder, way = draw.choice(folders), draw.choice(list(WAYS))
        keep = folder.with_name("keep")
        shutil.copytree(folder, keep, symlinks=True)
        change, path = apply_change(folder, draw)
        answer = run(way, checkpoint)
        outcome = classify(answer, expected[way], path)
        counts[outcome] += 1
        if outcome not in ("refused", "harmless"):
            print(f"{name} {number}: {change} of {path}, {way}: {outcome}: {answer:.300}", file=sys.stderr)
        shutil.rmtree(folder)
        keep.rename(folder)
    return {outcome: counts[outcome] for outcome in OUTCOMES}


def classify(answer: str, expected: str, path: str) -> str:
    """The outcome of a load."""
    kind, _, message = answer.partition(" ")
    if kind == "vectors":
        return "harmless" if answer == expected else "silent"
    if kind == "error":
        return "refused" if any(part in message for part in path.split(" and ")) else "unnamed"
    return kind


def run(way: str, checkpoint: Path) -> str:
    """What comes of loading a checkpoint in a process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_answer, args=(WAYS[way], checkpoint, sender))
    process.start()
    sender.close()
    try:
        return str(receiver.recv()) if receiver.poll(SECONDS) else "hang"
    except EOFError:
        process.join()
        return f"traceback the process ended with {process.exitcode}"
    finally:
        process.kill()
        process.join()


def _answer(load: Callable[[Path], Any], checkpoint: Path, sender: Connection) -> None:
    with Path(os.devnull).open("w") as null:
        os.dup2(null.fileno(), 2)
    try:
        sender.send(f"vectors {load(checkpoint)}")
    except (OSError, ValueError, ImportError) as error:
        sender.send(f"error {' '.join(str(error).split())}")
    except BaseException as error:  # a panic of compiled code, too
        sender.send(f"traceback {type(error).__name__}: {error}")


def _by_name(checkpoint: Path) -> str:
    """SHA-256 of the vectors and mentions that a checkpoint with its detector gives."""
    model_files, digest = load_checkpoint(str(checkpoint)), hashlib.sha256()
    encoder = Encoder(model_files.model, model_files.tokenizer, model_files.detector)
    digest.update(encoder.embed_queries(["river", "city in it"]).tobytes())
    for document in encoder.encode([Document("1", TEXT)] if model_files.detector else []):
        digest.update(repr(document.mentions).encode() + document.vectors.tobytes() + document.window_vectors.tobytes())
    config = model_files.model.config
    digest.update(repr([config.match_score, config.document_weight, config.document_floor]).encode())
    return digest.hexdigest()


def _by_class(checkpoint: Path) -> str:
    with torch.no_grad():
        vectors = AutoModel.from_pretrained(checkpoint)(torch.tensor([[5, 9, 7, 6]])).embeddings
    return hashlib.sha256(vectors.numpy().tobytes()).hexdigest()


def _by_module(checkpoint: Path) -> str:
    module = NerretTransformer.load(str(checkpoint))
    with torch.no_grad():
        vectors = module(module.preprocess(["river", "city in it"]))["sentence_embedding"]
    return hashlib.sha256(vectors.numpy().tobytes()).hexdigest()


WAYS: dict[str, Callable[[Path], str]] = {"by name": _by_name, "by class": _by_class, "by module": _by_module}


def apply_change(folder: Path, draw: random.Random) -> tuple[str, str]:
    """Change one file of a folder; returns the kind of change and the file's name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    path = draw.choice(paths)
    if draw.random() < 0.1:
        name = draw.choice(NEW_FILES)
        (folder / name).parent.mkdir(exist_ok=True)
        is_replacement = (folder / name).exists()
        (folder / name).write_bytes(draw.choice([b"", b"{}", b'{"a": 1}', path.read_bytes()]))
        return "replacement" if is_replacement else "addition", Path(name).name
    if path.suffix == ".json" and draw.random() < 0.6:
        return "a value", _change_json(path, draw)
    change = draw.choice(list(CHANGES))
    return change, CHANGES[change](path, paths, draw)


def _change_json(path: Path, draw: random.Random) -> str:
    content = json.loads(path.read_text(encoding="utf-8"))
    table = content
    for _ in range(draw.randrange(4)):
        parts = list(table.values()) if isinstance(table, dict) else list(table)
        inner = [part for part in parts if isinstance(part, dict | list) and part]
        table = draw.choice(inner) if inner else table
    key: Any = draw.choice(list(table) if isinstance(table, dict) else range(len(table))) if table else None
    if isinstance(table, dict) and draw.random() < 0.15:
        table[draw.choice(NEW_FIELDS)] = draw.choice(VALUES)
    elif isinstance(table, dict) and draw.random() < 0.15:
        del table[key]
    elif key is not None:
        table[key] = draw.choice(VALUES)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path.name


def _flip(path: Path, paths: list[Path], draw: random.Random) -> str:
    content = bytearray(path.read_bytes())
    content[draw.randrange(min(len(content), draw.choice([100, len(content)])))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)
    return path.name


def _cut(path: Path, paths: list[Path], draw: random.Random) -> str:
    content = path.read_bytes()
    path.write_bytes(content[: draw.choice([0, 7, 8, 100, draw.randrange(len(content)), len(content) - 1])])
    return path.name


def _append(path: Path, paths: list[Path], draw: random.Random) -> str:
    path.write_bytes(path.read_bytes() + draw.randbytes(9))
    return path.name


def _swap(path: Path, paths: list[Path], draw: random.Random) -> str:
    partner = draw.choice(paths)
    content = path.read_bytes()
    path.write_bytes(partner.read_bytes())
    partner.write_bytes(content)
    return f"{path.name} and {partner.name}"


def _remove(path: Path, paths: list[Path], draw: random.Random) -> str:
    path.unlink()
    return path.name


def _put_folder(path: Path, paths: list[Path], draw: random.Random) -> str:
    path.unlink()
    path.mkdir()
    return path.name


def _put_pipe(path: Path, paths: list[Path], draw: random.Random) -> str:
    path.unlink()
    os.mkfifo(path)
    return path.name


def _put_link(path: Path, paths: list[Path], draw: random.Random) -> str:
    path.unlink()
    path.symlink_to(draw.choice(["/dev/zero", "/dev/null", "/etc/hostname", "nothing", path.name, str(paths[0])]))
    return path.name


CHANGES: dict[str, Callable[[Path, list[Path], random.Random], str]] = {
    "a bit": _flip,
    "a cut": _cut,
    "more bytes": _append,
    "a swap": _swap,
    "a removal": _remove,
    "a folder": _put_folder,
    "a pipe": _put_pipe,
    "a link": _put_link,
}


if __name__ == "__main__":
    sys.exit(main())
