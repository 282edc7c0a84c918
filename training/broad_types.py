"""Broad types, which a set of texts has without naming them: what several of its types are called alike.

Users ask in one broad word ("player", "vessel", "field") for what annotators split finely. A set that has a "chess
player" and a "player of the cello" therefore also has a type "player", whose mentions are those of both.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

AFTER = re.compile(r",|\(| (?:of|for|in|on|at|to|by|from|with|without|or|and|between|under|who|that|which|where)\b")
FEWEST = 2  # types that a broad one has in common


def broad_types(wordings: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """The words that several types' wordings of two words or more are built around, each with these types.

    A wording is built around its last word, or the last one before a preposition or the like. A word that is itself a
    wording of a type means that type, and is left out.

    Args:
        wordings: of each type.

    Example:
        >>> wordings = {"chess player": ["chess player"], "cellist": ["player of the cello"], "dog": ["pet dog"]}
        >>> broad_types(wordings) == {"player": {"chess player", "cellist"}}
        True
    """
    known = {wording.casefold() for own in wordings.values() for wording in own}
    found: dict[str, set[str]] = defaultdict(set)
    for name, own in wordings.items():
        for wording in own:
            words = AFTER.split(wording.casefold())[0].split()
            if words and " " in wording and words[-1] not in known:
                found[words[-1]].add(name)
    return {word: types for word, types in sorted(found.items()) if len(types) >= FEWEST}
