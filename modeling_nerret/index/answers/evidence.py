"""Evidence: the hits of an answer, with the mentions and the reasons for which each is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...pretrained.type_names import TypeNames
from ..hits import Hit, Mention
from ..ranking import Rank, shares
from ..snapshot import Snapshot
from .asking import Verdict
from .scopes import Place
from .type_search import TypeSearch


def make_hits(snapshot: Snapshot, config: Any, verdict: Verdict, sources: Sequence[TypeSearch]) -> list[Hit]:
    """The hits of an answer, each with its mentions of the wanted types.

    Args:
        snapshot: the index.
        config: the model's configuration.
        verdict: the ranked documents, and how many of them are the answer.
        sources: the searches for the types of which mentions are shown.
    """
    ranks = verdict.ranks[: verdict.length]
    keys = [rank.key for rank in ranks]
    documents = snapshot.documents(keys)
    tables = [
        snapshot.mentions([] if search.query.mode == "lexical" else keys, search.ranking.mention_vector)
        for search in sources
    ]
    chances = [None] * len(ranks) if verdict.belief is None else verdict.belief.probabilities.tolist()
    hits = []
    for rank, chance in zip(ranks, chances, strict=False):
        document = documents[rank.key]
        mentions = _matches(document.text, config.match_score, [table.get(rank.key, []) for table in tables])
        parts = _shares(config, rank)
        hits.append(Hit(document.id, rank.score, document.text, mentions, document.metadata, chance, parts))
    return hits


def explain(snapshot: Snapshot, bank: TypeNames, verdict: Verdict, hits: Sequence[Hit]) -> list[Hit]:
    """The hits of an answer, each with the names of types that its best mention looks like."""
    keys = [rank.key for rank in verdict.ranks[: len(hits)]]
    places, vectors = snapshot.vectors(keys)
    rows = {place: row for row, place in enumerate(places)}
    return [
        hit
        if hit.best is None
        else replace(hit, looks_like=bank.looks_like(vectors[rows[key, hit.best.start, hit.best.end]]))
        for key, hit in zip(keys, hits, strict=True)
    ]


def match(snapshot: Snapshot, config: Any, id: str, vectors: Sequence[np.ndarray]) -> list[Mention] | None:
    """The mentions of a document above the match score for any of some vectors; `None` if there is no such document."""
    keys = list(snapshot.keys([id]).values())
    if not keys:
        return None
    text = snapshot.documents(keys)[keys[0]].text
    places = [place for vector in vectors for place in snapshot.mentions(keys, vector)[keys[0]]]
    return _matches(text, config.match_score, [[place] for place in places if place[2] >= config.match_score])


def _shares(config: Any, rank: Rank) -> dict[str, float]:
    if rank.parts is None:
        return {}
    return dict(zip(("mention", "text", "words"), map(float, shares(config, *rank.parts)), strict=True))


def _matches(text: str, match_score: float, tables: Sequence[Sequence[Place]]) -> list[Mention]:
    """The mentions above the match score for each of some types, or else the best one of each."""
    matches: dict[tuple[int, int], float] = {}
    for places in tables:
        least = min(match_score, max((score for _, _, score in places), default=0.0))
        for start, end, score in places:
            if score >= least:
                matches[start, end] = max(score, matches.get((start, end), score))
    return [Mention(start, end, text[start:end], score) for (start, end), score in sorted(matches.items())]
