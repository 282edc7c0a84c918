"""The app: search an index in the browser.

The controls are in `page.py`, the sentences in `texts.py`, the look in `theme.py` and `app.css`. `searcher.py` answers
a `SearchRequest`: `sheet.py` collects what is drawn of an answer, `note.py` says what it promises, and `html.py`,
`entity_list.py`, `mention_map.py` and `type_list.py` draw. Buttons in an answer are those of `buttons.js`, and
`download.js` saves it as a file; `marks.py` keeps what was judged.

What a visitor brings is sent from the box of `upload_box.py` by `upload.js`, and taken by `upload_server.py` into
`uploads.py`. `private_texts.py` makes documents of it, together with those of `pasted_text.py`; `limits.py` says how
much may come. Before the server stands `guard.py`, with `bodies.py` for what comes in and `headers.py` for what goes
out. Importing this package does not import Gradio.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .page import build, launch, run

__all__ = ["build", "launch", "run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.page"), name)
