"""The progress bars of the libraries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import datasets
from transformers.utils import logging

from modeling_nerret.loading import without_bars


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide the libraries' progress bars while the block runs, then restore them.

    A terminal still shows those of downloads; in a log they would fill pages.
    """
    transformers_bars, datasets_bars = logging.is_progress_bar_enabled(), not datasets.are_progress_bars_disabled()
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
        datasets.disable_progress_bars()
    try:
        with without_bars():
            yield
    finally:
        if transformers_bars:
            logging.enable_progress_bar()
        if datasets_bars:
            datasets.enable_progress_bars()
