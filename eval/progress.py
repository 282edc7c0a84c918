"""The progress bars of the libraries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import datasets
from transformers.utils import logging


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide the libraries' progress bars while the block runs, then restore them.

    The bars of transformers only announce that weights load. Those of datasets matter for a download, so they stay on
    a terminal; in a log they fill pages.
    """
    transformers_bars, datasets_bars = logging.is_progress_bar_enabled(), not datasets.are_progress_bars_disabled()
    logging.disable_progress_bar()
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        if transformers_bars:
            logging.enable_progress_bar()
        if datasets_bars:
            datasets.enable_progress_bars()
