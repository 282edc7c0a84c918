"""The line that installs what an optional part of nerret needs; every error and every hint takes it from here."""

from __future__ import annotations


def install_line(extra: str) -> str:
    """What to type for an extra of pyproject.toml. nerret is installed from a checkout: no index of packages has it.

    Example:
        >>> install_line("app")
        "pip install '.[app]', in a checkout of nerret"
    """
    return f"pip install '.[{extra}]', in a checkout of nerret"
