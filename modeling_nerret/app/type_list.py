"""What can be asked: the types that an index holds, on the start page."""

from __future__ import annotations

from html import escape

from ..index.retriever import EntityRetriever
from ..index.type_tree import TypeGroup
from . import texts
from .search_request import MAX_QUERY

MAX_TYPES, MAX_KINDS = 8, 4  # of the start page, and of each of its types


def query_of(order: object) -> str:
    """The type that a button of the start page asks for; what no button sends becomes some text.

    Example:
        >>> query_of("ask river")
        'river'
    """
    return str(order).removeprefix("ask ")[:MAX_QUERY].encode("utf-8", "replace").decode()


def render_types(retriever: EntityRetriever) -> str:
    """The largest types of an index and of each its largest kinds, as buttons; empty without names of types."""
    if retriever.checkpoint.type_names is None:
        return ""
    groups = retriever.types().types[:MAX_TYPES]
    rows = "".join(map(_render_group, groups))
    return f'<section class="types"><h2>{texts.TYPES}</h2><ul>{rows}</ul></section>' if rows else ""


def _render_group(group: TypeGroup) -> str:
    buttons = "".join(_render_button(part) for part in (group, *group.kinds[:MAX_KINDS]))
    examples = ", ".join(group.examples)
    return f'<li>{buttons}<span class="examples">{escape(examples)}</span></li>'


def _render_button(group: TypeGroup) -> str:
    order = escape(f"ask {group.name}")
    return (
        f'<button type="button" data-order="{order}">{escape(group.name)} <small>{group.documents:,}</small></button>'
    )
