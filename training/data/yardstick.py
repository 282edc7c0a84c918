"""The yardstick: types that no run asks for, and texts that no run reads, so that runs are compared on what is new.

`corpus/yardstick.txt` names the types. It was drawn once, by hash, and stays as it is; a test holds its digest. A type
is held out of every set that has it, by any of its wordings. Texts are held out by the hash of their words, so that a
text that stands in several sets is held out of all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from modeling_nerret.spans import Span

from .annotated import Annotated
from .corpus import CORPUS, read_corpus_types
from .source import Source

FILE = CORPUS / "yardstick.txt"
TEXTS = 0.06  # share of the texts


def is_held_out(text: str) -> bool:
    """Whether a text is one of those that no run reads.

    Example:
        >>> is_held_out("Ada wrote to Babbage."), is_held_out("Rain in Oslo. ")
        (False, False)
    """
    words = " ".join(text.split())
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") / 2**64 < TEXTS


@cache
def yardstick_types() -> frozenset[str]:
    """Names of the types, as the file has them."""
    return frozenset(FILE.read_text(encoding="utf-8").splitlines())


@cache
def _phrases() -> frozenset[str]:
    """Everything that asks for one of the types: names, the corpus's wordings and definitions, in one form."""
    types = read_corpus_types()
    phrases = set(yardstick_types())
    for name in yardstick_types() & types.keys():
        phrases |= {*types[name].wordings, types[name].definition}
    return frozenset(map(_form, phrases))


def _form(phrase: str) -> str:
    """A phrase in small letters and, roughly, in the singular."""
    return " ".join(phrase.casefold().replace("-", " ").split()).removesuffix("s")


def withheld_types(source: Source) -> set[str]:
    """The types of a source that its name or one of its wordings puts on the yardstick."""
    return {
        name
        for name, wordings in source.wordings.items()
        if any(_form(phrase) in _phrases() for phrase in (name, *wordings))
    }


def training_part(source: Source) -> Source:
    """What a run may learn from: the texts that it may read, without the types that it may not ask for.

    Mentions of such a type stay, with their other types or as names without a type.

    Raises:
        ValueError: nothing is left.
    """
    absent = withheld_types(source)
    texts = [_without(text, absent) for text in source.texts if not is_held_out(text.text)]
    if not any(types for text in texts for types in text.mentions.values()):
        raise ValueError(f"{source.name}: the yardstick leaves nothing to train on; set held_out.yardstick=false")
    present = {name for text in texts for types in text.mentions.values() for name in types}
    return replace(
        source,
        texts=texts,
        wordings={name: wordings for name, wordings in source.wordings.items() if name in present},
        related_types={
            name: types & present for name, types in source.related_types.items() if name in present and types & present
        },
        broad=source.broad & present,
    )


def measured_part(source: Source) -> list[Annotated]:
    """The texts that no run reads, with all their types."""
    return [text for text in source.texts if is_held_out(text.text) and text.mentions]


def _without(text: Annotated, names: Iterable[str]) -> Annotated:
    absent = frozenset(names)
    if absent.isdisjoint(name for types in text.mentions.values() for name in types) and not text.perhaps:
        return text
    mentions: dict[Span, tuple[str, ...]] = {
        span: tuple(name for name in types if name not in absent) for span, types in text.mentions.items()
    }
    return replace(text, mentions=mentions, perhaps={span: types - absent for span, types in text.perhaps.items()})
