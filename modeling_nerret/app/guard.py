"""What the app's server lets in: the routes that the page needs, asked for by this host's own pages.

Gradio's server can do much more than this page asks of it, such as taking uploads and fetching addresses. All of that
answers 404; files go to `upload_server` instead, which keeps them where nobody can ask for them. What another host's
page causes is refused, and so is a page that reached this server under another name (DNS rebinding).
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from .bodies import SESSION, Functions, Refusal, check_session, plain_body, read_body
from .headers import Headers, Message, Receive, Send

MAX_REQUESTS = 200  # at a time; an open page keeps one or two open
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
API = "/gradio_api"
ANSWERS = f"{API}/queue/data"
READS = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/robots\.txt|/(assets|static)(/[A-Za-z0-9_@-][A-Za-z0-9_@.-]{0,99}){1,9}"
    rf"|{API}/(info|startup-events|(heartbeat|call/search)/{SESSION.pattern})|{ANSWERS}"
)
CALL = f"{API}/call/search"
CALLS = (f"{API}/queue/join", f"{API}/run/predict", CALL)
FILES = re.compile(r"/files/[0-9a-f]{32}")
LENGTHS = (b"content-length", b"transfer-encoding")


class Middleware(ABC):
    """ASGI middleware of a server that speaks HTTP alone."""

    app: Any  # what answers

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._answer(scope, receive, send)

    @abstractmethod
    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request of HTTP, or refuse it."""


class Guard(Middleware):
    """ASGI middleware; see above.

    Args:
        app: what answers the requests that come through.
        functions: the page's functions.
        hosts: names of this server besides those of the loopback interface, as browsers write them: `name` or
            `name:port`.
        frames: addresses of pages that may show this one in a frame.
        has_files: whether files may be sent, to `upload_server`.
    """

    def __init__(
        self,
        app: Any,
        functions: Functions,
        hosts: Iterable[str] = (),
        frames: Iterable[str] = (),
        has_files: bool = False,
    ):
        self.app, self.functions = app, functions
        self.hosts, self.frames = frozenset(host.lower() for host in hosts), tuple(frames)
        self.requests, self.has_files = 0, has_files

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        send = Headers(scope["path"], self.frames, send)
        self.requests += 1
        try:
            await self.app(*await self._admit(scope, receive), send)
        except Refusal as refusal:
            await refuse(refusal, send)
        finally:
            self.requests -= 1

    async def _admit(self, scope: Message, receive: Receive) -> tuple[Message, Receive]:
        """The request as Gradio gets it.

        Raises:
            Refusal: it is not one of this page's.
        """
        headers, names = headers_of(scope), self._names(scope)
        _check_source(headers, names)
        if self.requests > MAX_REQUESTS:
            raise Refusal(503, "too many requests at a time; try again in a moment")
        path, reads = scope["path"], scope["method"] in ("GET", "HEAD")
        if self.has_files and FILES.fullmatch(path) and scope["method"] in ("PUT", "DELETE"):
            return scope, receive  # the server of files bounds what it takes
        if not (READS.fullmatch(path) if reads else scope["method"] == "POST" and path in CALLS):
            raise Refusal(404, "this page has no such address")
        # Gradio believes a proxy about the host
        foreign = () if headers.get("x-forwarded-host", "").lower() in names else (b"x-forwarded-host",)
        scope = _without(scope, foreign) | {"query_string": self._query(path, scope["query_string"])}
        if reads:
            return scope, receive
        body = plain_body(await read_body(headers, receive), self.functions, by_name=path == CALL)
        return with_body(scope, body, receive)

    def _query(self, path: str, query: bytes) -> bytes:
        """The part of a query string that Gradio needs.

        Raises:
            Refusal: the request is for answers that do not exist, for which Gradio would wait or fail.
        """
        if path != ANSWERS and not path.startswith(f"{CALL}/"):
            return b""
        names = parse_qs(query.decode("latin-1")).get("session_hash", [""]) if path == ANSWERS else path.split("/")
        if not self.functions.unread(check_session(names[-1])):
            raise Refusal(404, "no answer waits here; search first")
        return f"session_hash={names[-1]}".encode() if path == ANSWERS else b""

    def _names(self, scope: Message) -> frozenset[str]:
        """This server's names, with the port unless it is the usual one."""
        port = scope["server"][1] if scope.get("server") else None
        return self.hosts.union((name if port == 80 else f"{name}:{port}" for name in LOOPBACK) if port else ())


def _check_source(headers: Mapping[str, str], names: frozenset[str]) -> None:
    """Refuse requests that another host's page causes."""
    if headers.get("host", "").lower() not in names:
        raise Refusal(403, f"this page answers only under its own address, such as {min(names, default='')}")
    origin = headers.get("origin")
    is_other = origin is not None and origin.lower().removeprefix("https://").removeprefix("http://") not in names
    is_foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    if is_other or (is_foreign and headers.get("sec-fetch-mode") != "navigate"):
        raise Refusal(403, "this page does not answer other pages")


def headers_of(scope: Message) -> dict[str, str]:
    """The headers of a request by name; values of the same name are joined, so that none hides another."""
    headers: dict[str, str] = {}
    for name, value in ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]):
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _without(scope: Message, names: Iterable[bytes]) -> dict[str, Any]:
    """A request without headers of these names."""
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name.lower() not in names]}


def with_body(scope: Message, body: bytes, receive: Receive) -> tuple[Message, Receive]:
    """A request with another body."""
    unread = [body]
    scope = _without(scope, LENGTHS)

    async def receive_body() -> Message:
        return {"type": "http.request", "body": unread.pop()} if unread else await receive()

    return {**scope, "headers": [*scope["headers"], (b"content-length", str(len(body)).encode())]}, receive_body


async def refuse(refusal: Refusal, send: Send) -> None:
    """Say why a request is refused."""
    body = json.dumps({"detail": refusal.reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refusal.status in (408, 413, 415, 422, 507):  # the rest of the body is not read
        headers.append((b"connection", b"close"))
    if refusal.status in (429, 503):
        headers.append((b"retry-after", b"2"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
