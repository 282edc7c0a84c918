"""Aliases: other names of an entity that the answer's texts give away, each with the reason."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from .groups import Group, Place, agree
from .names import is_name, key_of, singulars

# A name with one of these in front is another name: Mexico and New Mexico, Macbeth and Lady Macbeth
FRONTS = """
new old north south east west northern southern eastern western northeast northwest southeast southwest central upper
lower inner outer great greater little big saint st st. san santa são fort port lake real young lady mrs mrs. miss ms
ms. madame queen princess first second third
"""
CONNECTIVES = "and or & of in at on for to from by with near versus vs vs. du"
LEGAL_FORMS = """
inc inc. corp corp. corporation co co. company ltd ltd. limited plc llc llp lp gmbh ag kg se sa s.a. nv n.v. bv b.v. ab
asa oy oyj spa s.p.a.
"""
_SEPARATE = frozenset((FRONTS + CONNECTIVES).split())
_LEGAL_FORMS = frozenset(LEGAL_FORMS.split())
_NUMERALS = re.compile(r"(?:[ivxlcdm]+|[\d\W]+|jr\.?|sr\.?)")  # Louis XIV, Apollo 11
_OPENING = re.compile(r"\s?\(\s*(?:the )?")
_ACRONYM = re.compile(r"\s?\(\s*([^\s();,]{2,10})\s*[);,]")
MOST_WORDS = 8  # of a longer name


class Aliases:
    """Finds which groups are aliases of which others.

    A group is an alias for one of three reasons, and only if there is exactly one other to which the reason leads:
    it is the simple plural or singular of a kind ("dinosaurs"); a text introduces it as an acronym in parentheses; or
    it is the last words of a longer name (or all but "Inc." and the like) that at least half of its documents have too.
    But for acronyms, the vectors must agree.

    Args:
        groups: the groups.
        texts: the answer's texts, by document.
    """

    def __init__(self, groups: Sequence[Group], texts: Mapping[str, str]):
        self.groups, self.texts = groups, texts
        self.targets = list(range(len(groups)))  # of each group the one that it was merged into, at first itself
        self.reasons: dict[int, str] = {}  # of the groups that were merged
        self.documents = [{place.document for place in group.places} for group in groups]
        self.by_key: dict[str, list[int]] = defaultdict(list)
        self.by_place: dict[tuple[str, int], int] = {}  # by document and start
        for number, group in enumerate(groups):
            self.by_key[group.key].append(number)
            self.by_place |= {(place.document, place.start): number for place in group.places}
        self._merge_plurals()
        self._merge_acronyms()
        self._merge_shorter_names()

    def root(self, number: int) -> int:
        """The group that a group belongs to in the end."""
        while self.targets[number] != number:
            number = self.targets[number]
        return number

    def _merge(self, number: int, target: int, reason: str) -> None:
        self.targets[number], self.reasons[number] = target, reason

    def _merge_plurals(self) -> None:
        for number, group in enumerate(self.groups):
            keys = [key for key in singulars(group.key) if key in self.by_key]
            numbers = [number for key in keys for number in self.by_key[key]]
            if len(numbers) != 1 or len(self.by_key[group.key]) != 1:
                continue
            singular = self.groups[numbers[0]]
            if is_name(group.name) or is_name(singular.name) or not agree(group, singular):
                continue  # Peters is not the plural of Peter
            if len(group.places) > len(singular.places):
                self._merge(numbers[0], number, f'singular of "{group.name}"')
            else:
                self._merge(number, numbers[0], f'plural of "{singular.name}"')

    def _merge_acronyms(self) -> None:
        introductions: dict[int, dict[int, str]] = defaultdict(dict)  # acronym: long names, each with a document
        for number, group in enumerate(self.groups):
            for place in group.places:
                for acronym, name in self._introductions(number, place):
                    if self.root(acronym) != self.root(name):
                        introductions[acronym].setdefault(self.root(name), place.document)
        for acronym, names in introductions.items():
            (name, document), *rivals = names.items()
            if not rivals and self.root(acronym) == acronym and self.root(name) != acronym:
                full_name = self.groups[name].name
                self._merge(acronym, self.root(name), f'in parentheses with "{full_name}" in {document}')

    def _introductions(self, number: int, place: Place) -> Iterator[tuple[int, int]]:
        """Acronym and long name, if a text gives one in parentheses after the other, the first of which is here."""
        text, group = self.texts[place.document], self.groups[number]
        parenthesis = _OPENING.match(text, place.end)
        if not parenthesis:
            return
        name = self.by_place.get((place.document, parenthesis.end()))
        if name is not None and is_acronym(text[place.start : place.end], self.groups[name].key):
            yield number, name
        match = _ACRONYM.match(text, place.end)
        if match and is_acronym(match[1], group.key):
            acronyms = self.by_key.get(key_of(match[1]), [])
            acronym = self.by_place.get((place.document, match.start(1)), acronyms[0] if len(acronyms) == 1 else None)
            if acronym in acronyms:
                yield acronym, number

    def _merge_shorter_names(self) -> None:
        longer: dict[str, list[int]] = defaultdict(list)
        for number, group in enumerate(self.groups):
            for key in shorter_names(group.name):
                longer[key].append(number)
        shorter = [number for number, group in enumerate(self.groups) if group.key in longer and is_name(group.name)]
        for number in sorted(shorter, key=lambda number: -self.groups[number].key.count(" ")):
            names = longer[self.groups[number].key]
            roots = {self.root(name) for name in names}
            if len(roots) == 1 and self.root(number) == number and number not in roots:
                self._merge_shorter_name(number, max(names, key=lambda name: self._common(number, name)))

    def _merge_shorter_name(self, number: int, name: int) -> None:
        group, full_name = self.groups[number], self.groups[name]
        common, count = self._common(number, name), len(self.documents[number])
        if common and 2 * common >= count and agree(group, full_name):
            reason = f'part of "{full_name.name}", which {common} of its {count} documents have'
            self._merge(number, self.root(name), reason)

    def _common(self, number: int, rival: int) -> int:
        """How many documents mention both groups by these names."""
        return len(self.documents[number] & self.documents[rival])


def shorter_names(name: str) -> list[str]:
    """Keys of the shorter names that may stand for a name: its last words, or all but its legal form.

    Nothing is the shorter name of a list, an inversion, a kind, or of what something is part of.

    Example:
        >>> shorter_names("Simone de Beauvoir"), shorter_names("Apple Inc."), shorter_names("New Mexico")
        (['de beauvoir', 'beauvoir'], ['apple'], [])
        >>> shorter_names("University of Oxford"), shorter_names("Curie, Marie"), shorter_names("goblin shark")
        ([], [], [])
    """
    words = key_of(name).split()
    if not 1 < len(words) <= MOST_WORDS or not is_name(name):
        return []
    stem = list(words)
    while len(stem) > 1 and stem[-1] in _LEGAL_FORMS:
        stem.pop()
    if len(stem) < len(words):
        return [" ".join(stem).rstrip(",")]
    keys = []
    for first, word in enumerate(words[:-1], start=1):
        if word in _SEPARATE or word.endswith((",", ";", ":")):
            return []
        keys.append(" ".join(words[first:]))
    return [key for key in keys if not _NUMERALS.fullmatch(key)]


def is_acronym(text: str, key: str) -> bool:
    """Whether a text can be the acronym of a name of two words or more.

    It has capitals, begins with the name's first letter, and its letters occur in the name in their order.

    Example:
        >>> is_acronym("WHO", "world health organization"), is_acronym("DNA", "deoxyribonucleic acid")
        (True, True)
        >>> is_acronym("USA", "marie curie"), is_acronym("who", "world health organization"), is_acronym("P", "paris")
        (False, False, False)
    """
    letters = [letter for letter in text.casefold() if letter.isalnum()]
    capitals = sum(letter.isupper() for letter in text)
    if len(letters) < 2 or capitals < 2 or 2 * capitals < len(letters) or " " in text or not re.search("[ -]", key):
        return False
    rest = iter(key)
    return key.startswith(letters[0]) and all(letter in rest for letter in letters)
