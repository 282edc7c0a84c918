"""The note above an answer: what it promises, in words that need no statistics."""

from __future__ import annotations

from ..index.hits import Answer
from . import texts
from .search_request import SearchRequest
from .sheet import Sheet

ABSENT = 0.5  # probability from which nothing is probably there


def write_note(sheet: Sheet, request: SearchRequest) -> tuple[str, str]:
    """Title and text of the note above an answer."""
    if sheet.has_end and not sheet.hits:
        return _nothing(sheet.answer, request)
    count = len(sheet.answer)
    title = texts.DOCUMENTS.format(count=count, noun="document" if count == 1 else "documents")
    sentences = [texts.FOR.format(query=request.words)]
    if not sheet.has_end:
        sentences.append(texts.NO_END_OF_MODE if request.mode != "hybrid" else texts.NO_END_OF_MODEL)
    else:
        sentences += [_promise(sheet.answer), _missing(sheet.answer)]
    if len(sheet.hits) < count:
        sentences.append(texts.NOT_ALL.format(count=len(sheet.hits)))
    return title, " ".join(filter(None, sentences))


def _nothing(answer: Answer, request: SearchRequest) -> tuple[str, str]:
    if (answer.absent or 0.0) >= ABSENT:
        return texts.ABSENT.format(query=request.words), texts.BELOW
    return texts.UNSURE.format(query=request.words), texts.LESS_SURE if request.precision else texts.BELOW


def _promise(answer: Answer) -> str:
    """How many of the documents are right.

    Example:
        >>> from modeling_nerret import Hit
        >>> _promise(Answer([Hit("a", 1.0, "", [])] * 5, "city", 0.6, (0.4, 0.8)))
        'Probably about 3 of them are right (2 to 4).'
    """
    if answer.precision is None or answer.interval is None:
        return ""
    count = len(answer)
    if count == 1:
        return texts.LONE.format(percent=round(100 * answer.precision))
    right, low, high = (round(share * count) for share in (answer.precision, *answer.interval))
    if low == count:
        return texts.ALL_RIGHT
    return texts.RIGHT.format(right=right, range=f" ({low:,} to {high:,})" if low < high else "")


def _missing(answer: Answer) -> str:
    if answer.missed is None:
        return ""
    count = round(answer.missed)
    return texts.MISSING.format(count=count) if count else texts.NONE_MISSING
