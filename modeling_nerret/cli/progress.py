"""How far a long command has come: a bar in a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm import tqdm

from .streams import say

SECONDS = 30.0  # between two lines


class Progress(tqdm):
    """Counts items: a bar where standard error is a terminal, else a line such as "indexing 800 of 1500 documents".

    A command that ends within `SECONDS` prints no line.

    Args:
        items: what is passed on and counted; without it, `update` counts.
        description: the words before the count.
        unit: what is counted, in the plural.
        total: how many there are; `None`: as many as `items` has, if it knows.
    """

    def __init__(self, items: Iterable[Any] | None, description: str, unit: str = "", total: int | None = None):
        suffix = f" {unit}" if unit else ""
        super().__init__(items, description, total, unit=suffix or "it", file=sys.stderr, disable=None)
        self._description, self._suffix, self._due = description, suffix, time.monotonic() + SECONDS

    def __iter__(self) -> Iterator[Any]:
        """The items."""
        if not self.disable:
            yield from super().__iter__()
            return
        for item in self.iterable:
            yield item
            self.update()

    def update(self, n: float | None = 1) -> bool | None:
        """Count `n` more items."""
        if not self.disable:
            return super().update(n)
        self.n += n or 0
        if time.monotonic() >= self._due:
            amount = f"{self.n} of {self.total}" if self.total is not None else f"{self.n}"
            say(f"{self._description} {amount}{self._suffix}")
            self._due = time.monotonic() + SECONDS
        return None
