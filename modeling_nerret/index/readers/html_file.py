"""HTML: what a reader of the page sees, as text."""

from __future__ import annotations

import codecs
import re
from typing import Any

from .lines import decode_marked, find_fault
from .markup import Token, tokens

BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body caption dd details dialog div dl dt fieldset figcaption figure footer "
        "form h1 h2 h3 h4 h5 h6 header hr li main nav ol option p pre section select summary table ul",
    )
)
ROWS, CELLS, LINE_ENDS = frozenset(["tr"]), frozenset(["td", "th"]), frozenset(["br"])
UNSEEN = frozenset(["template", "noscript", "svg", "iframe"])
# Names of meta elements for each field, the best first; by `name`, `property` or `itemprop`
METADATA = {
    "title": ("og:title", "dc.title", "twitter:title"),
    "author": ("author", "article:author", "dc.creator"),
    "date": ("article:published_time", "date", "datepublished", "dc.date", "dcterms.date", "dcterms.created"),
    "url": ("og:url",),
}
HEAD = 4_096  # bytes in which a page declares its encoding
_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"^\s*<\?xml[^>]+encoding\s*=\s*[\"']([A-Za-z0-9_.:-]+)")
_LATIN = ("iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii")  # browsers read them all as windows-1252
_SPACES = re.compile(r"[ \t\n\r\f]+")


def html_fields(data: bytes, charset: str = "") -> dict[str, Any]:
    """The text of a page, and its title, author, date and address where it has them.

    Args:
        data: the page.
        charset: its encoding, if something outside the page says it.

    Raises:
        ValueError: the encoding is unknown, or the bytes are not of it.

    Example:
        >>> html_fields(b"<title>Trip</title><p>Ada saw <b>Graz</b>.<p>Then Wien.")
        {'title': 'Trip', 'text': 'Ada saw Graz.\\n\\nThen Wien.'}
    """
    text = _decode(data, charset)
    page = _Page(text, UNSEEN)
    if page.is_open:  # an element that is not shown never ends, and would hide the rest
        page = _Page(text, frozenset())
    return page.fields()


class _Page:
    """Collects the visible text of a page: blocks with an empty line between them, cells with a tab.

    Args:
        text: the page.
        unseen: elements whose content is not shown.
    """

    def __init__(self, text: str, unseen: frozenset[str]):
        self._parts: list[str] = []
        self._title: list[str] = []
        self._metas: dict[str, str] = {}
        self._address = ""
        self._unseen_tags = unseen
        self._unseen = 0  # elements that are open and not shown
        self._in_title = self._in_pre = False
        for token in tokens(text):
            if token.text:
                self._add(token.text)
            else:
                self._handle(token)

    @property
    def is_open(self) -> bool:
        """Whether an element that is not shown never ended."""
        return self._unseen > 0

    def _handle(self, token: Token) -> None:
        """Take note of a tag."""
        tag = token.tag
        if tag in self._unseen_tags:
            if token.is_end:
                self._unseen = max(0, self._unseen - 1)
            elif not token.source.endswith("/>"):
                self._unseen += 1
        elif tag == "title":
            self._in_title = not token.is_end and not self._unseen and not self._title
        elif tag in ("meta", "link"):
            self._note(token.attributes(), tag)
        else:
            if tag == "pre":
                self._in_pre = not token.is_end
            if not token.is_end or tag in BLOCKS:
                self._break(tag)

    def _add(self, text: str) -> None:
        if self._in_title:
            self._title.append(text)
        elif not self._unseen:
            self._parts.append(text if self._in_pre else _SPACES.sub(" ", text))

    def _break(self, tag: str) -> None:
        if tag in BLOCKS:
            self._parts.append("\n\n")
        elif tag in ROWS | LINE_ENDS:
            self._parts.append("\n")
        elif tag in CELLS:
            self._parts.append("\t")

    def _note(self, attributes: dict[str, str], tag: str) -> None:
        if tag == "link":
            if "canonical" in attributes.get("rel", "").lower().split() and not self._address:
                self._address = attributes.get("href", "").strip()
            return
        value = attributes.get("content", "").strip()
        for kind in ("name", "property", "itemprop"):
            if value and kind in attributes:
                self._metas.setdefault(attributes[kind].strip().lower(), value)

    def fields(self) -> dict[str, Any]:
        """What the page says of itself, and its text."""
        text = re.sub(r" ?\t ?", "\t", "".join(self._parts))
        text = re.sub(r"[ \t]+\n", "\n", text)
        text = re.sub(r"\n(\t| (?! ))", "\n", text)
        text = re.sub(r"\n{3,}", "\n\n", text).strip()
        values = {
            field: next((self._metas[name] for name in names if name in self._metas), "")
            for field, names in METADATA.items()
        }
        values["title"] = _SPACES.sub(" ", "".join(self._title)).strip() or values["title"]
        values["url"] = self._address or values["url"]
        return {name: value for name, value in values.items() if value} | {"text": text}


def _decode(data: bytes, charset: str) -> str:
    text = decode_marked(data)
    if text is not None:
        return text
    match = _CHARSET.search(data[:HEAD]) or _XML_CHARSET.search(data[:HEAD])
    name = charset or (match[1].decode("ascii") if match else "")
    try:
        encoding = codecs.lookup("windows-1252" if name.lower() in _LATIN else name or "utf-8")
        if not encoding._is_text_encoding:  # type: ignore[attr-defined]
            raise LookupError
        text = data.decode(encoding.name)
    except LookupError:
        raise ValueError(f"its encoding {name!r:.40} is unknown; save it as UTF-8") from None
    except UnicodeDecodeError as error:
        source = f"{name}, which it declares" if name else "UTF-8, and it declares no other encoding"
        raise ValueError(f"the bytes from {error.start} are not valid {source}; save it as UTF-8") from None
    if fault := find_fault(text):
        raise ValueError(fault)
    return text
