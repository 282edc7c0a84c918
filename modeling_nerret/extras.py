"""Extras: packages that only some of nerret's work needs, and the line that installs them."""

from __future__ import annotations


def install_line(extra: str) -> str:
    """What to type to install an extra; no other place spells it.

    Example:
        >>> install_line("files")
        "pip install '.[files]' (in a checkout of nerret)"
    """
    return f"pip install '.[{extra}]' (in a checkout of nerret)"
