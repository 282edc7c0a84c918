"""What stands before the answers: who may ask, and how much a request may bring."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Mapping
from typing import Any

from ..app.bodies import Refusal, read_body
from ..app.guard import Middleware, refuse, with_body
from ..app.headers import Message, Receive, Send
from .metrics import Metrics
from .tokens import READ, WRITE, Tokens

logger = logging.getLogger(__name__)

OPEN = ("/health", "/openapi.json")  # without a token
WRITES = ("/add", "/delete")
MAX_REQUESTS = 1_000  # at a time
MAX_BODY, MAX_ADDED = 256_000, 16_000_000  # bytes of a question, and of documents to add
LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class Gate(Middleware):
    """ASGI middleware; see above.

    Args:
        app: what answers.
        tokens: without any, only this computer's own programs are answered, and a page that another host's name leads
            to (DNS rebinding) is refused.
        metrics: counts the requests.
        max_added: bytes of documents to add in one request.
    """

    def __init__(self, app: Any, tokens: Tokens, metrics: Metrics, max_added: int = MAX_ADDED):
        self.app, self.tokens, self.metrics, self.max_added = app, tokens, metrics, max_added

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        statuses: list[int] = []

        async def count_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        begin = time.perf_counter()
        self.metrics.in_progress += 1
        try:
            await self.app(*await self._admit(scope, receive), count_and_send)
        except Refusal as refusal:
            await refuse(refusal, count_and_send)
        except Exception:
            logger.exception("a request failed")
            if not statuses:
                await refuse(Refusal(500, "the request failed; the server's log says why"), count_and_send)
        finally:
            self.metrics.in_progress -= 1
            self.metrics.end(scope["path"], statuses[0] if statuses else 499, time.perf_counter() - begin)

    async def _admit(self, scope: Message, receive: Receive) -> tuple[Message, Receive]:
        """The request, with its whole body.

        Raises:
            Refusal: it may not be asked, or it brings too much.
        """
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
        self._check_rights(scope["path"], headers)
        if self.metrics.in_progress > MAX_REQUESTS:
            raise Refusal(503, "too many requests at a time; try again in a moment")
        if scope["method"] != "POST":
            return scope, receive
        most = self.max_added if scope["path"] in WRITES else MAX_BODY
        body = await read_body(headers, receive, most, f"a request has at most {most:,} bytes; send several")
        _check_unicode(body)
        return with_body(scope, body, receive)

    def _check_rights(self, path: str, headers: Mapping[str, str]) -> None:
        if path in OPEN and self.tokens:
            return
        if not self.tokens and not LOCAL.fullmatch(headers.get("host", "")):
            raise Refusal(403, "without tokens, this server answers only under localhost, 127.0.0.1 and [::1]")
        if path in WRITES and not self.tokens.can_write:
            raise Refusal(403, "this server does not write; start it with a write token")
        rights = self.tokens.rights(headers.get("authorization", ""))
        if not rights:
            raise Refusal(401, 'a token is needed, in a header: "Authorization: Bearer TOKEN"')
        if (WRITE if path in WRITES else READ) not in rights:
            raise Refusal(403, "this token may only read; use a write token")


def _check_unicode(body: bytes) -> None:
    r"""Refuse halves of characters, which JSON can spell: "\ud800"."""
    if not SURROGATE.search(body):
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise Refusal(400, "the body is not valid Unicode: it has half of a character") from None
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON") from None
