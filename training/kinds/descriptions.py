"""What an encyclopaedia says its titles are: "taxon of carnivorous marsupials", in a few words for each article.

A title has its description as a type wherever its text, or another article, names it. The word that the description is
about brings WordNet's types.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .phrases import Parse, Place
from .wordnet import WordNet

MOST_PLACES = 3  # of a title in one text
MOST_WORDS = 6  # of a title that other texts name
# Words of descriptions that say nothing of what is described
GROUPS = frozenset({"branch", "class", "family", "form", "genus", "group", "kind", "order", "part", "series", "set"})
GROUPS |= {"specie", "species", "taxon", "type"}
_YEARS = re.compile(r"\s*\([^)]*\d[^)]*\)$")
_DISAMBIGUATION = re.compile(r" \(.*\)$")
_WORD = re.compile(r"\w(?:[\w'’.-]*\w)?")


class Article(NamedTuple):
    """A title, its text and its description."""

    title: str
    text: str
    description: str


@dataclass(frozen=True)
class Description:
    """What a description says: itself as a type, the word that it is about, and that word's types.

    Args:
        name: the description without years.
        word: what it is about, such as "marsupial".
        types: the description, and the types that the word has for certain.
        perhaps: those that it may have.
    """

    name: str
    word: str
    types: tuple[str, ...]
    perhaps: frozenset[str]


def plain_description(description: str) -> str:
    """A description as a type: without years.

    Example:
        >>> plain_description("English theologian (1328–1384)")
        'English theologian'
    """
    return _YEARS.sub("", description).strip()


def describe(wordnet: WordNet, name: str, result: Parse) -> Description | None:
    """What a description says; `None` if the dictionary has no word that it is about.

    Args:
        wordnet: the dictionary.
        name: see `plain_description`.
        result: its parse.
    """
    for phrase in result.phrases:
        words = phrase.words
        while words and words[-1] in GROUPS:
            words = words[:-1]
        word = wordnet.find(words)
        if word is not None:
            certain = wordnet.certain(word)
            return Description(name, word, (name, *sorted(certain)), frozenset(wordnet.possible(word) - certain))
    return None


def doubtful(items: Iterable[Description]) -> dict[str, set[str]]:
    """For each description the others that its titles may have as well: they are about the same word."""
    by_word: dict[str, set[str]] = defaultdict(set)
    for item in items:
        by_word[item.word].add(item.name)
    return {item.name: by_word[item.word] - {item.name} for item in items}


def title_places(articles: Sequence[Article]) -> Iterator[tuple[int, dict[Place, int]]]:
    """Where each article's text names titles: its own, and by their full names those of others.

    Another article's title counts only if it is a name that no second article has, with capitals as in the title.

    Yields:
        The number of an article, and places in its text with the number of the article that they are about.
    """
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, article in enumerate(articles):
        numbers[_DISAMBIGUATION.sub("", article.title)].append(number)
    names = {title: owners[0] for title, owners in numbers.items() if len(owners) == 1 and _is_safe_name(title)}
    for number, article in enumerate(articles):
        title = _DISAMBIGUATION.sub("", article.title)
        places = {match.span(): number for match in _places(title, article.text)}
        for place in _name_places(names, article.text):
            if not any(_overlap(place, earlier_place) for earlier_place in places):
                places[place] = names[article.text[slice(*place)]]
        if places:
            yield number, dict(sorted(places.items()))


def _places(title: str, text: str) -> list[re.Match[str]]:
    """The first places of a title in its own text."""
    pattern = re.compile(rf"\b{re.escape(title)}\b", re.IGNORECASE)
    return list(pattern.finditer(text))[:MOST_PLACES] if title else []


def _name_places(names: Collection[str], text: str) -> Iterator[Place]:
    """Where names stand in a text, the longest first at each word."""
    words = [match.span() for match in _WORD.finditer(text)]
    for number, (start, _) in enumerate(words):
        if not text[start].isupper():
            continue
        for _, end in reversed(words[number + 1 : number + MOST_WORDS]):
            if text[start:end] in names:
                yield start, end
                break


def _is_safe_name(title: str) -> bool:
    """Whether a title is a name that means the same in another text: two or more words with capitals."""
    words = title.split()
    capitals = [word for word in words if word[0].isupper()]
    return len(capitals) >= 2 and words[-1][0].isupper()


def _overlap(first: Place, second: Place) -> bool:
    return first[0] < second[1] and second[0] < first[1]
