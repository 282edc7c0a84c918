"""Types of numbers, dates and the like, from the labels that a parser gives them."""

from __future__ import annotations

import re

# Wordings of each type, its plain name first
AMOUNTS: dict[str, tuple[str, ...]] = {
    "age": ("age", "how old somebody is"),
    "amount of money": ("amount of money", "price", "sum of money"),
    "date": ("date", "calendar date"),
    "duration": ("duration", "length of time", "how long something took"),
    "measurement": ("measurement", "measured value", "value with a unit"),
    "number": ("number", "count"),
    "ordinal number": ("ordinal number", "rank in an order"),
    "percentage": ("percentage", "per cent"),
    "time": ("time", "time of day"),
    "value": ("value", "numerical value"),
    "year": ("year",),
}
_UNIT_OF_TIME = re.compile(r"\b(?:second|minute|hour|day|week|month|year|decade|centur)\w*\b", re.IGNORECASE)
_AGE = re.compile(r"\b(?:old|aged?)\b", re.IGNORECASE)
_YEAR = re.compile(r"\d{4}")
_COUNTED = re.compile(
    r"(?:\d|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|several|many|few|some|about|over|nearly"
    r"|almost|more than|less than|at least|a |the (?:last|past|next|first))",
    re.IGNORECASE,
)
_TYPES = {
    "CARDINAL": "number",
    "MONEY": "amount of money",
    "ORDINAL": "ordinal number",
    "PERCENT": "percentage",
    "QUANTITY": "measurement",
}
# The type above some
_BROADER = dict.fromkeys(("amount of money", "measurement", "number", "percentage"), "value") | {"year": "date"}


def amount_type(text: str, label: str) -> str | None:
    """The type of a span by the parser's label (of OntoNotes); `None` for a name.

    Example:
        >>> amount_type("two weeks", "DATE"), amount_type("5 May 2019", "DATE"), amount_type("Lisbon", "GPE")
        ('duration', 'date', None)
    """
    if label not in ("DATE", "TIME"):
        return _TYPES.get(label)
    if _AGE.search(text):
        return "age"
    if _UNIT_OF_TIME.search(text) and _COUNTED.match(text):
        return "duration"
    if _YEAR.fullmatch(text):
        return "year"
    return "date" if label == "DATE" else "time"


def with_broader(amount: str) -> list[str]:
    """The types of an amount: its own, and the one above it.

    Example:
        >>> with_broader("year"), with_broader("age")
        (['year', 'date'], ['age'])
    """
    return [amount, _BROADER[amount]] if amount in _BROADER else [amount]
