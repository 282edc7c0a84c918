"""Where a document comes from, as its metadata say: title, date and link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

# Names of metadata fields, the best first; upper and lower case are one
TITLES = ("title", "headline", "subject")
DATES = ("date", "published", "published_at", "publication_date", "created", "created_at")
LINKS = ("url", "link", "permalink", "href", "uri")
WEB = ("http://", "https://")


class Citation(NamedTuple):
    """Title, date and link of a document; empty if its metadata have none. A file's link is its path."""

    title: str = ""
    date: str = ""
    link: str = ""

    @property
    def address(self) -> str:
        """The link if it leads to the web, which alone may be made one to click on; else empty."""
        return self.link if self.link.lower().startswith(WEB) else ""


def cite(metadata: Mapping[str, Any]) -> Citation:
    """The citation of a document.

    Example:
        >>> cite({"Title": "Dig", "year": 2019, "url": "https://example.org/dig"})
        Citation(title='Dig', date='', link='https://example.org/dig')
        >>> cite({"path": "/a/b.pdf", "page": 3}).link
        '/a/b.pdf, page 3'
    """
    fields = {str(name).lower(): value for name, value in reversed(list(metadata.items()))}
    link = _first(fields, LINKS)
    if not link and (link := _first(fields, ("path",))) and isinstance(fields.get("page"), int):
        link = f"{link}, page {fields['page']}"
    return Citation(_first(fields, TITLES), _first(fields, DATES), link)


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of these fields that has a text or a number."""
    values = (fields.get(name) for name in names)
    texts = (str(value).strip() for value in values if isinstance(value, str | int | float))
    return next((text for text in texts if text), "")
