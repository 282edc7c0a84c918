"""Signals that end the command as Ctrl-C does: what is committed is kept, and locks are released."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_NAMES = ("SIGTERM", "SIGHUP")


class Termination(KeyboardInterrupt):
    """A signal that asks the process to end.

    Attributes:
        code: the exit code that shells expect.
    """

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


@contextmanager
def terminations() -> Iterator[None]:
    """Raise `Termination` for such a signal, unless it is ignored, as under `nohup`, or handled by somebody else."""
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    is_main = threading.current_thread() is threading.main_thread()
    numbers = [number for number in numbers if is_main and signal.getsignal(number) is signal.SIG_DFL]
    signals: list[int] = []

    def terminate(number: int, frame: Any) -> None:
        signals.append(number)
        raise Termination(number)

    for number in numbers:
        signal.signal(number, terminate)
    try:
        yield
        if signals:  # a library took it for Ctrl-C and went on
            raise Termination(signals[0])
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
