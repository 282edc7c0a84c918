"""Index a corpus once with the code of a checkout; `benchmarks.index_speed --against` runs this text.

    python index_once.py CHECKOUT CORPUS.jsonl SENTENCES THREADS BATCH_TOKENS

It prints seconds of wall clock and of processors, of the second of two indexes; the first, of 100 texts, warms up.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path


def main() -> None:
    """Measure and print."""
    checkout, corpus = sys.argv[1:3]
    sentences, threads, batch_tokens = map(int, sys.argv[3:6])
    sys.path.insert(0, checkout)
    import torch

    from modeling_nerret import EntityRetriever
    from modeling_nerret.pretrained.checkpoints import load_checkpoint

    torch.set_num_threads(threads)
    with Path(corpus).open(encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in islice(file, sentences)]
    checkpoint = load_checkpoint()
    for part in (texts[:100], texts):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter(), time.process_time()
            retriever = EntityRetriever(Path(folder) / "index", checkpoint, batch_tokens=batch_tokens)
            retriever.add({"id": number, "text": text} for number, text in enumerate(part))
            retriever.compact()
            seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    print(*seconds)


if __name__ == "__main__":
    main()
