"""Bodies of requests: read up to a limit, and written anew with only what Gradio needs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .headers import Receive
from .limits import MAX_PASTED

MAX_BODY = 1_000_000  # bytes; more than the text that the page takes, so that a text a little too long is explained
HINT = f"a text may have {MAX_PASTED:,} characters"
MAX_UNREAD = 20  # answers of a visitor
BODY_SECONDS = 20  # in which a body must arrive
SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Refusal(Exception):
    """Why a request is refused."""

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status, self.reason = status, reason


@dataclass(frozen=True)
class Functions:
    """The functions of the page, as requests name them.

    Args:
        sizes: the number of controls of each function, by its number.
        search_sizes: the numbers of controls that a call of the search by its name may have.
        unread: how many answers of a session, or of one call, have not been fetched.
    """

    sizes: Mapping[int, int]
    search_sizes: frozenset[int]
    unread: Callable[[str], int]


async def read_body(headers: Mapping[str, str], receive: Receive, most: int = MAX_BODY, hint: str = HINT) -> bytes:
    """The body of a request.

    Args:
        headers: the request's.
        receive: gives its parts.
        most: bytes that it may have.
        hint: says so.

    Raises:
        Refusal: it is no JSON, too large, or too slow.
    """
    body = bytearray()
    async for part in body_parts(headers, receive, "application/json", most, hint, BODY_SECONDS):
        body += part
    return bytes(body)


async def body_parts(
    headers: Mapping[str, str], receive: Receive, kind: str, most: int, hint: str, seconds: float
) -> AsyncIterator[bytes]:
    """The parts of a body, as they come.

    Args:
        headers: the request's.
        receive: gives its parts.
        kind: the content type that it must have.
        most: bytes that it may have.
        hint: says so.
        seconds: in which it must arrive.

    Raises:
        Refusal: it is of another kind, too large, too slow, or does not come to its end.
    """
    too_large = Refusal(413, f"the request is too large; {hint}")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        raise Refusal(415, f"the content type of the body must be {kind}")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 20 or int(length) > most:
        raise too_large
    size, end = 0, asyncio.get_running_loop().time() + seconds
    has_more = True
    while has_more:
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError:
            raise Refusal(408, f"the body did not arrive within {seconds:.0f} seconds") from None
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the body is cut off")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise too_large
        yield part
        has_more = message.get("more_body", False)


def plain_body(body: bytes, functions: Functions, by_name: bool) -> bytes:
    """A body with only what Gradio needs: the values of the controls, the function's number and the session.

    Args:
        body: what came.
        functions: the functions of the page.
        by_name: the address names the search; else the body has a function's number.

    Raises:
        Refusal: the page sends nothing like it; the reason says what is accepted.
    """
    try:
        content = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON") from None
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise Refusal(400, 'the body needs "data", a list with the values of the controls')
    fields: dict[str, Any] = {"data": content["data"]}
    if content.get("session_hash") is not None:
        fields["session_hash"] = check_session(content["session_hash"])
        if functions.unread(fields["session_hash"]) >= MAX_UNREAD:
            raise Refusal(429, "too many answers wait for you; fetch them first")
    if by_name:
        sizes = functions.search_sizes
    else:
        number = content.get("fn_index")
        if type(number) is not int or number not in functions.sizes:
            raise Refusal(400, '"fn_index" is not the number of a function of this page')
        fields["fn_index"], sizes = number, frozenset({functions.sizes[number]})
    _check_values(content["data"], sizes)
    return json.dumps(fields).encode()


def check_session(session: Any) -> str:
    """The name of a session.

    Raises:
        Refusal: it has another form than those of Gradio's pages and clients.
    """
    if not isinstance(session, str) or not SESSION.fullmatch(session):
        raise Refusal(400, '"session_hash" must be 1 to 64 letters, digits, - and _')
    return session


def _check_values(values: list[Any], sizes: frozenset[int]) -> None:
    """Refuse what no control sends, such as the descriptions of files that Gradio would fetch."""
    if len(values) not in sizes:
        raise Refusal(400, f'"data" has {len(values)} values; needed are {min(sizes)}')
    for number, value in enumerate(values, 1):
        if not isinstance(value, str | int | float | None):
            kind = type(value).__name__
            raise Refusal(400, f'value {number} of "data" is a {kind}; accepted are texts and numbers')
