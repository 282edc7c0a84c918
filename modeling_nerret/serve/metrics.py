"""Metrics of the server, in the text format of Prometheus."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

from .indexes import Indexes

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
OTHER = "other"  # stands for addresses that do not exist


class Metrics:
    """Counts requests; used by the server's one loop only.

    Args:
        paths: the addresses that are counted apart.

    Example:
        >>> metrics = Metrics(["/search"])
        >>> metrics.end("/search", 200, 0.02)
        >>> "nerret_requests_total{path=\\"/search\\",status=\\"200\\"} 1" in list(metrics.requests())
        True
    """

    def __init__(self, paths: list[str]):
        self.paths = frozenset(paths)
        self.in_progress = 0
        self._requests: Counter[tuple[str, int]] = Counter()
        self._buckets: Counter[tuple[str, float]] = Counter()
        self._seconds: Counter[str] = Counter()

    def end(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        path = path if path in self.paths else OTHER
        self._requests[path, status] += 1
        self._seconds[path] += seconds  # type: ignore[assignment]
        for bound in BOUNDS:
            self._buckets[path, bound] += seconds <= bound

    def requests(self) -> Iterator[str]:
        """The lines about requests."""
        yield from _heading("nerret_requests_total", "counter", "Requests by address and status.")
        for (path, status), count in sorted(self._requests.items()):
            yield f'nerret_requests_total{{path="{path}",status="{status}"}} {count}'
        yield from _heading("nerret_request_seconds", "histogram", "Seconds from a request to its answer.")
        for path in sorted(self._seconds):
            total = sum(count for (name, _), count in self._requests.items() if name == path)
            for bound in BOUNDS:
                yield f'nerret_request_seconds_bucket{{path="{path}",le="{bound:g}"}} {self._buckets[path, bound]}'
            yield f'nerret_request_seconds_bucket{{path="{path}",le="+Inf"}} {total}'
            yield f'nerret_request_seconds_sum{{path="{path}"}} {self._seconds[path]:.6f}'
            yield f'nerret_request_seconds_count{{path="{path}"}} {total}'
        yield from _heading("nerret_requests_in_progress", "gauge", "Requests that wait for their answer.")
        yield f"nerret_requests_in_progress {self.in_progress}"


def describe(metrics: Metrics, indexes: Indexes) -> str:
    """All metrics as text."""
    lines = list(metrics.requests())
    passes = sum(encoder.passes for encoder in indexes.encoders.values())
    queries = sum(encoder.queries for encoder in indexes.encoders.values())
    lines += _heading("nerret_query_passes_total", "counter", "Forward passes that embedded type queries.")
    lines += [f"nerret_query_passes_total {passes}"]
    lines += _heading("nerret_queries_total", "counter", "Type queries that were embedded.")
    lines += [f"nerret_queries_total {queries}"]
    lines += _heading("process_cpu_seconds_total", "counter", "Seconds of processor time that the server has used.")
    lines += [f"process_cpu_seconds_total {time.process_time():.3f}"]
    lines += _heading("nerret_documents", "gauge", "Documents of an index.")
    lines += [f'nerret_documents{{index="{name}"}} {len(retriever)}' for name, retriever in indexes.items()]
    return "\n".join(lines) + "\n"


def _heading(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
