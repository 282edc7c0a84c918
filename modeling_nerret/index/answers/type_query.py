"""Type queries as values: `Type("politician") & ~Type("election")`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

Example = str | Mapping[str, Any]


class Expression(ABC):
    """Types joined by `&` (and), `|` (or) and `~` (not), as `EntityRetriever.search` accepts them.

    Example:
        >>> query = (Type("politician") | Type("judge")) & ~Type("election")
        >>> [part.name for part in query.types()], [part.name for part in query.wanted()]
        (['politician', 'judge', 'election'], ['politician', 'judge'])
        >>> str(query)
        '(politician or judge) and not election'
    """

    def __and__(self, partner: Expression) -> Both:
        return Both(self, partner)

    def __or__(self, partner: Expression) -> Either:
        return Either(self, partner)

    def __invert__(self) -> Without:
        return Without(self)

    @abstractmethod
    def types(self) -> Iterator[Type]:
        """The types, from left to right."""

    @abstractmethod
    def wanted(self) -> Iterator[Type]:
        """The types of which a document of the answer may mention an entity: those under no `~`."""

    @abstractmethod
    def chances(self, leaf: Callable[[Type], np.ndarray]) -> np.ndarray:
        """Probabilities by those of the types, each taken as independent of the others."""


@dataclass(frozen=True, eq=False)
class Type(Expression):
    """A type query.

    Args:
        name: the type in plain words.
        wordings: other words for it; the query is the mean of all.
        like: examples: names such as "Triceratops", or mentions `{"text": ..., "start": ..., "end": ...}`.
        unlike: examples of what it is not, of the same forms.
        marks: ids of documents that were judged, with whether each is right.
        vector: of a query that was saved, in the place of the words' own. (hidden_size,)
        intercept: mean and spread of its intercept, of a query that was saved; see `pretrained.calibration`.

    Raises:
        ValueError: a field has another form; the message says which, and what is accepted.
    """

    name: str
    wordings: tuple[str, ...] = ()
    like: tuple[Example, ...] = ()
    unlike: tuple[Example, ...] = ()
    marks: Mapping[str, bool] = field(default_factory=dict)
    vector: tuple[float, ...] | None = None
    intercept: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for name in ("wordings", "like", "unlike"):
            value = getattr(self, name)
            if isinstance(value, str | Mapping):
                raise ValueError(f"{name} is {value!r:.60}; it must be a list, such as [{value!r:.60}]")
            object.__setattr__(self, name, tuple(value))
        for wording in self.wordings:
            if not isinstance(wording, str) or not wording.strip():
                raise ValueError(f"a wording is {wording!r:.60}; it must be a few words")
        for example in (*self.like, *self.unlike):
            _check_example(example)
        if not isinstance(self.marks, Mapping) or not all(
            isinstance(name, str) and isinstance(mark, bool) for name, mark in self.marks.items()
        ):
            raise ValueError(
                f'marks are {self.marks!r:.60}; they must be {{"id": True or False, ...}}, True for documents that '
                "are right"
            )

    def __str__(self) -> str:
        return self.name

    def types(self) -> Iterator[Type]:
        """Itself."""
        yield self

    def wanted(self) -> Iterator[Type]:
        """Itself."""
        yield self

    def chances(self, leaf: Callable[[Type], np.ndarray]) -> np.ndarray:
        """Its own."""
        return leaf(self)


@dataclass(frozen=True, eq=False)
class Both(Expression):
    """Documents that both parts hold of."""

    left: Expression
    right: Expression
    sign: ClassVar[str] = "&"
    word: ClassVar[str] = "and"

    def __post_init__(self) -> None:
        _check_parts(self.sign, self.left, self.right)

    def __str__(self) -> str:
        return f"{_inner(self.left)} {self.word} {_inner(self.right)}"

    def types(self) -> Iterator[Type]:
        """Those of both parts."""
        yield from self.left.types()
        yield from self.right.types()

    def wanted(self) -> Iterator[Type]:
        """Those of both parts."""
        yield from self.left.wanted()
        yield from self.right.wanted()

    def chances(self, leaf: Callable[[Type], np.ndarray]) -> np.ndarray:
        """The product."""
        return self.left.chances(leaf) * self.right.chances(leaf)


@dataclass(frozen=True, eq=False)
class Either(Both):
    """Documents that one part holds of, or both."""

    sign: ClassVar[str] = "|"
    word: ClassVar[str] = "or"

    def chances(self, leaf: Callable[[Type], np.ndarray]) -> np.ndarray:
        """One less the chance of neither."""
        return 1 - (1 - self.left.chances(leaf)) * (1 - self.right.chances(leaf))


@dataclass(frozen=True, eq=False)
class Without(Expression):
    """Documents that its part does not hold of."""

    part: Expression

    def __post_init__(self) -> None:
        _check_parts("~", self.part)

    def __str__(self) -> str:
        return f"not {_inner(self.part)}"

    def types(self) -> Iterator[Type]:
        """Those of its part."""
        return self.part.types()

    def wanted(self) -> Iterator[Type]:
        """None: a document without them is not found by them."""
        yield from ()

    def chances(self, leaf: Callable[[Type], np.ndarray]) -> np.ndarray:
        """One less its part's."""
        return 1 - self.part.chances(leaf)


def as_expression(query: Any, **fields: Any) -> Expression:
    """What a caller asks for, as an expression.

    Args:
        query: words, or an expression.
        fields: of `Type`; only words may have them.

    Raises:
        ValueError: the query is neither, has nothing that is wanted, or fields belong to an expression.
    """
    arguments = {name: value for name, value in fields.items() if value}
    if isinstance(query, str):
        return Type(query, **arguments)
    if not isinstance(query, Expression):
        raise ValueError(
            f"a type query is a few words such as 'dinosaur', or an expression such as "
            f"Type('politician') & ~Type('election'), not {query!r:.60}"
        )
    if arguments:
        raise ValueError(f"{', '.join(arguments)} belong to one type: write Type(name, {next(iter(arguments))}=...)")
    if not list(query.wanted()):
        raise ValueError(f"the query {str(query)!r:.80} says only what is not wanted; add what is, with &")
    return query


def _inner(part: Expression) -> str:
    return f"({part})" if isinstance(part, Both) else str(part)


def _check_parts(sign: str, *parts: Any) -> None:
    for part in parts:
        if not isinstance(part, Expression):
            raise ValueError(f"{sign} joins types, not {part!r:.60}; write Type({part!r:.60})")


def _check_example(example: Any) -> None:
    """Refuse what is no example."""
    if isinstance(example, str) and example.strip():
        return
    if isinstance(example, Mapping) and isinstance(example.get("text"), str):
        start, end = example.get("start"), example.get("end")
        whole = all(isinstance(edge, int) and not isinstance(edge, bool) for edge in (start, end))
        if whole and 0 <= start < end <= len(example["text"]):  # type: ignore[operator]
            return
    raise ValueError(
        f'an example is {example!r:.80}; it must be a name such as "Triceratops", or a mention '
        '{"text": ..., "start": ..., "end": ...}'
    )
