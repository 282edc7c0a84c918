"""Standard input, output and error of the command, whatever they can take.

What is printed may come from anywhere: characters that control a terminal are spelled out, and characters that the
output's encoding lacks too. A stream that is closed, full or without a reader never ends in a traceback.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..index.plain_text import CONTROLS, csv_text, visible


class _Closed(io.TextIOBase):
    """Stands in the place of a standard output that was closed before the command began."""

    def write(self, text: str) -> int:
        raise OSError("standard output is closed")


def prepare_streams() -> None:
    """Make the streams fit for any text, also if they are closed."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # or a file of the index would get the number of a closed stream, and all that is printed there
    os.close(number)
    sys.stdout = _Closed() if sys.stdout is None else sys.stdout
    sys.stderr = open(os.devnull, "w") if sys.stderr is None else sys.stderr  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def finish_output() -> None:
    """Write what standard output still holds.

    Raises:
        OSError: it cannot be written.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(f"standard output cannot be written ({error.strerror})") from None


def drop_output() -> None:
    """Drop what the streams cannot take, since Python would try again at its exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)


def as_text(argument: str) -> str:
    """An argument of the command as text, also where the system's language has another encoding than UTF-8.

    Raises:
        ValueError: its bytes are not UTF-8.
    """
    try:
        argument.encode("utf-8")
        return argument
    except UnicodeEncodeError:  # Python did not know the encoding and kept the bytes
        pass
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeError:
        raise ValueError(f"the argument {argument!a} is not valid UTF-8") from None


def check_file(name: str) -> None:
    """Refuse a file that cannot be written before work begins.

    Raises:
        OSError: it is a folder, or its folder is not there.
    """
    path = Path(name)
    if path.is_dir():
        raise OSError(f"{name} is a folder; give the name of a file")
    if not path.parent.is_dir():
        raise OSError(f"{name} cannot be written: there is no folder {path.parent}")


def say(message: str) -> None:
    """Print a message on a line of standard error, if anybody reads it."""
    with suppress(OSError):
        print(visible(message), file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print a value as JSON on a line, as readable as the output's encoding allows."""
    value = _strict(value)
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value)
    print(CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def print_csv(rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as `csv_text` has them."""
    print(csv_text(rows), end="")


def _strict(value: Any) -> Any:
    """A value without NaN and infinities, which JSON lacks and Python writes."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return json.loads(json.dumps(value), parse_constant=lambda name: None)
    return value
