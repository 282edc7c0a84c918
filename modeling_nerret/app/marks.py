"""What a visitor judged: documents that are right or wrong for a query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

MAX_QUERIES, MAX_MARKS = 20, 200  # of a visitor, and of a query; of more, the oldest go
VERDICTS = {"right": True, "wrong": False, "unmark": None}
FORGET = "forget"


class Question(NamedTuple):
    """What marks belong to: the folder of an index, and the words of a query."""

    folder: str
    words: str


Marks = Mapping[str, bool]  # ids of documents, with whether each is right
MarkBook = Mapping[Question, Marks]


def write_mark(book: MarkBook, question: Question, order: object, has_document: Callable[[str], bool]) -> MarkBook:
    """A visitor's marks after another one, or after one was taken back.

    Args:
        book: the marks before.
        question: what was asked.
        order: what a button sent: `right ID`, `wrong ID`, `unmark ID` or `forget`. Anything else changes nothing.
        has_document: whether the index has a document of some id.

    Example:
        >>> question = Question("index", "dinosaur")
        >>> book = write_mark({}, question, "right doc-3", lambda name: True)
        >>> book[question]
        {'doc-3': True}
        >>> write_mark(book, question, "forget", lambda name: True)
        {}
    """
    verb, _, name = order.partition(" ") if isinstance(order, str) else ("", "", "")
    rest = {key: marks for key, marks in book.items() if key != question}
    if verb == FORGET:
        return rest
    if verb not in VERDICTS or not name or not has_document(name):
        return book
    marks = {key: mark for key, mark in book.get(question, {}).items() if key != name}
    verdict = VERDICTS[verb]
    if verdict is not None:
        marks[name] = verdict
    rest[question] = dict(list(marks.items())[-MAX_MARKS:])
    return dict(list(rest.items())[-MAX_QUERIES:])
