"""A map of the mention space: mention vectors drawn in two dimensions, coloured by their cosine to a type query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

FEWEST = 3  # mentions that make a map
FULL = 0.8  # cosine that gets the full colour; 0 and less get none
LABELS, LABEL_LENGTH = 8, 24
WIDTH, HEIGHT, LETTER, LINE = 350, 320, 7, 13  # pixels of the smallest map, and of a label
# Where a label may stand beside its place: what of it is there, and how far right and down, in pixels
SIDES = [("start", 8, 4), ("end", -8, 4), ("middle", 0, -8), ("middle", 0, 17)]


@dataclass(frozen=True, eq=False)
class MentionMap:
    """Mentions and their places on the map.

    Args:
        texts: the mentions' texts.
        vectors: their vectors. (mentions, hidden_size)
        centre: the mean of the vectors. (hidden_size,)
        axes: the first two principal axes. (2, hidden_size)
        share: the part of the variance that the two axes hold, in [0, 1].
    """

    texts: Sequence[str]
    vectors: np.ndarray
    centre: np.ndarray
    axes: np.ndarray
    share: float

    @classmethod
    def of(cls, texts: Sequence[str], vectors: np.ndarray) -> MentionMap:
        """The map of some mentions.

        Args:
            texts: their texts.
            vectors: their vectors, each of length 1. (mentions, hidden_size)

        Raises:
            ValueError: there are fewer than three mentions.

        Example:
            >>> mention_map = MentionMap.of(["Lisp", "Java", "Oslo"], np.eye(3))
            >>> mention_map.places(np.eye(3)).shape, round(mention_map.share, 3)
            ((3, 2), 1.0)
        """
        if len(texts) < FEWEST:
            raise ValueError(f"a map needs {FEWEST} mentions; there are {len(texts)}")
        centre = vectors.mean(0)
        _, sizes, axes = np.linalg.svd(vectors - centre, full_matrices=False)
        axes = axes[:2] * np.sign(axes[:2][[0, 1], np.abs(axes[:2]).argmax(1)])[:, None]  # SVD leaves the sign open
        total = float((sizes**2).sum())
        return cls(texts, vectors, centre, axes, float((sizes[:2] ** 2).sum()) / total if total else 1.0)

    def places(self, vectors: np.ndarray) -> np.ndarray:
        """Where vectors (rows, hidden_size) lie on the map: (rows, 2), in [0, 1]; what is outside goes to the edge."""
        drawn = (self.vectors - self.centre) @ self.axes.T  # (mentions, 2)
        low, high = drawn.min(0), drawn.max(0)
        spread = np.where(high > low, high - low, 1.0)
        return (((vectors - self.centre) @ self.axes.T - low) / spread).clip(0, 1)

    def svg(self, query: str, vector: np.ndarray) -> str:
        """The map as HTML, coloured by the cosine to a type query whose vector (hidden_size,) is given."""
        cosines = self.vectors @ vector  # (mentions,)
        places = 0.04 + 0.92 * self.places(np.vstack([self.vectors, vector]))  # the query's own place is the last
        order = np.argsort(cosines, kind="stable")  # the nearest are drawn last, above the others
        dots = "".join(_dot(self.texts[at], float(cosines[at]), places[at]) for at in order)
        nearest = order[::-1][:LABELS].tolist()
        labels = "".join(_labels(self.texts, nearest, places, query))
        diamond = f'<text class="type" x="{places[-1][0]:.1%}" y="{places[-1][1]:.1%}" dx="-5" dy="4">◆</text>'
        best = ", ".join(f"{self.texts[at]} {cosines[at]:.2f}" for at in order[::-1][:5])
        described = escape(f"Map of {len(self.texts)} mentions; nearest to {query}: {best}")
        return (
            f'<figure class="map"><svg role="img" aria-label="{described}">{dots}{diamond}{labels}</svg>'
            f'<figcaption><span class="legend" aria-hidden="true">cosine to the type 0 <i></i> {FULL}</span>'
            f"{len(self.texts):,} mentions on their first two principal axes, which hold {self.share:.0%} of the "
            "variance: what is together here need not be near in the whole space. ◆ is the type.</figcaption></figure>"
        )


def _dot(text: str, cosine: float, place: np.ndarray) -> str:
    strength = min(max(cosine / FULL, 0.0), 1.0)
    return (
        f'<circle cx="{place[0]:.1%}" cy="{place[1]:.1%}" r="{2 + 3 * strength:.1f}" style="--near:{strength:.0%}">'
        f"<title>{escape(text)} {cosine:.2f}</title></circle>"
    )


def _labels(texts: Sequence[str], nearest: Sequence[int], places: np.ndarray, query: str) -> list[str]:
    """Names of the query and of the nearest mentions, beside their places and not over each other."""
    labels: list[str] = []
    taken: list[tuple[float, float, float]] = []
    once = {texts[at].casefold(): at for at in reversed(nearest)}  # of equal names the nearest stays
    near = [(texts[at], places[at], "near") for at in sorted(once.values(), key=nearest.index)]
    for text, place, kind in [(query, places[-1], "type"), *near]:
        shown = text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 1] + "…"
        side = next((side for side in SIDES if _fits(_box(len(shown), place, side), taken)), None)
        if side is not None:
            taken.append(_box(len(shown), place, side))
            labels.append(_label(shown, place, side, kind))
    return labels


def _box(letters: int, place: np.ndarray, side: tuple[str, int, int]) -> tuple[float, float, float]:
    """Left, right and height of a label on the smallest map, in pixels."""
    anchor, right, down = side
    width = letters * LETTER
    left = place[0] * WIDTH + right - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    return left, left + width, place[1] * HEIGHT + down


def _fits(box: tuple[float, float, float], taken: Sequence[tuple[float, float, float]]) -> bool:
    left, right, height = box
    inside = left >= 0 and right <= WIDTH and LINE <= height <= HEIGHT
    return inside and all(left > end or right < start or abs(height - other) > LINE for start, end, other in taken)


def _label(text: str, place: np.ndarray, side: tuple[str, int, int], kind: str) -> str:
    anchor, right, down = side
    return (
        f'<text class="{kind}" x="{place[0]:.1%}" y="{place[1]:.1%}" dx="{right}" dy="{down}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )
