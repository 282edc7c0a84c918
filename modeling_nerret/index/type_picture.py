"""A picture of the types that an index holds: a bar for each type, as SVG without any library."""

from __future__ import annotations

from html import escape

from .type_tree import TypeGroup, TypeTree

ROWS = 60  # types that are drawn at most
WIDTH, ROW, TOP, LEFT, BAR, INDENT = 980, 22, 62, 250, 230, 16  # in pixels
COLOURS = ("#3b6ea5", "#b5651d", "#4f8a4c", "#8a5a9e", "#a5453f", "#4c8a8a", "#8a7a2f", "#6b6b6b")
LETTERS = 62  # of examples that fit


def draw_types(tree: TypeTree, title: str) -> str:
    """Draw a tree as SVG: bars as long as the types' shares of the mentions, with numbers and examples.

    Args:
        tree: the tree; of very many types the first in its order are drawn.
        title: what stands above.

    Returns:
        The SVG's text.

    Example:
        >>> tree = TypeTree([TypeGroup("place", 4, 5, ["Rome", "the Po"])], 9, 9, 4, 9)
        >>> draw_types(tree, "my index")[:4]
        '<svg'
    """
    rows = list(tree.walk())[:ROWS]
    height = TOP + ROW * len(rows) + 18
    largest = max((group.mentions for _, group in rows), default=1)
    roots = [group.name for group in tree.types]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(16, 26, title, 'font-size="17" font-weight="bold"'),
        _text(16, 46, summary(tree), 'fill="#666666"'),
    ]
    for number, (path, group) in enumerate(rows):
        colour = COLOURS[roots.index(path[0]) % len(COLOURS)]
        lines += _row(group, TOP + ROW * number, len(path) - 1, colour, group.mentions / largest)
    return "\n".join([*lines, "</svg>", ""])


def summary(tree: TypeTree) -> str:
    """What a tree was made from, in one line.

    Example:
        >>> summary(TypeTree([], 1200, 9000, 1800, 4000))
        '1,200 documents, 9,000 mentions, 20 % of them near to no type; estimates from 4,000 mentions'
    """
    share = round(100 * tree.nameless / max(tree.mentions, 1))
    origin = "" if tree.sample == tree.mentions else f"; estimates from {tree.sample:,} mentions"
    return f"{tree.documents:,} documents, {tree.mentions:,} mentions, {share} % of them near to no type{origin}"


def _row(group: TypeGroup, top: int, depth: int, colour: str, share: float) -> list[str]:
    """A type's name, bar, number of mentions and examples."""
    length, base = max(2, round(BAR * share)), top + 15
    examples = ", ".join(group.examples)
    examples = examples if len(examples) <= LETTERS else examples[: LETTERS - 1] + "…"
    return [
        _text(16 + INDENT * depth, base, group.name, 'font-weight="bold"' if depth == 0 else ""),
        f'<rect x="{LEFT}" y="{top + 3}" width="{length}" height="{ROW - 7}" rx="2" fill="{colour}" '
        f'fill-opacity="{1 if depth == 0 else 0.55}"/>',
        _text(LEFT + length + 6, base, f"{group.mentions:,}", 'fill="#444444"'),
        _text(LEFT + BAR + 70, base, examples, 'fill="#666666"'),
    ]


def _text(left: int, base: int, text: str, style: str) -> str:
    """A text; characters that XML forbids become spaces."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return f'<text x="{left}" y="{base}" {style}>{escape(plain)}</text>'
