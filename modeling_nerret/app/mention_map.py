"""A map of mentions: their vectors in two dimensions, coloured by their cosine to a type query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np

MIN_MENTIONS = 3  # of a map
FULL_COLOUR = 0.8  # cosine of the strongest colour; 0 and less get none
BEST = 5  # mentions that the description for screen readers names
MAX_LABELS, MAX_LABEL = 8, 24  # labels of mentions; characters of a label
WIDTH, HEIGHT = 350, 320  # pixels of the map on the smallest screen, where labels need most room
LETTER, LINE = 7, 13  # pixels of a letter's width and a line's height


class Side(NamedTuple):
    """Where a label stands beside its point: what part of it is there, and its distance in pixels."""

    anchor: str
    right: int
    down: int


SIDES = (Side("start", 8, 4), Side("end", -8, 4), Side("middle", 0, -8), Side("middle", 0, 17))


class Box(NamedTuple):
    """The room that a label takes, in pixels."""

    left: float
    right: float
    bottom: float

    def is_inside(self) -> bool:
        """Whether the box lies on the map."""
        return self.left >= 0 and self.right <= WIDTH and LINE <= self.bottom <= HEIGHT

    def overlaps(self, box: Box) -> bool:
        """Whether two boxes touch."""
        return self.left <= box.right and self.right >= box.left and abs(self.bottom - box.bottom) <= LINE


@dataclass(frozen=True, eq=False)
class MentionMap:
    """Mentions and the plane that they are drawn on.

    Args:
        texts: the mentions' texts.
        vectors: their vectors. (mentions, hidden_size)
        centre: the mean of the vectors. (hidden_size,)
        axes: the first two principal axes. (2, hidden_size)
        share: the share of the variance along the two axes, in [0, 1].
    """

    texts: Sequence[str]
    vectors: np.ndarray
    centre: np.ndarray
    axes: np.ndarray
    share: float

    @classmethod
    def of(cls, texts: Sequence[str], vectors: np.ndarray) -> MentionMap:
        """Make the map of some mentions.

        Args:
            texts: their texts.
            vectors: their vectors, each of length 1. (mentions, hidden_size)

        Raises:
            ValueError: there are fewer than three mentions.

        Example:
            >>> mention_map = MentionMap.of(["Lisp", "Java", "Oslo"], np.eye(3))
            >>> mention_map.project(np.eye(3)).shape, round(mention_map.share, 3)
            ((3, 2), 1.0)
        """
        if len(texts) < MIN_MENTIONS:
            raise ValueError(f"a map needs at least {MIN_MENTIONS} mentions; there are {len(texts)}")
        centre = vectors.mean(0)
        _, sizes, axes = np.linalg.svd(vectors - centre, full_matrices=False)
        axes = axes[:2] * np.sign(axes[:2][[0, 1], np.abs(axes[:2]).argmax(1)])[:, None]  # SVD leaves the sign open
        total = float((sizes**2).sum())
        return cls(texts, vectors, centre, axes, float((sizes[:2] ** 2).sum()) / total if total else 1.0)

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """Points of vectors (rows, hidden_size) on the map: (rows, 2) in [0, 1]. Points beyond the edge move to it."""
        mentions = (self.vectors - self.centre) @ self.axes.T  # (mentions, 2)
        low, high = mentions.min(0), mentions.max(0)
        extent = np.where(high > low, high - low, 1.0)
        return (((vectors - self.centre) @ self.axes.T - low) / extent).clip(0, 1)

    def render(self, query: str, vector: np.ndarray) -> str:
        """The map as HTML, coloured by the cosine to a type query with this vector (hidden_size,)."""
        cosines = self.vectors @ vector  # (mentions,)
        points = 0.04 + 0.92 * self.project(np.vstack([self.vectors, vector]))  # (mentions + 1, 2), the query last
        order = np.argsort(cosines, kind="stable")  # the nearest mentions are drawn last, on top
        dots = "".join(_render_dot(self.texts[row], float(cosines[row]), points[row]) for row in order)
        nearest = order[::-1][:MAX_LABELS].tolist()
        labels = "".join(_render_labels(self.texts, nearest, points, query))
        x, y = points[-1]
        diamond = f'<text class="type" x="{x:.1%}" y="{y:.1%}" dx="-5" dy="4">◆</text>'
        best = ", ".join(self.texts[row] for row in order[::-1][:BEST])
        description = escape(f"Map of {len(self.texts)} mentions; nearest to {query}: {best}")
        return (
            f'<figure class="map"><svg role="img" aria-label="{description}">{dots}{diamond}{labels}</svg>'
            f"<figcaption>{self._caption()}</figcaption></figure>"
        )

    def _caption(self) -> str:
        return (
            '<span class="legend" aria-hidden="true">far from the type <i></i> near</span>'
            f"{len(self.texts):,} mentions; those that nerret takes for alike are drawn side by side. A flat map shows "
            f"only {self.share:.0%} of the differences, so that neighbours may be far apart. ◆ is the type."
        )


def _render_dot(text: str, cosine: float, point: np.ndarray) -> str:
    strength = min(max(cosine / FULL_COLOUR, 0.0), 1.0)
    return (
        f'<circle cx="{point[0]:.1%}" cy="{point[1]:.1%}" r="{2 + 3 * strength:.1f}" style="--near:{strength:.0%}">'
        f"<title>{escape(text)}</title></circle>"
    )


def _render_labels(texts: Sequence[str], nearest: Sequence[int], points: np.ndarray, query: str) -> Iterator[str]:
    """Labels of the query and of the nearest mentions, as many as fit without overlaps."""
    rows: dict[str, int] = {}
    for row in nearest:
        rows.setdefault(texts[row].casefold(), row)  # of equal names only the nearest gets a label
    boxes: list[Box] = []
    for text, point, kind in [
        (query, points[-1], "type"),
        *((texts[row], points[row], "near") for row in rows.values()),
    ]:
        label = text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"
        for side in SIDES:
            box = _box(len(label), point, side)
            if box.is_inside() and not any(map(box.overlaps, boxes)):
                boxes.append(box)
                yield _render_label(label, point, side, kind)
                break


def _box(letters: int, point: np.ndarray, side: Side) -> Box:
    """The room that a label takes on the smallest map."""
    width = letters * LETTER
    left = point[0] * WIDTH + side.right - {"start": 0.0, "middle": width / 2, "end": width}[side.anchor]
    return Box(left, left + width, point[1] * HEIGHT + side.down)


def _render_label(text: str, point: np.ndarray, side: Side, kind: str) -> str:
    return (
        f'<text class="{kind}" x="{point[0]:.1%}" y="{point[1]:.1%}" dx="{side.right}" dy="{side.down}" '
        f'text-anchor="{side.anchor}">{escape(text)}</text>'
    )
