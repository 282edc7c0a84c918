"""Where a visitor chooses files and folders. `upload.js` sends them, and draws what became of each."""

from __future__ import annotations

import json
from html import escape

from . import limits, texts
from .uploads import packings, suffixes


def render_upload_box() -> str:
    """The box as HTML; it says to `upload.js` what is accepted."""
    rules = {
        "suffixes": suffixes(),
        "packings": packings(),
        "files": limits.MAX_FILES,
        "bytes": limits.MAX_BYTES,
        "fileBytes": limits.MAX_FILE_BYTES,
    }
    names = ",".join([*suffixes(), *packings()])
    choose, folder = escape(texts.CHOOSE_FILES), escape(texts.CHOOSE_FOLDER)
    return (
        f'<section class="upload" data-rules="{escape(json.dumps(rules))}" aria-labelledby="upload-title">'
        f'<h2 id="upload-title">{escape(texts.FILES)}</h2><p class="hint">{escape(texts.FILES_HINT)}</p>'
        f'<p class="choose"><label>{choose}<input type="file" multiple accept="{escape(names)}"></label>'
        f'<label class="folder">{folder}<input type="file" multiple webkitdirectory></label>'
        f'<button type="button" hidden>{escape(texts.REMOVE_ALL)}</button></p><p class="state" role="status"></p>'
        '<progress max="1" value="0" hidden aria-label="Upload"></progress><ul></ul></section>'
    )
