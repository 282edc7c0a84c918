"""The static Space in Chromium: how much it loads, how soon it answers, and how often as the package answers.

    nerret space nerret-minilm build/nerret-space
    python -m benchmarks.space build/nerret-space

serves the folder, opens the page in a fresh Chromium, takes the network away once it is ready, and asks for types of
the demo corpus. The package answers the same queries from an index of the same corpus with the same model.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from modeling_nerret import EntityRetriever
from modeling_nerret.demo import demo_corpus
from modeling_nerret.documents import Document
from modeling_nerret.index.readers import read_corpus

TYPES, TIMES, FIRST = 100, 50, 5  # types that are compared, queries that are timed, documents that are compared
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
# Milliseconds from a click on the button until the answer is painted
ASK = """async query => {
  const message = document.querySelector('#message')
  const shown = new Promise(done => new MutationObserver(done).observe(message, { childList: true }))
  document.querySelector('#query').value = query
  const start = performance.now()
  document.querySelector('#ask').requestSubmit()
  await shown
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)))
  return performance.now() - start
}"""
SIZE = "performance.getEntries().reduce((sum, entry) => sum + (entry.encodedBodySize ?? 0), 0)"
# What stands behind the answer
LOOK = """async query => {
  const engine = await (await import('./page.js')).engine
  const { hits, length } = await engine.search(query)
  const vector = [...await engine.model.embed(query)]
  return { vector, length, ids: hits.slice(0, 10).map(hit => hit.document.id) }
}"""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", type=Path)
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome"))
    options = parser.parse_args()
    queries = type_names(TYPES)
    with serve(options.space) as address:
        load, answers = ask_browser(address, options.chromium, queries)
    first, later = answers[0], answers[1 : TIMES + 1]
    rows = {
        "MB that the page loads": f"{load['bytes'] / 1e6:.1f}",
        "seconds from opening to ready, from this machine": f"{load['seconds']:.1f}",
        "ms to the first answer, without network": f"{first['time']:.0f}",
        "of them on a processor, first": f"{first['work']:.0f}",
        f"ms to each of {TIMES} later answers, half and 95 % of them": _half_and_most(later, "time"),
        "of them on a processor, later": _half_and_most(later, "work"),
        **compare(queries, answers),
    }
    print("| measured | figure |\n|---|---|")
    for name, figure in rows.items():
        print(f"| {name} | {figure} |")


def _half_and_most(answers: list[dict[str, Any]], name: str) -> str:
    return "{:.0f}, {:.0f}".format(*np.percentile([answer[name] for answer in answers], [50, 95]))


def type_names(count: int) -> list[str]:
    """Names of types that are annotated in the demo corpus, evenly from all of them."""
    lines = Path(demo_corpus()).read_text(encoding="utf-8").splitlines()
    names = sorted({mention["type"] for line in lines for mention in json.loads(line)["mentions"]})
    return [names[place] for place in np.linspace(0, len(names) - 1, count).round().astype(int)]


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; gives the address."""
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def ask_browser(address: str, chromium: str, queries: list[str]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Load the page, cut the network, ask.

    Returns:
        Bytes and seconds of the page's load; for each query its `time` on the clock and `work` of the page's processor,
        in milliseconds, with the `vector`, the `length` of the answer and the first `ids`.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_context().new_page()
        page.set_default_timeout(300_000)
        meter = page.context.new_cdp_session(page)
        meter.send("Performance.enable", {"timeDomain": "threadTicks"})
        start = time.perf_counter()
        page.goto(f"{address}/index.html")
        page.locator("#message", has_text="Ready").wait_for()
        load = {"seconds": time.perf_counter() - start, "bytes": page.evaluate(SIZE)}
        page.context.set_offline(True)
        answers = []
        for query in queries:
            work = _work(meter)
            duration = page.evaluate(ASK, query)
            answers.append({"time": duration, "work": _work(meter) - work})
        for query, answer in zip(queries, answers, strict=True):
            answer |= page.evaluate(LOOK, query)
        browser.close()
    return load, answers


def _work(meter: Any) -> float:
    """Milliseconds for which the page's thread has used a processor."""
    metrics = {metric["name"]: metric["value"] for metric in meter.send("Performance.getMetrics")["metrics"]}
    return 1000 * float(metrics["TaskDuration"])


def compare(queries: list[str], answers: list[dict[str, Any]]) -> dict[str, str]:
    """How the page's vectors and documents compare with the package's."""
    with tempfile.TemporaryDirectory() as folder:
        retriever = EntityRetriever(Path(folder) / "index")
        retriever.add(record for record in read_corpus(demo_corpus()) if isinstance(record, Document))
        vectors = retriever.encoder.embed_queries(queries)
        results = [retriever.search(query) for query in queries]
        first = [[name for name, _ in retriever.rank(query, FIRST)] for query in queries]
    difference = np.abs(np.array([answer["vector"] for answer in answers]) - vectors).max()
    orders = sum(answer["ids"][:FIRST] == ids for answer, ids in zip(answers, first, strict=True))
    sets = sum(set(answer["ids"][:FIRST]) == set(ids) for answer, ids in zip(answers, first, strict=True))
    lengths = sum(answer["length"] == len(result) for answer, result in zip(answers, results, strict=True))
    return {
        "largest difference of a number in a vector": f"{difference:.1e}",
        f"same first {FIRST} documents in the same order": f"{orders} of {len(queries)} types",
        f"same first {FIRST} documents in any order": f"{sets} of {len(queries)} types",
        "answers of the same length": f"{lengths} of {len(queries)} types",
    }


if __name__ == "__main__":
    main()
