"""What a visitor asks for, and the check of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..index.ranking import MODES
from . import texts

MAX_QUERY = 300  # characters
MAX_HITS = 50


@dataclass(frozen=True)
class SearchRequest:
    """What a visitor asks for.

    Args:
        query: the type query.
        source: `texts.DEMO` (also for an index) or `texts.PRIVATE`.
        text: the text to search if `source` is `texts.PRIVATE`.
        mode: search mode of `EntityRetriever.search`.
        precision: the share of right documents that the answer should have; 0: whatever gives the best answer.
        k: most documents to show, from 1 to 50.
        files: the key of the visitor's uploaded files, which are searched together with the text.
        columns: which columns of uploaded tables hold the text.
    """

    query: str
    source: str = texts.DEMO
    text: str = ""
    mode: str = "hybrid"
    precision: float = 0.0
    k: int = 20
    files: str = ""
    columns: str = "text"

    @property
    def words(self) -> str:
        """The query, with single spaces between its words."""
        return " ".join(self.query.split())

    def check(self) -> None:
        """Refuse what the page's controls cannot send.

        Raises:
            ValueError: a field has another type or is out of its range; the message says which and what is accepted.
        """
        for name, value in (
            ("type", self.query),
            ("text", self.text),
            ("key of the files", self.files),
            ("list of columns", self.columns),
        ):
            if not isinstance(value, str):
                raise ValueError(f"the {name} is {value!a:.60}; it must be a text")
        if len(self.query) > MAX_QUERY:
            raise ValueError(
                f"the type has {len(self.query):,} characters; use fewer words, at most {MAX_QUERY} characters"
            )
        if len(self.columns) > MAX_QUERY or not all(map(str.strip, self.columns.split(","))):
            raise ValueError("name the columns with text, with commas between them, such as: title, body")
        if not _is_unicode(self.query):
            raise ValueError("the type is not valid Unicode; write it anew")
        for name, value, choices in (("source", self.source, texts.SOURCES), ("mode", self.mode, MODES)):
            if value not in choices:
                raise ValueError(f"the {name} is {value!a:.60}; choose from: {', '.join(choices)}")
        if not _is_number(self.precision) or not 0 <= self.precision <= 1:
            raise ValueError(f"the share of right ones is {self.precision!a:.60}; choose a number from 0 to 1")
        if not _is_number(self.k) or self.k not in range(1, MAX_HITS + 1):
            raise ValueError(f"the number of documents is {self.k!a:.60}; choose a whole number from 1 to {MAX_HITS}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
