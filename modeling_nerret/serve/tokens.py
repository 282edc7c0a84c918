"""Tokens: who may read, and who may write."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

READ, WRITE = "read", "write"
VARIABLES = {"NERRET_READ_TOKEN": READ, "NERRET_WRITE_TOKEN": WRITE}
LEAST_LENGTH = 16  # characters of a token
FORM = 'lines such as "read TOKEN" and "write TOKEN"'


@dataclass(frozen=True)
class Tokens:
    """Digests of the tokens, by what they allow. Without any token everybody may read, and nobody may write."""

    digests: Mapping[str, Sequence[bytes]]

    def __bool__(self) -> bool:
        """Whether there is any token."""
        return any(self.digests.values())

    @property
    def can_write(self) -> bool:
        """Whether anybody may write."""
        return bool(self.digests.get(WRITE))

    def rights(self, authorization: str) -> frozenset[str]:
        """What a header `Authorization` allows; a token that may write may read too.

        Example:
            >>> tokens = read_tokens(None, {"NERRET_WRITE_TOKEN": "a-token-of-some-length"})
            >>> sorted(tokens.rights("Bearer a-token-of-some-length")), sorted(tokens.rights("Bearer wrong"))
            (['read', 'write'], [])
        """
        if not self:
            return frozenset({READ})
        scheme, _, token = authorization.partition(" ")
        digest = _digest(token.strip()) if scheme.lower() == "bearer" else b""
        # all are compared, so that the time that it takes says nothing
        matches = {right for right, group in self.digests.items() for secret in group if _equal(secret, digest)}
        return frozenset({*matches, READ} if matches else matches)


def read_tokens(path: str | Path | None, environment: Mapping[str, str]) -> Tokens:
    """The tokens of a file and of the environment.

    Args:
        path: a file with a token a line, after `read` or `write`; blank lines and lines with `#` say nothing.
        environment: may have `NERRET_READ_TOKEN` and `NERRET_WRITE_TOKEN`.

    Raises:
        ValueError: a line has another form, or a token is too short to be safe. The message shows no token.
        OSError: the file cannot be read.
    """
    pairs = [(name, right, environment[name]) for name, right in VARIABLES.items() if environment.get(name)]
    lines = Path(path).read_text(encoding="utf-8").splitlines() if path is not None else []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        place = f"line {number} of the token file"
        if len(words) != 2 or words[0] not in (READ, WRITE):
            raise ValueError(f"{place} is no token; accepted are {FORM}")
        pairs.append((place, words[0], words[1]))
    if path is not None and not pairs:
        raise ValueError(f"the token file has no token; accepted are {FORM}, for example: read {secrets.token_hex(16)}")
    digests: dict[str, list[bytes]] = {}
    for place, right, token in pairs:
        if len(token) < LEAST_LENGTH or not token.isascii():
            raise ValueError(
                f"the token of {place} is too easy to guess; write {LEAST_LENGTH} ASCII characters or more, for "
                f"example {secrets.token_hex(16)}"
            )
        digests.setdefault(right, []).append(_digest(token))
    return Tokens(digests)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _equal(secret: bytes, digest: bytes) -> bool:
    return hmac.compare_digest(secret, digest)
