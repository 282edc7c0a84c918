"""Headers that tell the browser what the page may do."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

INLINE_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class Headers:
    """Sends a response with headers that tell the browser what the page may do."""

    def __init__(self, path: str, frames: tuple[str, ...], send: Send):
        self.frames, self.send = frames, send
        self.stays = path.startswith(("/assets/", "/static/"))
        self.page: Message | None = None  # the start of an HTML response, kept back until its scripts are known
        self.html = b""

    async def __call__(self, message: Message) -> None:
        """Send a message of the response."""
        if message["type"] == "http.response.start":
            kinds = [value for name, value in message["headers"] if name.lower() == b"content-type"]
            if kinds and kinds[0].startswith(b"text/html"):
                self.page = message
            else:
                await self.send(self._protect(message, b""))
        elif self.page is None:
            await self.send(message)
        else:
            self.html += message.get("body", b"")
            if not message.get("more_body"):
                await self.send(self._protect(self.page, self.html))
                await self.send({"type": "http.response.body", "body": self.html})

    def _protect(self, message: Message, html: bytes) -> Message:
        fields = HEADERS | {"content-security-policy": self._policy(html)}
        fields |= {} if self.frames else {"x-frame-options": "DENY"}
        fields |= {} if self.stays else {"cache-control": "no-store"}
        names = {name.encode() for name in fields}
        headers = [(name, value) for name, value in message["headers"] if name.lower() not in names]
        return {**message, "headers": headers + [(name.encode(), value.encode()) for name, value in fields.items()]}

    def _policy(self, html: bytes) -> str:
        """The content security policy: everything from this server, and of inline scripts only those of the page.

        Gradio makes functions of strings, and styles its components inline.
        """
        digests = (hashlib.sha256(script).digest() for script in INLINE_SCRIPT.findall(html))
        frames = " ".join(self.frames) or "'none'"
        scripts = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
        return "; ".join(
            (
                "default-src 'none'",
                f"script-src 'self' 'unsafe-eval'{scripts}",
                "style-src 'self' 'unsafe-inline'",
                "img-src 'self' data:",
                "font-src 'self' data:",
                "connect-src 'self'",
                "base-uri 'self'",
                "form-action 'none'",
                f"frame-ancestors {frames}",
            )
        )
