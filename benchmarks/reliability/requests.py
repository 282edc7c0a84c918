"""Good and hostile requests to the app and to the endpoint: what they answer, what they leak, and what they cost.

    python -m benchmarks.reliability.requests [--count 2000] [--seed 0]

`nerret app` runs as a process of its own, the endpoint's handler in this one, in a repository that is built first. The
requests are drawn at random. A fault is a status from 500, a traceback, a good request that is not answered, a wrong
one that is, or a visitor's text in the answer to another visitor or host. Memory is measured after the first tenth of
the requests and at the end. The command fails if there is a fault.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.reliability.table import print_table
from modeling_nerret.demo import QUERIES
from modeling_nerret.hub_card.repository import write_custom
from modeling_nerret.pretrained.checkpoints import load_checkpoint

CALL, JOIN, RUN = "/gradio_api/call/search", "/gradio_api/queue/join", "/gradio_api/run/predict"
GOOD = ("dinosaur", "Demo corpus", "", "hybrid", 0, 10, "", "text")
CONTROLS: tuple[tuple[int, Any], ...] = (
    *((0, value) for value in (5, None, "", "\ud800", "x" * 100_000, "<script>", "\0")),
    *((1, value) for value in ("elsewhere", None, 3, "\udfff")),
    *((3, value) for value in ("fast", None, 1, True, "../..")),
    *((5, value) for value in (10**9, 10**300, 0, -1, 1.5, "x", None, True)),
    *((4, value) for value in (float("nan"), float("inf"), -1, 99, "x", None, True)),
)
ROUTES = (
    *(
        ("POST", path)
        for path in ("/gradio_api/upload", "/gradio_api/component_server", "/login", "/gradio_api/cancel")
    ),
    *(
        ("GET", f"/gradio_api/{path}")
        for path in ("file=/etc/passwd", "proxy=http://127.0.0.1/", "runs", "token", "mcp")
    ),
    *(("GET", path) for path in ("/docs", "/monitoring", "/openapi.json", "/assets/..%2f..%2froutes.py", "/file=x")),
    *(("GET", f"/gradio_api/{path}") for path in ("stream/a/b/1/playlist.m3u8", "call/search/abc", "app_id")),
)
BODIES = (
    *(
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b"[" * 50_000,
        b'{"data": [' + b"9" * 9_999 + b"]}",
        b'{"data": "city"}',
    ),
    b'{"data": [["a"], "", "", "", 1, 1]}',
    b'{"data": [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "", "", "", 1, 1]}',
    b'{"data": [], "fn_index": 999, "session_hash": "a"}',
    b'{"data": ["city"], "fn_index": 1, "session_hash": "../a"}',
    b'{"data": ["' + b"x" * 3_000_000 + b'"]}',
)
SOURCES = ({"host": "evil.example"}, {"host": "127.0.0.1"}, {"origin": "http://evil.example"}, {"origin": "null"})
WRONG_INPUTS: tuple[Any, ...] = (
    *(
        "",
        "\ud800",
        "city \udfff",
        "\u200b",
        "city " * 20_000,
        None,
        True,
        1.5,
        float("nan"),
        [],
        [[]],
        {},
        {"text": ""},
    ),
    *({"text": text} for text in (3, None, "\ud800", ["a"], "x" * 60_000)),
    *({"text": "Oslo", "start": start, "end": 4} for start in (-1, 4, 0.0, "0", None, True, float("nan"), 10**30)),
    *({"text": "Oslo", "mentions": mentions} for mentions in (3, "a", [], [3], [{}], {"start": 0}, [[0, 4]])),
    {"text": "Oslo", "label": "city"},
)
WRONG_REQUESTS: tuple[Any, ...] = (
    *(None, [], "city", {}, {"input": "city"}, {"inputs": ["city"] * 2_000}, {"inputs": "a", "parameters": []}),
    {"inputs": "a", "parameters": {"normalize": 1}},
    {"inputs": [{"text": "Oslo in May. " * 3_000}] * 9},
)


@dataclass
class Tally:
    """What came of the requests of a kind: how many there were, their statuses, and faults."""

    count: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Visitor:
    """Sends random requests to the app.

    Args:
        address: the app's.
        random: where chance comes from.
    """

    def __init__(self, address: str, random: random.Random):
        self.client = httpx.Client(base_url=address, timeout=60)
        self.random = random
        self.secrets: list[str] = []  # in the texts of all visitors so far
        self.kinds: dict[str, Callable[[], Iterator[str]]] = {
            "good search": self.search,
            "pasted text": self.paste,
            "answer left unread": self.abandon,
            "wrong control": self.set_wrongly,
            "wrong body": self.send_wrong_body,
            "other route": self.ask_other_route,
            "other host or page": self.come_from_elsewhere,
        }

    def search(self) -> Iterator[str]:
        """Search the demo corpus as the page or as a client does."""
        query = self.random.choice(QUERIES)
        answer = self._fetch((query, *GOOD[1:]), self._session() if self.random.random() < 0.5 else None)
        yield "200"
        if "10 documents" not in answer or any(secret in answer for secret in self.secrets):
            yield f"the search for {query} gave {answer[-200:]}"

    def paste(self) -> Iterator[str]:
        """Search a text of one's own, at times with a lone surrogate in it."""
        secret = f"Secret{self.random.randrange(10**9)}"
        has_surrogate = self.random.random() < 0.3
        text = f"{secret} met Ada in Oslo.\n{'Bergen ' + chr(0xD800) if has_surrogate else 'Bergen in May'}."
        answer = self._fetch(("city", "Your own texts", text, *GOOD[3:]), self._session())
        yield "200"
        expected = "line 2" in answer and "not valid Unicode" in answer if has_surrogate else secret in answer
        if not expected or any(earlier in answer for earlier in self.secrets):
            yield f"the pasted text gave {answer[-200:]}"
        self.secrets.append(secret)

    def abandon(self) -> Iterator[str]:
        """Search, and never fetch the answer."""
        body = {"data": [*GOOD, None], "fn_index": 0, "session_hash": self._session()}
        yield str(self._post(JOIN, json.dumps(body).encode()).status_code)

    def set_wrongly(self) -> Iterator[str]:
        """Send a value that no control has."""
        number, value = self.random.choice(CONTROLS)
        answer = self._fetch((*GOOD[:number], value, *GOOD[number + 1 :]), None)
        yield "200"
        if "<ol" in answer and value not in ("<script>", "\0"):
            yield f"control {number} may be {value!a:.40}"

    def send_wrong_body(self) -> Iterator[str]:
        """Send something else than the page does."""
        body = self.random.choice(BODIES)
        response = self._post(self.random.choice((CALL, JOIN, RUN)), body)
        yield str(response.status_code)
        if response.status_code not in (400, 413):
            yield f"{body[:40]!r} is answered with {response.status_code}"

    def ask_other_route(self) -> Iterator[str]:
        """Ask for what the page does not need."""
        method, path = self.random.choice(ROUTES)
        response = self.client.request(method, path, headers={"content-type": "application/json"})
        yield str(response.status_code)
        if response.status_code != 404:
            yield f"{method} {path} is answered with {response.status_code}"

    def come_from_elsewhere(self) -> Iterator[str]:
        """Ask under another name, or from another host's page."""
        headers = self.random.choice(SOURCES)
        path = self.random.choice(("/", "/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=a"))
        response = self.client.get(path, headers=headers)
        yield str(response.status_code)
        if response.status_code != 403 or len(response.text) > 150:
            yield f"{headers} are answered with {response.status_code}"

    def _session(self) -> str:
        return f"{self.random.getrandbits(64):x}"

    def _post(self, path: str, body: bytes) -> httpx.Response:
        return self.client.post(path, content=body, headers={"content-type": "application/json"})

    def _fetch(self, data: tuple[Any, ...], session: str | None) -> str:
        """The last message of a search, in a session as the page does it, or without one as a client does."""
        if session is None:
            response = self._post(CALL, json.dumps({"data": data}).encode())
            path = f"{CALL}/{response.json().get('event_id')}"
        else:
            body = {"data": [*data, None], "fn_index": 0, "session_hash": session}
            response = self._post(JOIN, json.dumps(body).encode())
            path = f"/gradio_api/queue/data?session_hash={session}"
        if response.status_code != 200:
            return f"{response.status_code} {response.text}"
        return self.client.get(path).text


def visit_app(count: int, seed: int, folder: Path) -> tuple[list[dict[str, Any]], int]:
    """Attack the app; rows of the table, and the number of faults."""
    (folder / "temporary").mkdir()
    environment = os.environ | {"TMPDIR": str(folder / "temporary"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "modeling_nerret.cli", "app", "--no-browser"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts)
    assert process.stderr is not None
    try:
        address = process.stderr.readline().split()[1]
        visitor, chance = Visitor(address, random.Random(seed)), random.Random(seed)
        visitor._fetch(GOOD, None)  # waits until the demo corpus is indexed
        tallies = {kind: Tally() for kind in visitor.kinds}
        sizes: list[float] = []
        for number in range(count):
            kind = chance.choice(list(tallies))
            status, *faults = visitor.kinds[kind]()
            tallies[kind].count += 1
            tallies[kind].statuses[status] += 1
            tallies[kind].faults += faults + ([f"status {status}"] if status >= "500" else [])
            if number in (count // 10, count - 1):
                sizes.append(psutil.Process(process.pid).memory_info().rss / 1e6)
        indexes = len(list((folder / "temporary").glob("nerret-app-*/*")))
    finally:
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
    rows = _rows("app", tallies)
    tracebacks, rest = errors.count("Traceback"), len(list((folder / "temporary").glob("nerret-app-*")))
    rows.append(_row("app", "memory", count, f"{sizes[0]:.0f} MB, then {sizes[-1]:.0f} MB", []))
    rows.append(_row("app", "tracebacks in the terminal", count, str(tracebacks), ["a traceback"] * tracebacks))
    rows.append(_row("app", "indexes of texts kept, after the end", count, f"{indexes}, {rest}", ["files"] * rest))
    return rows, sum(len(tally.faults) for tally in tallies.values()) + tracebacks + rest


def _heed_interrupts() -> None:
    """A campaign in the background of a shell ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def visit_endpoint(count: int, seed: int, folder: Path) -> tuple[list[dict[str, Any]], int]:
    """Attack the endpoint's handler; rows of the table, and the number of faults."""
    repository = folder / "repository"
    write_custom(load_checkpoint(), repository)
    specification: Any = importlib.util.spec_from_file_location("handler.EndpointHandler", repository / "handler.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    handler, chance = module.EndpointHandler(str(repository)), random.Random(seed)
    good = ["city", {"text": "Ada met Babbage.", "start": 0, "end": 3}, {"text": "Oslo lies in Norway."}]
    expected = handler({"inputs": good})
    tallies = {kind: Tally() for kind in ("good inputs", "wrong inputs beside good ones", "wrong request")}
    sizes: list[float] = []
    for number in range(count):
        kind = chance.choice(list(tallies))
        tally = tallies[kind]
        tally.count += 1
        wrong = [chance.choice(WRONG_INPUTS) for _ in range(chance.randint(1, 5))] if kind.startswith("wrong") else []
        inputs = [*good, *wrong]
        order = chance.sample(range(len(inputs)), len(inputs))
        request = (
            chance.choice(WRONG_REQUESTS) if kind == "wrong request" else {"inputs": [inputs[row] for row in order]}
        )
        try:
            answer = handler(request)
            json.dumps(answer, allow_nan=False).encode()
        except Exception as error:
            tally.faults.append(f"{request!a:.60} raised {type(error).__name__}")
            continue
        if kind == "wrong request":
            is_right = answer.keys() == {"error"}
        else:
            answers = dict(zip(order, answer, strict=True))
            is_right = all(_are_close(answers[row], expected[row]) for row in range(len(good)))
            is_right &= all(
                "error" in answers[row] or answers[row].get("mentions") == [] for row in order[len(inputs) :]
            )
        tally.statuses["answered" if is_right else "other"] += 1
        tally.faults += [] if is_right else [f"{request!a:.60} gave {answer!a:.60}"]
        if number in (count // 10, count - 1):
            sizes.append(psutil.Process().memory_info().rss / 1e6)
    rows = _rows("endpoint", tallies)
    rows.append(_row("endpoint", "memory", count, f"{sizes[0]:.0f} MB, then {sizes[-1]:.0f} MB", []))
    return rows, sum(len(tally.faults) for tally in tallies.values())


def _are_close(answer: Any, expected: Any) -> bool:
    """Whether two answers are equal, numbers to 1e-4: batches of other sizes round differently."""
    if isinstance(expected, dict):
        return answer.keys() == expected.keys() and all(_are_close(answer[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        return len(answer) == len(expected) and all(map(_are_close, answer, expected))
    return abs(answer - expected) < 1e-4 if isinstance(expected, float) else answer == expected


def _rows(door: str, tallies: dict[str, Tally]) -> list[dict[str, Any]]:
    return [
        _row(
            door,
            kind,
            tally.count,
            ", ".join(f"{count} × {name}" for name, count in tally.statuses.items()),
            tally.faults,
        )
        for kind, tally in tallies.items()
    ]


def _row(door: str, kind: str, count: int, result: str, faults: list[str]) -> dict[str, Any]:
    example = f": {faults[0]}" if faults else ""
    return {"door": door, "kind": kind, "requests": count, "result": result, "faults": f"{len(faults)}{example}"}


def main() -> int:
    """Attack both doors and print what came of it; 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2_000, metavar="N", help="requests to each door (default: 2000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        rows, faults = visit_app(options.count, options.seed, folder)
        endpoint_rows, endpoint_faults = visit_endpoint(options.count, options.seed, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print_table(rows + endpoint_rows)
    return int(faults + endpoint_faults > 0)


if __name__ == "__main__":
    sys.exit(main())
