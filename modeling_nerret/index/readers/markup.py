"""Tags and texts of HTML, in time that grows with the page's length only.

Python's own parser takes minutes for a damaged page of a hundred kilobytes, in which tags or comments do not end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

CODE = ("script", "style")  # elements whose content is no markup
LONGEST_ATTRIBUTES = 10_000  # characters of a tag that are read for attributes
_NAME = re.compile(r"</?[A-Za-z][^\s/>]*+")
# A quote counts only after an equals sign, as in browsers
_TAG = re.compile(r"</?[A-Za-z][^\s/>]*+(?:[^>=]++|=\s*+(?:\"[^\"]*+\"|'[^']*+')?)*+>")
_ATTRIBUTE = re.compile(r"([^\s=/>\"'<]{1,100})\s{0,10}=\s{0,10}(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+))")
_CODE_END = {name: re.compile(f"</{name}", re.IGNORECASE) for name in CODE}


class Token(NamedTuple):
    """A text, or a tag.

    Args:
        text: the text; empty for a tag.
        tag: the tag's name in lower case; empty for a text.
        is_end: whether the tag ends an element.
        source: the tag as it stands in the page.
    """

    text: str = ""
    tag: str = ""
    is_end: bool = False
    source: str = ""

    def attributes(self) -> dict[str, str]:
        """The tag's attributes by their names in lower case."""
        matches = _ATTRIBUTE.finditer(self.source[:LONGEST_ATTRIBUTES])
        return {match[1].lower(): unescape(match[2] or match[3] or match[4] or "") for match in matches}


def tokens(page: str) -> Iterator[Token]:
    """The tags and texts of a page in order, without comments and code; what is no tag is text.

    Example:
        >>> [token.text or token.tag for token in tokens("<p>a &lt; b<!-- no --><BR/>1 < 2")]
        ['p', 'a < b', 'br', '1 ', '< 2']
    """
    position, has_comments, has_quotes = 0, True, True
    while position < len(page):
        start = page.find("<", position)
        if start != position:
            start = len(page) if start < 0 else start
            yield Token(unescape(page[position:start]))
            position = start
            continue
        if page.startswith("<!--", start):
            end = page.find("-->", start + 2) if has_comments else -1
            has_comments = end >= 0
            position = end + 3 if has_comments else start + 4  # a comment that never ends hides nothing
            continue
        name = _NAME.match(page, start)
        if name is None and page[start + 1 : start + 2] not in ("!", "?"):
            end = page.find("<", start + 1)
            end = len(page) if end < 0 else end
            yield Token(unescape(page[start:end]))
            position = end
            continue
        match = _TAG.match(page, start) if name and has_quotes else None
        has_quotes = has_quotes and (match is not None or name is None)  # once they do not match, they mean nothing
        end = match.end() if match else page.find(">", start) + 1
        if not end:
            yield Token(unescape(page[start:]))
            return
        position = end
        if name is not None:
            tag, is_end = name[0].strip("</").lower(), name[0].startswith("</")
            if tag in CODE and not is_end:
                stop = _CODE_END[tag].search(page, end)
                position = stop.start() if stop else len(page)
            else:
                yield Token("", tag, is_end, page[start:end])
