"""`nerret index` against a bare forward pass of the same cut backbone, and against sentence-transformers.

    python -m benchmarks.index_speed CORPUS.jsonl

Each round reads the same sentences in three ways:

- bare: the cut backbone alone, on windows that are batched beforehand and sorted by length over the whole corpus.
- index: `EntityRetriever.add` and `compact` into a new index, as `nerret index` does once the model is loaded; with
  `--backends torch openvino` once with each.
- encode: `SentenceTransformer.encode` with the whole MiniLM.

With `--against FOLDER`, a checkout of another commit, a process of that code indexes in each round too ("before").

The ways alternate, so that a busy machine slows all three, and the medians are compared. Tokens are those of the
windows, without padding.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from benchmarks import show
from modeling_nerret import EntityRetriever
from modeling_nerret.backends import BACKENDS
from modeling_nerret.encoding import BATCH_TOKENS
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint
from modeling_nerret.weights import find_backbone
from modeling_nerret.windows import Window, batches, make_windows, stack


def main() -> None:
    """Measure and print the medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help='JSONL with "text"')
    parser.add_argument("--sentences", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--batch-tokens", type=int, default=BATCH_TOKENS)
    parser.add_argument("--backends", nargs="+", default=["torch"], choices=BACKENDS)
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="a checkout of another commit")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with options.corpus.open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in islice(file, options.sentences)]
    checkpoint = load_checkpoint()
    config = checkpoint.model.config
    windows = make_windows(checkpoint.tokenizer, texts, config.max_tokens)
    tokens = sum(len(window.ids) for window in windows)
    whole = SentenceTransformer(str(find_backbone(config.backbone, config.backbone_revision)), device="cpu")
    checkpoints = {_label(name): load_checkpoint(backend=name) for name in options.backends}
    ways: dict[str, Callable[[], tuple[float, float]]] = {
        "bare": lambda: _bare(checkpoint, windows, options.batch_tokens)
    }
    if options.against is not None:
        ways["before"] = lambda: _before(options)
    for label, model in checkpoints.items():
        ways[label] = partial(_index, model, texts, options.batch_tokens)
    ways["encode"] = lambda: _encode(whole, texts)
    times: dict[str, list[tuple[float, float]]] = {label: [] for label in ways}
    for _ in range(options.rounds):
        for label, way in ways.items():
            times[label].append(way())
        _report(times, tokens)


def _report(times: dict[str, list[tuple[float, float]]], tokens: int) -> None:
    """Print the medians of the rounds so far, by wall clock and by processor time."""
    for column, clock in enumerate(("wall", "cpu")):
        median = {name: float(np.median([seconds[column] for seconds in rounds])) for name, rounds in times.items()}
        show(f"{clock} seconds", **median)
        for label in median:
            if label in ("bare", "encode"):
                continue
            ratios = {f"over_{rival}": median[rival] / median[label] for rival in median if rival != label}
            show(f"{clock} ratios of {label}", tokens_per_second=tokens / median[label], **ratios)


@torch.inference_mode()
def _bare(checkpoint: Checkpoint, windows: list[Window], batch_tokens: int) -> tuple[float, float]:
    inputs = [stack(batch) for batch in batches(windows, batch_tokens)]
    start = time.perf_counter(), time.process_time()
    for ids, mask in inputs:
        checkpoint.model.hidden_states(ids, mask)
    return _since(start)


def _encode(whole: SentenceTransformer, texts: list[str]) -> tuple[float, float]:
    start = time.perf_counter(), time.process_time()
    whole.encode(texts)
    return _since(start)


def _before(options: argparse.Namespace) -> tuple[float, float]:
    """Seconds of another checkout's code, measured in a process of its own once everything is loaded and warm."""
    program = Path(__file__).with_name("index_once.py").read_text(encoding="utf-8")
    arguments = map(str, (options.corpus.resolve(), options.sentences, options.threads, options.batch_tokens))
    command = [sys.executable, "-c", program, str(options.against.resolve()), *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=options.against)
    wall, processor = map(float, result.stdout.split()[-2:])
    return wall, processor


def _label(backend: str) -> str:
    return "index" if backend == "torch" else f"index_{backend}"


def _index(checkpoint: Checkpoint, texts: list[str], batch_tokens: int) -> tuple[float, float]:
    folder = Path(tempfile.mkdtemp())
    try:
        start = time.perf_counter(), time.process_time()
        retriever = EntityRetriever(folder / "index", checkpoint, batch_tokens=batch_tokens)
        retriever.add({"id": number, "text": text} for number, text in enumerate(texts))
        retriever.compact()
        return _since(start)
    finally:
        shutil.rmtree(folder)


def _since(start: tuple[float, float]) -> tuple[float, float]:
    """Seconds of wall clock and of processors since `start`."""
    return time.perf_counter() - start[0], time.process_time() - start[1]


if __name__ == "__main__":
    main()
