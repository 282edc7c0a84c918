"""Examples that nerret ships: small annotated files to try `nerret train` and `nerret eval` on."""

from __future__ import annotations

from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def example_names() -> list[str]:
    """Names of the examples.

    Example:
        >>> "beekeeping" in example_names()
        True
    """
    return sorted(path.stem for path in EXAMPLES.iterdir())


def find_file(name: str) -> Path | None:
    """A user's file or folder or, if there is none of this name, a shipped example; `None` if there is neither."""
    if Path(name).exists():
        return Path(name)
    return next((path for path in EXAMPLES.iterdir() if path.stem == name), None)
