"""Near-duplicates: texts that are almost equal, such as one report in several newspapers.

A text is the set of its shingles, its runs of five words without regard to case and punctuation. Two texts are almost
equal if they share at least 80 % of all their shingles (Jaccard's measure). Of long texts a sample stands for the set:
the shingles with the smallest hashes, so that the same ones are taken from equal parts of any two texts.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from hashlib import blake2b
from heapq import nsmallest

WORDS, SHARE = 5, 0.8
SAMPLE = 400  # shingles of a text that are compared
# Scripts without spaces have a word for each character
_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")


def group_duplicates(documents: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Ids of the texts that are almost equal to an earlier one, by the id of that one.

    Args:
        documents: ids and texts, the best first. A text is compared with the first of each group.

    Example:
        >>> report = "The museum has shown a new skeleton of a large Triceratops since Monday morning"
        >>> group_duplicates([("a", report + "."), ("b", "Ada in Oslo"), ("c", report.upper())])
        {'a': ['c']}
    """
    groups: dict[str, list[str]] = {}
    samples: list[tuple[str, list[int]]] = []  # of the first texts of groups
    places: defaultdict[int, list[int]] = defaultdict(list)  # of shingles in `samples`
    for id, text in documents:
        sample = _sample(text)
        counts = Counter(place for shingle in sample for place in places.get(shingle, ()))
        for place, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            first, first_sample = samples[place]
            if _likeness(sample, first_sample) >= SHARE:
                groups.setdefault(first, []).append(id)
                break
        else:
            for shingle in sample:
                places[shingle].append(len(samples))
            samples.append((id, sample))
    return groups


def _sample(text: str) -> list[int]:
    """The smallest hashes of a text's shingles, in order; of a text without words none."""
    words = [match[0] for match in _WORD.finditer(text.casefold())]
    ends = range(WORDS, max(len(words), WORDS) + 1) if words else ()
    shingles = {" ".join(words[max(end - WORDS, 0) : end]) for end in ends}
    hashes = (int.from_bytes(blake2b(shingle.encode(), digest_size=8).digest()) for shingle in shingles)
    return nsmallest(SAMPLE, hashes)


def _likeness(left: list[int], right: list[int]) -> float:
    """Jaccard's measure of two sets of shingles, estimated from the smallest hashes of both together."""
    union = nsmallest(SAMPLE, {*left, *right})
    return len({*union} & {*left} & {*right}) / len(union)
