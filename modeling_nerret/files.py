"""Files of a checkpoint, which others wrote: only regular files are opened, and only well-formed JSON is read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

REMEDY = "fetch it again"
SETTINGS_BYTES = 64_000_000  # of a JSON file of settings; the largest are indexes of shards


def regular_file(path: str | Path, folder: str | Path | None = None) -> Path:
    """The path, if it is a regular file; pipes and devices, which never end, are refused before they are opened.

    Args:
        path: the file.
        folder: where the file must lie, also where it is a link; links of the Hugging Face cache are followed. `None`
            accepts links to any place, for files whose SHA-256 is checked.

    Raises:
        OSError: there is no such file, it is no regular file, or it is a link out of the folder.

    Example:
        >>> regular_file("/dev/null")
        Traceback (most recent call last):
        ...
        OSError: /dev/null is no regular file but a folder, a pipe or a device; fetch it again
    """
    path = Path(path)
    if not path.exists():
        fault = "is a link to a file that does not exist" if path.is_symlink() else "is missing"
        raise FileNotFoundError(f"{path} {fault}; {REMEDY}")
    if not path.is_file():
        raise OSError(f"{path} is no regular file but a folder, a pipe or a device; {REMEDY}")
    if folder is not None and not any(path.resolve().is_relative_to(place) for place in _places(Path(folder))):
        raise OSError(f"{path} is a link out of its folder, to {path.resolve()}; copy the file to its place")
    return path


def _places(folder: Path) -> list[Path]:
    """Where a folder's files may really lie: the Hugging Face cache keeps them in `blobs` beside `snapshots`."""
    folder = folder.resolve()
    snapshots = [parent for parent in (folder, *folder.parents) if parent.name == "snapshots"]
    return [folder, *(parent.parent / "blobs" for parent in snapshots)]


def read_json(path: str | Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        OSError: the file is missing, no regular file, or no JSON object.
    """
    content = read_json_value(path)
    if not isinstance(content, dict):
        raise OSError(f"{path} holds a JSON {type(content).__name__}, not an object; {REMEDY}")
    return content


def read_json_value(path: str | Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: the file is missing, no regular file, or no JSON.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or nested too deeply
        raise OSError(f"{path} is not valid JSON ({one_line(error)}); {REMEDY}") from error


def read_text(path: str | Path) -> str:
    """The text in a file of moderate size.

    Raises:
        OSError: the file is missing, no regular file, or too large.
        ValueError: it is not UTF-8.
    """
    path = regular_file(path)
    if path.stat().st_size > SETTINGS_BYTES:
        raise OSError(f"{path} has {path.stat().st_size:,} bytes, too many for settings; {REMEDY}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}; convert it") from None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def one_line(error: BaseException) -> str:
    """A library's error on one line of bounded length."""
    return " ".join(str(error).split())[:200] or type(error).__name__
