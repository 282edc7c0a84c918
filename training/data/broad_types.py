"""Broad types, which a set of texts implies without naming them: the noun that several of its types share.

Users ask in one broad word ("player", "vessel", "field") for what annotators split finely. A set that has a "chess
player" and a "player of the cello" therefore also has a type "player", whose mentions are those of both.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

AFTER = re.compile(r",|\(| (?:of|for|in|on|at|to|by|from|with|without|or|and|between|under|who|that|which|where)\b")
FEWEST = 2  # types that share the noun


def broad_types(wordings: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """The nouns that head several types' wordings of two words or more, each with these types.

    The head noun is a wording's last word, or the last word before a preposition or the like. A noun that is itself a
    wording of a type means that type, and is left out.

    Args:
        wordings: of each type.

    Example:
        >>> wordings = {"chess player": ["chess player"], "cellist": ["player of the cello"], "dog": ["pet dog"]}
        >>> broad_types(wordings) == {"player": {"chess player", "cellist"}}
        True
    """
    known_wordings = {wording.casefold() for phrases in wordings.values() for wording in phrases}
    types_by_noun: dict[str, set[str]] = defaultdict(set)
    for name, phrases in wordings.items():
        for wording in phrases:
            words = AFTER.split(wording.casefold())[0].split()
            if words and " " in wording and words[-1] not in known_wordings:
                types_by_noun[words[-1]].add(name)
    return {noun: types for noun, types in sorted(types_by_noun.items()) if len(types) >= FEWEST}
