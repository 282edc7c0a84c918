"""Takes the files that the page sends, one a request: `PUT` adds one, `DELETE` removes one, or all without a name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from . import limits
from .bodies import Refusal, body_parts
from .guard import FILES, Middleware, headers_of
from .headers import Message, Receive, Send
from .uploads import Uploads

METHODS = ("PUT", "DELETE")
MAX_FILES_AT_A_TIME = 8  # of all visitors; each page sends them one after the other
KIND = "application/octet-stream"
SECONDS = 600  # in which a file must arrive: 20 MB over a slow line
EXPIRY = 60  # seconds between two looks at what is old


class UploadServer(Middleware):
    """ASGI middleware that answers the requests about files; it stands behind the guard, which refuses strangers.

    Args:
        app: what answers all other requests.
        uploads: where files go.
    """

    def __init__(self, app: Any, uploads: Uploads):
        self.app, self.uploads = app, uploads
        self._count = 0  # of files that come in
        self._expiry: asyncio.Task[None] | None = None

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        match = FILES.fullmatch(scope["path"])
        if match is None or scope["method"] not in METHODS:
            await self.app(scope, receive, send)
            return
        key = scope["path"].rpartition("/")[2]
        self._expiry = self._expiry or asyncio.create_task(self._expire())
        names = parse_qs(scope["query_string"].decode("latin-1"), errors="replace").get("name", [])
        if scope["method"] == "PUT":
            await self._take(key, "".join(names), scope, receive)
        else:
            self.uploads.remove(key, "".join(names))
        await _send_json(send, {"ok": True})

    async def _take(self, key: str, path: str, scope: Message, receive: Receive) -> None:
        """Store a file.

        Raises:
            Refusal: it is not accepted; the reason says why.
        """
        headers = headers_of(scope)
        if self._count >= MAX_FILES_AT_A_TIME:
            raise Refusal(503, "too many files at a time; try again in a moment")
        self._count += 1
        try:
            length = headers.get("content-length", "0")
            self.uploads.check(key, path, int(length) if length.isdecimal() and len(length) < 20 else 0)
            hint = f"a file may have {limits.megabytes(limits.MAX_FILE_BYTES)}"
            parts = body_parts(headers, receive, KIND, limits.MAX_FILE_BYTES, hint, SECONDS)
            draft = self.uploads.draft()
            try:
                await _write(parts, draft)
                self.uploads.add(key, path, draft)
            finally:
                draft.unlink(missing_ok=True)
        except ValueError as error:
            raise Refusal(422, str(error)) from None
        except OSError:
            raise Refusal(507, "the file could not be stored; the disk may be full") from None
        finally:
            self._count -= 1

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(EXPIRY)
            self.uploads.expire()


async def _write(parts: AsyncIterator[bytes], path: Path) -> None:
    with path.open("wb") as file:
        async for part in parts:
            file.write(part)


async def _send_json(send: Send, content: Any) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
