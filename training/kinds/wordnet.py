"""WordNet's nouns: what a word may mean, and which kinds each meaning belongs to.

The files are those of WordNet 3 (`data.noun`, `index.noun`, `noun.exc`), as Debian's `wordnet-base` has them. Their
order of meanings was counted on SemCor, which is a benchmark here, and is not used: all meanings of a word weigh the
same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

LEAST_DEPTH = 3  # below the root; what lies higher is too abstract to be asked for, as is
_ABSTRACT = """
act, action, activity, agent, amount, attribute, cause, causal agent, change, cognition, collection, component,
condition, content, definite quantity, fundamental quantity, happening, information, instrumentality, instrumentation,
knowledge domain, magnitude, message, natural object, part, physical condition, portion, process, property, quality,
relation, set, social control, state, statement, sum, thing, unit, whole, written communication
"""
ABSTRACT = frozenset(" ".join(_ABSTRACT.split()).split(", "))
FEWEST = 4  # meanings below a meaning that is a type
MOST_SHARED = 0.75  # share of a word's meanings that have a type which the word then has


@dataclass(frozen=True)
class Meaning:
    """A set of synonyms.

    Args:
        id: its offset in `data.noun`.
        words: its words, best known first.
        parents: ids of the meanings above it.
        definition: its gloss without examples.
        examples: the examples of its gloss.
        is_instance: whether it is a single thing, such as a river.
    """

    id: str
    words: tuple[str, ...]
    parents: tuple[str, ...]
    definition: str
    examples: tuple[str, ...]
    is_instance: bool


class WordNet:
    """The nouns of a folder of WordNet's files.

    Raises:
        OSError: a file is missing.
        ValueError: a file has another form, or names a meaning that is in none.
    """

    def __init__(self, folder: Path):
        try:
            self.meanings = {meaning.id: meaning for meaning in map(_meaning, _lines(folder / "data.noun"))}
            fields = [line.split() for line in _lines(folder / "index.noun")]
            self.senses = {line[0].replace("_", " "): line[-int(line[2]) :] for line in fields}
            self.exceptions = dict(line.split()[:2] for line in _lines(folder / "noun.exc"))
        except (IndexError, ValueError) as error:
            raise ValueError(f"{folder} has not the nouns of WordNet 3 ({error}); install them again") from None
        targets = {parent for meaning in self.meanings.values() for parent in meaning.parents}
        if strangers := targets.union(*self.senses.values()) - self.meanings.keys():
            raise ValueError(
                f"{folder}: data.noun lacks the meaning {min(strangers)!r}, which other lines name; install it again"
            )
        self.above = lru_cache(maxsize=None)(self._above)
        self.depth = lru_cache(maxsize=None)(self._depth)

    def _above(self, id_: str) -> frozenset[str]:
        """A meaning and all that lie above it."""
        return frozenset({id_}).union(*map(self.above, self.meanings[id_].parents))

    def _depth(self, id_: str) -> int:
        """Length of the longest way up from a meaning."""
        return 1 + max(map(self.depth, self.meanings[id_].parents), default=-1)

    @cached_property
    def types(self) -> dict[str, str]:
        """Names of types by meaning; of meanings with the same first word, the widest has it."""
        below = Counter(above for id_ in self.meanings for above in self.above(id_) - {id_})
        widest: dict[str, str] = {}
        for id_, meaning in self.meanings.items():
            name = meaning.words[0]
            is_type = not meaning.is_instance and below[id_] >= FEWEST and self.depth(id_) >= LEAST_DEPTH
            if is_type and name not in ABSTRACT and below[id_] > below[widest.get(name, "")]:
                widest[name] = id_
        return {id_: name for name, id_ in widest.items()}

    def types_of(self, ids: Iterable[str]) -> set[str]:
        """Names of the types among some meanings and those above them."""
        return {self.types[above] for id_ in ids for above in self.above(id_) if above in self.types}

    def find(self, words: Iterable[str]) -> str | None:
        """The longest word of the dictionary that a phrase ends in, in lower case; its last word is a lemma.

        Example: "sea lion" for ["young", "sea", "lion"].
        """
        words = list(words)
        for first in range(len(words)):
            word = " ".join(words[first:])
            word = word if word in self.senses else self.exceptions.get(word, word)
            if word in self.senses:
                return word
        return None

    def certain(self, word: str, share: float = MOST_SHARED) -> set[str]:
        """Types that at least a share of a word's meanings have."""
        senses = self.senses[word]
        counts = Counter(name for id_ in senses for name in self.types_of([id_]))
        return {name for name, count in counts.items() if count >= share * len(senses)}

    def possible(self, word: str) -> set[str]:
        """Types that any of a word's meanings has."""
        return self.types_of(self.senses[word])


def _lines(path: Path) -> list[str]:
    """A file's lines without its licence, whose lines are indented."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("  ")]


def _meaning(line: str) -> Meaning:
    """A line of `data.noun`: offset, counts in hexadecimal and decimal digits, words, pointers, and the gloss."""
    head, _, gloss = line.partition(" | ")
    fields = head.split()
    count = int(fields[3], 16)
    words = tuple(word.replace("_", " ") for word in fields[4 : 4 + 2 * count : 2])
    pointers = fields[5 + 2 * count :]
    kinds = list(zip(pointers[::4], pointers[1::4], strict=False))
    parents = tuple(target for kind, target in kinds if kind in ("@", "@i"))
    definition = re.sub(r'^\([^)]*\) |;? *".*$', "", gloss.strip()).strip(" ;")
    return Meaning(
        fields[0],
        words,
        parents,
        definition,
        tuple(re.findall(r'"([^"]+)"', gloss)),
        any(kind == "@i" for kind, _ in kinds),
    )
