"""Exported backbones in the user's cache: written once, whole or not at all, and checked before they are read."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

HOME = "NERRET_CACHE"  # environment variable: the folder of what can be made again
DIGESTS = "sha256.json"


def cache_home() -> Path:
    """The folder of exported backbones."""
    home = os.environ.get(HOME)
    folder = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "nerret"
    return folder / "backends"


def exported_folder(name: str, parts: Sequence[str], export: Callable[[Path], None]) -> Path:
    """The folder of an exported backbone; it is made if it is missing, or if its files have changed.

    Args:
        name: of the backend.
        parts: all on which the files depend, such as fingerprint and versions.
        export: writes them into an empty folder.

    Raises:
        OSError: the cache cannot be written.
    """
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
    folder = cache_home() / f"{name}-{key}"
    if _is_whole(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))  # readable by the user alone
    try:
        export(draft)
        (draft / DIGESTS).write_text(json.dumps(_digests(draft)), encoding="utf-8")
        if folder.exists() and not _is_whole(folder):
            shutil.rmtree(folder)
        try:
            draft.rename(folder)
        except OSError:
            if not _is_whole(folder):  # another process was not first
                raise
        return folder
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _is_whole(folder: Path) -> bool:
    try:
        digests = json.loads((folder / DIGESTS).read_text(encoding="utf-8"))
        return bool(digests == _digests(folder))
    except (OSError, ValueError):
        return False


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file but the list itself."""
    files = sorted(path for path in folder.iterdir() if path.name != DIGESTS)
    digests = {}
    for path in files:
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests
