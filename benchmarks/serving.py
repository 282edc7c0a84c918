"""How many searches a second `nerret serve` answers, and whether it loses a request or fails on malformed ones.

    python -m benchmarks.serving INDEX

starts the server over an index and asks it from many threads for types that differ. A request in 20 is malformed. The
same searches, one after the other in a process of their own that reads the disk, are the other half of the ratio. On a
machine that does other work too, searches a second of the server's processor time say more than those of the clock.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from benchmarks import show
from modeling_nerret import EntityRetriever
from modeling_nerret.pretrained.checkpoints import load_checkpoint

MALFORMED = [
    b"{",
    b"[]",
    b"\xff",
    b'{"query": " "}',
    b'{"query": "city", "k": 0}',
    b'{"query": "city", "k": "ten"}',
    b'{"query": "city", "where": {"no": {"~": 1}}}',
    b'{"query": "\\ud800"}',
    b'{"query": {"and": []}}',
    b'{"query": "city", "like": [{"text": "a", "start": 5, "end": 1}]}',
]
JSON = {"content-type": "application/json"}
WARM = 20  # searches before the clock runs


def main() -> None:
    """Measure and print three lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path)
    parser.add_argument("--requests", type=int, default=1_000)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--alone", type=int, default=100, help="searches without a server")
    parser.add_argument("-k", type=int, default=10)
    options = parser.parse_args()
    types = _types(options.requests)
    show("without a server", **_alone(options.index, types[: options.alone], options.k))
    with _server(options.index) as address:
        for clients in options.clients:
            show(f"{clients} clients", **_load(address, types, options.k, clients))
        numbers = _metrics(address)
        queries, passes = numbers["nerret_queries_total"], numbers["nerret_query_passes_total"]
        show("micro-batches", queries=queries, passes=passes, queries_a_pass=queries / passes)


def _types(count: int) -> list[str]:
    """Type queries that differ, from the checkpoint's names of types."""
    bank = load_checkpoint().type_names
    assert bank is not None
    return random.Random(0).choices(bank.names, k=count)


def _alone(index: Path, types: list[str], k: int) -> dict[str, float]:
    retriever = EntityRetriever(index)
    for type_ in types[:WARM]:
        retriever.search(type_, k)
    begin, before = time.perf_counter(), time.process_time()
    for type_ in types:
        retriever.search(type_, k)
    return {
        "searches_a_second": len(types) / (time.perf_counter() - begin),
        "searches_a_processor_second": len(types) / (time.process_time() - before),
    }


@contextmanager
def _server(index: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "modeling_nerret.cli", "serve", f"index={index}", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        yield process.stderr.readline().split()[1].rstrip(",")
        process.terminate()
        assert process.wait() == 0, process.stderr.read()


def _metrics(address: str) -> dict[str, float]:
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    return {name: float(number) for name, number in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}


def _load(address: str, types: list[str], k: int, clients: int) -> dict[str, float]:
    """One request for each type, a twentieth of them malformed, from some threads."""
    bodies = [
        MALFORMED[number // 20 % len(MALFORMED)] if number % 20 == 19 else _body(type_, k)
        for number, type_ in enumerate(types)
    ]
    with httpx.Client(base_url=address, timeout=120, limits=httpx.Limits(max_connections=clients)) as client:

        def ask(body: bytes) -> tuple[int, float]:
            begin = time.perf_counter()
            status = client.post("/search", content=body, headers=JSON).status_code
            return status, time.perf_counter() - begin

        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(ask, (_body(type_, k) for type_ in types[:WARM])))
            before, begin = _metrics(address)["process_cpu_seconds_total"], time.perf_counter()
            answers = list(pool.map(ask, bodies))
            seconds = time.perf_counter() - begin
            processor_seconds = _metrics(address)["process_cpu_seconds_total"] - before
    statuses = Counter(status // 100 for status, _ in answers)
    times = [1000 * wait for status, wait in answers if status == 200]
    return {
        "requests": len(answers),
        "searches_a_second": statuses[2] / seconds,
        "searches_a_processor_second": statuses[2] / processor_seconds,
        "answers_2xx": statuses[2],
        "refusals_4xx": statuses[4],
        "failures_5xx": statuses[5],
        "lost": len(bodies) - sum(statuses.values()),
        "p50_ms": float(np.percentile(times, 50)),
        "p95_ms": float(np.percentile(times, 95)),
    }


def _body(type_: str, k: int) -> bytes:
    return json.dumps({"query": type_, "k": k}).encode()


if __name__ == "__main__":
    main()
