"""Files that visitors have uploaded, each visitor's in a folder that no other user can read.

A visitor is known by a key that the page makes by chance. Nobody can list keys, and none leads out of its folder.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from ..index.readers.kinds import ALIASES, DATASET, KINDS, check_package, kind_of
from ..index.readers.packed import SUFFIXES
from ..index.readers.tree import HIDDEN
from . import limits

LONGEST_NAME, DEEPEST = 200, 20  # bytes of a part of a path, and parts


@dataclass(eq=False)
class Upload:
    """A visitor's files.

    Args:
        folder: where they lie.
        sizes: their bytes, by path from the folder on.
        version: grows with every change.
        last_use: when that was, in seconds.
    """

    folder: Path
    sizes: dict[str, int] = field(default_factory=dict)
    version: int = 0
    last_use: float = 0.0


class Uploads:
    """The files of all visitors.

    Args:
        folder: for their folders.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._uploads: OrderedDict[str, Upload] = OrderedDict()  # by key, least recently used first
        self._lock = Lock()

    def get(self, key: str) -> Upload | None:
        """A visitor's files, which then count as used now; `None` if there are none."""
        with self._lock:
            upload = self._uploads.get(key)
            if upload is None or not upload.sizes:
                return None
            self._use(key, upload)
            return upload

    def check(self, key: str, path: str, size: int) -> None:
        """Refuse a file before it is sent.

        Args:
            key: the visitor's.
            path: with slashes, from the folder that was chosen on.
            size: bytes.

        Raises:
            ValueError: the message says what is wrong, and what is accepted.
        """
        check_path(path)
        with self._lock:
            upload = self._uploads.get(key)
            sizes = {} if upload is None else {name: size for name, size in upload.sizes.items() if name != path}
        if size > limits.MAX_FILE_BYTES:
            raise ValueError(f"it is larger than {limits.megabytes(limits.MAX_FILE_BYTES)}, the most for a file")
        if len(sizes) >= limits.MAX_FILES:
            raise ValueError(f"this page takes at most {limits.MAX_FILES} files")
        if sum(sizes.values()) + size > limits.MAX_BYTES:
            raise ValueError(f"with it, your files have more than {limits.megabytes(limits.MAX_BYTES)}")

    def draft(self) -> Path:
        """A new file for what comes in."""
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix="draft-", delete=False) as file:
            return Path(file.name)

    def add(self, key: str, path: str, draft: Path) -> Upload:
        """Take a file over; one that has the same path is replaced.

        Args:
            key: the visitor's.
            path: as of `check`.
            draft: the file, which is moved.

        Raises:
            ValueError: as `check`, or a folder stands where the file should be.
        """
        size = draft.stat().st_size
        self.check(key, path, size)
        with self._lock:
            upload = self._uploads.get(key)
            if upload is None:
                upload = Upload(Path(tempfile.mkdtemp(dir=self._folder, prefix="upload-")))
            target = upload.folder / path
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                draft.replace(target)
            except OSError:
                raise ValueError("a file and a folder have the same name") from None
            upload.sizes[path] = size
            self._change(key, upload)
        self._bound()
        return upload

    def remove(self, key: str, path: str) -> None:
        """Delete a file of a visitor, if it is there; all of them if the path is empty."""
        if not path:
            self._delete(key)
            return
        with self._lock:
            upload = self._uploads.get(key)
            if upload is not None and upload.sizes.pop(path, None) is not None:
                (upload.folder / path).unlink(missing_ok=True)
                self._change(key, upload)

    def expire(self) -> None:
        """Delete what was not used for a lifetime."""
        end = time.monotonic() - limits.LIFETIME
        for key in [key for key, upload in list(self._uploads.items()) if upload.last_use < end]:
            self._delete(key)

    def _change(self, key: str, upload: Upload) -> None:
        upload.version += 1
        self._use(key, upload)

    def _use(self, key: str, upload: Upload) -> None:
        upload.last_use = time.monotonic()
        self._uploads[key] = upload
        self._uploads.move_to_end(key)

    def _bound(self) -> None:
        with self._lock:
            surplus = list(self._uploads)[: -limits.MAX_VISITORS]
        for key in surplus:
            self._delete(key)

    def _delete(self, key: str) -> None:
        with self._lock:
            upload = self._uploads.pop(key, None)
        if upload is not None:
            shutil.rmtree(upload.folder, ignore_errors=True)


def check_path(path: str) -> None:
    """Refuse a path that leaves its folder, or a file of a kind that is not read.

    Raises:
        ValueError: the message says why.
    """
    parts = path.split("/")
    if any(_is_wrong(part) for part in parts) or len(parts) > DEEPEST:
        raise ValueError("its name or folder has a form that this page does not take; rename it")
    if any(part.startswith(HIDDEN) for part in parts):
        raise ValueError("it is hidden: its name, or its folder's, begins with a dot or with ~$")
    kind = kind_of(parts[-1])
    if kind not in KINDS:
        raise ValueError(f"files of this kind are not read; accepted are {', '.join(suffixes())}")
    try:
        check_package(kind)
    except ImportError:
        raise ValueError(f"this page cannot read {kind} files: a library is not installed where it runs") from None


def suffixes() -> list[str]:
    """How names of files that are read end, without those of packed files."""
    return [kind for kind in (*KINDS, *ALIASES) if kind != DATASET]


def packings() -> tuple[str, ...]:
    """How names of packed files end."""
    return SUFFIXES


def _is_wrong(part: str) -> bool:
    is_text = part.isprintable() and "\\" not in part  # no control characters, no surrogates
    return not is_text or part in ("", ".", "..") or len(part.encode("utf-8")) > LONGEST_NAME
