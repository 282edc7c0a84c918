"""`nerret index` against a bare forward pass of the same cut backbone, and against sentence-transformers.

    python -m benchmarks.index_speed CORPUS.jsonl

Each round reads the same sentences in three ways:

- bare: the cut backbone alone, on windows that are batched beforehand and sorted by length over the whole corpus.
- index: `EntityRetriever.add` and `compact` into a new index, as `nerret index` does once the model is loaded.
- encode: `SentenceTransformer.encode` with the whole MiniLM.

The ways alternate, so that a busy machine slows all three, and the medians are compared. Tokens are those of the
windows, without padding.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

from benchmarks import show
from modeling_nerret import EntityRetriever
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
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with options.corpus.open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in islice(file, options.sentences)]
    checkpoint = load_checkpoint()
    config = checkpoint.model.config
    windows = make_windows(checkpoint.tokenizer, texts, config.max_tokens)
    tokens = sum(len(window.ids) for window in windows)
    whole = SentenceTransformer(str(find_backbone(config.backbone, config.backbone_revision)), device="cpu")
    times: dict[str, list[tuple[float, float]]] = {"bare": [], "index": [], "encode": []}
    for _ in range(options.rounds):
        times["bare"].append(_bare(checkpoint, windows, options.batch_tokens))
        times["index"].append(_index(checkpoint, texts, options.batch_tokens))
        start = time.perf_counter(), time.process_time()
        whole.encode(texts)
        times["encode"].append(_since(start))
        _report(times, tokens)


def _report(times: dict[str, list[tuple[float, float]]], tokens: int) -> None:
    """Print the medians of the rounds so far, by wall clock and by processor time."""
    for column, clock in enumerate(("wall", "cpu")):
        median = {name: float(np.median([seconds[column] for seconds in rounds])) for name, rounds in times.items()}
        show(f"{clock} seconds", **median)
        show(
            f"{clock} ratios",
            tokens_per_second_of_index=tokens / median["index"],
            index_over_bare=median["bare"] / median["index"],
            index_over_encode=median["encode"] / median["index"],
        )


@torch.inference_mode()
def _bare(checkpoint: Checkpoint, windows: list[Window], batch_tokens: int) -> tuple[float, float]:
    inputs = [stack(batch) for batch in batches(windows, batch_tokens)]
    start = time.perf_counter(), time.process_time()
    for ids, mask in inputs:
        checkpoint.model.hidden_states(ids, mask)
    return _since(start)


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
