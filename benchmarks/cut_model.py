"""The cut model against the authors' way: `python -m benchmarks.cut_model SENTENCES.jsonl`.

The authors run the whole causal language model, its language-model head included, with a forward hook on block 17's
value projection, over batches in file order (arXiv 2509.04011, section 4). Here both ways read the same gold mentions
of the same sentences. The model is random, in the shape of Llama 3.1 8B at a quarter of its width. Its language-model
head takes the same share of the work (7 %). The ways alternate, and the clock is the process's CPU time on one thread,
so that other work on the machine favours neither. Peak memory is measured in a process for each way.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from modeling_nerret import NerretModel
from modeling_nerret.modeling_nerret import pool
from modeling_nerret.spans import Span
from modeling_nerret.weights import find_backbone
from modeling_nerret.windows import Window, batches, make_windows, stack

BLOCKS, LAYER = 32, 17  # Llama 3.1 8B's, and the paper's layer
TOKENIZER = "sentence-transformers/all-MiniLM-L6-v2"
CHUNK = 128  # sentences after which it is the next way's turn

Read = Callable[[list[Window]], torch.Tensor]


def main(arguments: list[str] | None = None) -> int:
    """Run all ways and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", type=Path, help='JSONL with "text" and "mentions"')
    parser.add_argument("--count", type=int, default=256, help="sentences with mentions to read (default: 256)")
    parser.add_argument("--width", type=int, default=1024, help="width of the model (default: 1024)")
    parser.add_argument("--batch", type=int, default=32, help="sentences in a batch of the authors' way (default: 32)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = AutoTokenizer.from_pretrained(find_backbone(TOKENIZER))
        save_random_llama(folder, options.width, len(tokenizer))
        windows, spans = read_sentences(options.sentences, options.count, tokenizer)
        peaks = {way: peak_memory(folder, way, windows[: options.batch], spans) for way in ("full", "cut")}
        seconds, differences = compare(folder, windows, spans, options.batch)
    print(table(seconds, differences, peaks, sum(len(window.ids) for window in windows)))
    return 0


def save_random_llama(folder: str, width: int, words: int) -> None:
    """Save a Llama with the proportions of the 8B one: 4 queries a key, inner width 3.5 times the hidden one."""
    torch.manual_seed(0)
    heads = width // 64
    config = LlamaConfig(
        vocab_size=words,
        hidden_size=width,
        intermediate_size=width * 7 // 2,
        num_hidden_layers=BLOCKS,
        num_attention_heads=heads,
        num_key_value_heads=heads // 4,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


def read_sentences(path: Path, count: int, tokenizer: Any) -> tuple[list[Window], list[list[Span]]]:
    """The first `count` sentences that have mentions, as windows, and the mentions of each."""
    texts, spans = [], []
    with path.open(encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            if entry["mentions"]:
                texts.append(entry["text"])
                spans.append([Span(mention["start"], mention["end"]) for mention in entry["mentions"]])
            if len(texts) == count:
                break
    return [window for window in make_windows(tokenizer, texts, 512) if window.number == 0], spans


def rows_of(batch: Sequence[Window], spans: Sequence[Sequence[Span]]) -> torch.Tensor:
    """Row, first and last token of every mention of a batch. (mentions, 3)."""
    rows = [(row, window.token_span(*span[:2])) for row, window in enumerate(batch) for span in spans[window.owner]]
    return torch.tensor([(row, *tokens) for row, tokens in rows if tokens])


def full_way(folder: str, spans: Sequence[Sequence[Span]]) -> Read:
    """The authors' way: the whole causal language model and a hook."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    values: list[torch.Tensor] = []
    projection = model.model.layers[LAYER].self_attn.v_proj
    projection.register_forward_hook(lambda module, inputs, output: values.append(output))

    def read(batch: list[Window]) -> torch.Tensor:
        ids, mask = stack(batch)
        model(input_ids=ids, attention_mask=mask)
        return pool(values.pop(), rows_of(batch, spans), "end")  # (mentions, value_size)

    return read


def cut_way(folder: str, spans: Sequence[Sequence[Span]]) -> Read:
    """Our way: the blocks before the value projection and nothing else."""
    model = NerretModel.from_backbone(folder, layer=LAYER, dtype=torch.float32)

    def read(batch: list[Window]) -> torch.Tensor:
        return pool(model.value_states(*stack(batch)), rows_of(batch, spans), "end")  # (mentions, value_size)

    return read


def in_file_order(windows: Sequence[Window], size: int) -> Iterator[list[Window]]:
    """Batches of `size` windows in their order."""
    for begin in range(0, len(windows), size):
        yield list(windows[begin : begin + size])


@torch.inference_mode()
def compare(
    folder: str, windows: Sequence[Window], spans: Sequence[Sequence[Span]], size: int
) -> tuple[dict[str, float], dict[str, float]]:
    """CPU seconds of each way, and the largest difference of its value vectors from the authors'."""
    full, ours = full_way(folder, spans), cut_way(folder, spans)
    ends = [max(last for _, last in filter(None, (w.token_span(*s[:2]) for s in spans[w.owner]))) for w in windows]
    short = [window.until(end) for window, end in zip(windows, ends, strict=True)]
    budget = size * 64  # tokens, about what the authors' batches hold
    ways: dict[str, tuple[Read, Callable[[slice], Iterator[list[Window]]]]] = {
        "full model with a hook, file order": (full, lambda part: in_file_order(windows[part], size)),
        "cut model, the same batches": (ours, lambda part: in_file_order(windows[part], size)),
        "cut model, sorted by length": (ours, lambda part: batches(windows[part], budget)),
        "and without what follows the last mention": (ours, lambda part: batches(short[part], budget)),
    }
    first = next(iter(ways))
    for way in (full, ours):
        way(list(windows[:2]))  # the first run allocates memory
    seconds, differences = dict.fromkeys(ways, 0.0), dict.fromkeys(ways, 0.0)
    for begin in tqdm(range(0, len(windows), CHUNK), desc="chunks", disable=None):
        expected: dict[int, torch.Tensor] = {}
        for name, (way, batches_of) in ways.items():
            for batch in batches_of(slice(begin, begin + CHUNK)):
                start = time.process_time()
                vectors = way(batch)
                seconds[name] += time.process_time() - start
                for owner, values in by_owner(batch, spans, vectors):
                    if name == first:
                        expected[owner] = values
                    differences[name] = max(differences[name], (values - expected[owner]).abs().max().item())
    return seconds, differences


def by_owner(
    batch: Sequence[Window], spans: Sequence[Sequence[Span]], vectors: torch.Tensor
) -> Iterator[tuple[int, torch.Tensor]]:
    """Each sentence's vectors."""
    rows = rows_of(batch, spans)[:, 0]
    for row, window in enumerate(batch):
        yield window.owner, vectors[rows == row]


def peak_memory(folder: str, way: str, batch: list[Window], spans: list[list[Span]]) -> int:
    """Peak bytes of a new process that loads a way and reads one batch, less the bytes it starts with."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(measure_memory, (folder, way, batch, spans))


@torch.inference_mode()
def measure_memory(folder: str, way: str, batch: list[Window], spans: list[list[Span]]) -> int:
    """The function that `peak_memory` runs."""
    torch.set_num_threads(1)
    before = peak_of_this_process()
    (full_way if way == "full" else cut_way)(folder, spans)(batch)
    return peak_of_this_process() - before


def peak_of_this_process() -> int:
    """Peak bytes of this process so far (Linux), mapped files included."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match is not None
    return int(match[1]) * 1024


def table(seconds: dict[str, float], differences: dict[str, float], peaks: dict[str, int], tokens: int) -> str:
    """The results in Markdown."""
    whole = next(iter(seconds.values()))
    lines = [
        f"{tokens} tokens; peak memory {peaks['full'] / 1e9:.2f} GB (full) and {peaks['cut'] / 1e9:.2f} GB (cut): "
        f"{peaks['cut'] / peaks['full']:.2f} times",
        "",
        "| way | CPU s | tokens/s | times as fast | largest difference of V |",
        "|---|---|---|---|---|",
    ]
    for name, time_ in seconds.items():
        lines.append(f"| {name} | {time_:.1f} | {tokens / time_:.0f} | {whole / time_:.2f} | {differences[name]:.1e} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
