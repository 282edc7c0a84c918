"""The folder that a builder writes: it is complete or absent, and nothing that stands there is overwritten."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .contents import contents


def refuse_full(out: Path) -> None:
    """Refuse a place that cannot become a new folder.

    Raises:
        OSError: it is a link, a file, or a folder that holds something.
    """
    if out.is_symlink():
        raise OSError(f"{out} is a link, through which nothing is written; give OUT the folder's own name")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OSError(f"{out} exists already; remove it, or choose another OUT")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `out` if all goes well.

    Raises:
        OSError: see `refuse_full`.
    """
    refuse_full(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as parent:
        folder = Path(parent) / out.name
        folder.mkdir()
        yield folder
        if out.exists():
            out.rmdir()
        folder.rename(out)


def list_sizes(folder: Path) -> list[str]:
    """Size and name of each file, the largest first."""
    sizes = {path: (folder / path).stat().st_size for path in contents(folder).files}
    lines = [f"{sizes[path]:>12,}  {path.as_posix()}" for path in sorted(sizes, key=lambda path: -sizes[path])]
    return [*lines, f"{sum(sizes.values()):>12,}  bytes in {len(sizes)} files"]
