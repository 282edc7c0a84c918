"""Questions as JSON: a type query, or several types joined, and the filter; and answers as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import and_, or_
from typing import Any

from ..index.answers.type_query import Expression, Type, as_expression
from ..index.filter_text import parse_filter
from ..index.hits import Answer

FORMS = (
    'a few words such as "dinosaur", {"type": "dinosaur", "like": ["Triceratops"]}, @NAME for a saved query, or types '
    'joined: {"and": ["politician", {"not": "election"}]}, {"or": ["judge", "lawyer"]}'
)
EXAMPLES = ("wordings", "like", "unlike")
MOST_TYPES, MOST_DEPTH, MOST_EXAMPLES, MOST_MARKS = 20, 10, 100, 1_000
JOINS = {"and": and_, "or": or_}
SAVED = "@"  # begins the name of a saved query
Lookup = Callable[[str], Type]


def read_query(query: Any, lookup: Lookup | None = None, **fields: Any) -> Expression:
    """The expression that a query in JSON says.

    Args:
        query: see `FORMS`.
        lookup: gives the saved query of a name; `None`: there are none, and "@" is a character like others.
        fields: `wordings`, `like`, `unlike` and `marks` of a query that is plain words.

    Raises:
        ValueError: it has another form, or is too large, or no query is saved under a name.

    Example:
        >>> str(read_query({"and": ["politician", {"not": "election"}]}))
        'politician and not election'
    """
    if isinstance(query, str):
        query = {"type": query} | {name: value for name, value in fields.items() if value}
        fields = {}
    expression = as_expression(_expression(query, lookup), **fields)
    if len(list(expression.types())) > MOST_TYPES:
        raise ValueError(f"the query joins more than {MOST_TYPES} types; ask several times")
    return expression


def _expression(query: Any, lookup: Lookup | None, depth: int = 0) -> Expression:
    if depth > MOST_DEPTH:
        raise ValueError(f"the query is nested more than {MOST_DEPTH} deep; write it flatter")
    if isinstance(query, str):
        return _type({"type": query}, lookup)
    names = set(query) if isinstance(query, Mapping) else set()
    if names == {"not"}:
        return ~_expression(query["not"], lookup, depth + 1)
    if len(names) == 1 and names <= JOINS.keys():
        [(name, parts)] = query.items()
        if isinstance(parts, list) and parts:
            return reduce(JOINS[name], [_expression(part, lookup, depth + 1) for part in parts])
    if "type" in names and names <= {"type", "marks", *EXAMPLES}:
        return _type(query, lookup)
    raise ValueError(f"the query has {query!r:.80}; accepted is {FORMS}")


def _type(fields: Mapping[str, Any], lookup: Lookup | None) -> Type:
    """One type with what says more of it."""
    for name, most in (*((name, MOST_EXAMPLES) for name in EXAMPLES), ("marks", MOST_MARKS)):
        value = fields.get(name, [])
        kind, form = (dict, 'an object such as {"doc-7": true}') if name == "marks" else (list, "a list")
        if name in fields and not isinstance(value, kind):
            raise ValueError(f"{name} is {value!r:.60}; it must be {form}")
        if len(value) > most:
            raise ValueError(f"{name} has {len(value):,} entries; accepted are at most {most:,}")
    name = fields["type"]
    if lookup is None or not isinstance(name, str) or not name.startswith(SAVED):
        return Type(name, **{field: value for field, value in fields.items() if field != "type"})
    if len(fields) > 1:
        raise ValueError(f"{name:.90} is saved as it is; wordings, like, unlike and marks belong to words")
    return lookup(name[len(SAVED) :])


def read_where(where: Any) -> Any:
    """The filter of a search: a text as for `--where`, or what `EntityRetriever.search` takes.

    Raises:
        ValueError: a condition is malformed.

    Example:
        >>> read_where("year>=1990"), read_where({"year": 1990})
        ({'year': {'>=': 1990}}, {'year': 1990})
    """
    return parse_filter([where]) if isinstance(where, str) else where


def answer_as_dict(answer: Answer, most: int, why: bool = False) -> dict[str, Any]:
    """An answer for JSON: its first `most` hits, and what it promises as a whole."""
    hits = [hit.as_dict() | ({"why": hit.why()} if why else {}) for hit in answer[:most]]
    return {"hits": hits, **answer.promises()}


def first_as_dicts(things: Sequence[Any], most: int, name: str = "entities") -> dict[str, Any]:
    """The first of some entities or pairs for JSON, under a name, and how many there are."""
    return {"count": len(things), name: [thing.as_dict() for thing in things[:most]]}
