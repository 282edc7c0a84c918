"""Whether bfloat16 and torch.compile pay on this CPU, and what they change.

    python -m benchmarks.precision CORPUS.jsonl

The default model's cut backbone reads the same batches in four ways: in plain float32, under bfloat16 autocast, with
bfloat16 weights, and compiled (which needs a C++ compiler). The ways alternate, and their medians are compared. The
change is the largest cosine distance between the vectors of a mention here and in float32. Mentions are the words that
begin with a capital letter, so that no detector is involved.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from benchmarks import show
from modeling_nerret.encoding import BATCH_TOKENS
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.windows import Window, batches, make_windows, stack

CAPITAL = re.compile(r"\b[A-Z]\w+")


def main() -> None:
    """Print the time of each way, its ratio to float32, and its change of the vectors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help='JSONL with "text"')
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with options.corpus.open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in islice(file, options.sentences)]
    checkpoint, half = load_checkpoint(), load_checkpoint(dtype="bfloat16")
    windows = make_windows(checkpoint.tokenizer, texts, checkpoint.model.config.max_tokens)
    inputs = [(*stack(batch), spans_of(batch)) for batch in batches(windows, BATCH_TOKENS)]
    model = checkpoint.model
    compiled_states = torch.compile(model.hidden_states, dynamic=True)
    ways: dict[str, Callable[[], np.ndarray]] = {
        "float32": lambda: embed(model, model.hidden_states, inputs),
        "bfloat16 autocast": lambda: embed(model, model.hidden_states, inputs, autocast=True),
        "bfloat16 weights": lambda: embed(half.model, half.model.hidden_states, inputs),
        "compiled": lambda: embed(model, compiled_states, inputs),
    }
    vectors = {name: way() for name, way in ways.items()}  # the first call compiles
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    plain = float(np.median(times["float32"]))
    for name, rounds in times.items():
        change = float(1 - (vectors[name] * vectors["float32"]).sum(1).min())
        seconds = float(np.median(rounds))
        show(name, seconds=seconds, times_as_fast=plain / seconds, largest_cosine_distance=change)


def spans_of(batch: list[Window]) -> torch.Tensor:
    """Tokens of the capitalised words of a batch. (mentions, 3): row, first token, last token + 1."""
    rows = [
        (row, *tokens)
        for row, window in enumerate(batch)
        for match in CAPITAL.finditer(window.text, *window.span)
        if (tokens := window.token_span(*match.span())) is not None
    ]
    return torch.tensor(rows).reshape(-1, 3)


@torch.inference_mode()
def embed(
    model: NerretModel,
    hidden_states: Callable[..., torch.Tensor],
    inputs: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
    autocast: bool = False,
) -> np.ndarray:
    """Vectors of all mentions. (mentions, hidden_size) float32."""
    vectors = []
    for ids, mask, spans in inputs:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            states = hidden_states(ids, mask)  # (windows, tokens, backbone size)
        vectors.append(model.embed(states.to(model.dtype), spans).numpy())
    return np.concatenate(vectors)


if __name__ == "__main__":
    main()
