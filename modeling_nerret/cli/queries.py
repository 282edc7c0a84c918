"""The type query of a command line: words, saved queries, examples, and several types joined."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .arguments import add_backend, check_device
from .streams import as_text

if TYPE_CHECKING:
    from ..index.answers.type_query import Example, Expression, Type
    from ..index.retriever import EntityRetriever

SAVED = "@"  # begins the name of a saved query
_JOINS: dict[str, Callable[[Any, Any], Expression]] = {
    "--and": lambda left, right: left & right,
    "--or": lambda left, right: left | right,
    "--without": lambda left, right: left & ~right,
}


class _Join(argparse.Action):
    """Keeps the types that are joined to the first one in the order in which they were written."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option: str | None = None,
    ) -> None:
        """Add the option and its type."""
        joins = [*(getattr(namespace, "joins", None) or []), (str(option), values)]
        namespace.joins = joins


def add_type(parser: argparse.ArgumentParser) -> None:
    """Add the type, and what says more of it."""
    add = parser.add_argument
    add("type", type=as_text, help='the type in plain words, such as "dinosaur", or @NAME for a saved query')
    add(
        "--wording",
        type=as_text,
        action="append",
        default=[],
        metavar="WORDS",
        help="other words for it; may be repeated",
    )
    for name, meaning in (("like", "an example of it"), ("unlike", "an example of what it is not")):
        add(
            f"--{name}",
            type=as_text,
            action="append",
            default=[],
            metavar="NAME",
            help=f'{meaning}: a name, or a mention as JSON, {{"text": ..., "start": ..., "end": ...}}; may be repeated',
        )


def add_joined_types(parser: argparse.ArgumentParser) -> None:
    """Add the types that are joined to the first one."""
    for option, meaning in (
        ("--and", "documents must also mention this type"),
        ("--or", "or this type instead"),
        ("--without", "documents must not mention this type"),
    ):
        parser.add_argument(
            option,
            action=_Join,
            dest="joins",
            type=as_text,
            metavar="TYPE",
            help=f"{meaning}; may be repeated, and is read from left to right",
        )
    add_scope(parser)


def add_scope(parser: argparse.ArgumentParser) -> None:
    """Add how near several types must stand."""
    parser.add_argument(
        "--within",
        type=_scope,
        metavar="SCOPE",
        help='how near types must stand: "document" (default), "sentence", or the most characters between them',
    )


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add which documents are searched, how, and how far the answer goes."""
    add = parser.add_argument
    add(
        "--precision",
        type=float,
        metavar="P",
        help="as many documents as possible of which the share P is expected to be right, such as 0.8",
    )
    add(
        "--mode",
        choices=("hybrid", "vector", "document", "lexical"),
        default="hybrid",
        help="by mentions (vector), whole texts (document), words (lexical), or all of them (hybrid, the default)",
    )
    add(
        "--where",
        type=as_text,
        action="append",
        default=[],
        metavar="COND",
        help='"field=value", also != >= <= > < contains, "field in a, b", or "field" alone (it is there); '
        "with || between conditions one must hold; may be repeated",
    )
    add("--min-score", type=float, metavar="S", help="leave out documents with a lower score")
    add("--model", metavar="NAME", help="default: the model that the index was made with")
    add_backend(parser)


def open_search(options: argparse.Namespace) -> tuple[EntityRetriever, dict[str, Any]]:
    """The index that the options name, and the arguments of its `search` that `add_search` added.

    Raises:
        ValueError: a type has no words, a condition is malformed, or the path is no index; this is said before a model
            is loaded.
        OSError: there is no such model.
        ImportError: the backend is not installed.
    """
    from ..index.folder import read_manifest

    for text in (options.type, *options.wording, *(text for _, text in getattr(options, "joins", None) or [])):
        if not text.strip():
            raise ValueError(f"a type query is a few words such as 'dinosaur', not {text!r:.60}")
    where = read_filter(options.where)
    read_manifest(options.index)
    check_device("cpu", options.backend)

    from ..index.memory import share_heap
    from ..index.retriever import EntityRetriever

    share_heap()
    arguments = {"where": where, "mode": options.mode, "min_score": options.min_score, "precision": options.precision}
    return EntityRetriever(options.index, options.model, backend=options.backend), arguments


def read_filter(conditions: Sequence[str]) -> Any:
    """The filter that `--where` asks for; `None` without conditions, for which nothing need be imported.

    Raises:
        ValueError: a condition is malformed.
    """
    if not conditions:
        return None
    from ..index.filter_text import parse_filter

    return parse_filter(conditions)


def type_query(options: argparse.Namespace, retriever: EntityRetriever) -> Expression:
    """The query that the options ask for.

    Raises:
        ValueError: a saved query is not there, or an example is malformed.
    """
    from ..index.answers.type_query import Type

    expression: Expression = named_type(options.type, retriever)
    if options.wording or options.like or options.unlike:
        if options.type.startswith(SAVED):
            raise ValueError(f"{options.type} is saved as it is; --wording, --like and --unlike belong to words")
        like, unlike = _examples(options.like), _examples(options.unlike)
        expression = Type(options.type, tuple(options.wording), like, unlike)
    for option, text in getattr(options, "joins", None) or []:
        expression = _JOINS[option](expression, named_type(text, retriever))
    return expression


def named_type(text: str, retriever: EntityRetriever) -> Type:
    """A type in words, or the saved query that `@NAME` names.

    Raises:
        ValueError: no query is saved under the name.
    """
    from ..index.answers.type_query import Type

    return retriever.saved_query(text[len(SAVED) :]) if text.startswith(SAVED) else Type(text)


def _scope(value: str) -> str | int:
    """A scope, for argparse."""
    if value in ("document", "sentence"):
        return value
    if value.isascii() and value.isdigit():
        return int(value)
    raise argparse.ArgumentTypeError(f"{value!r} is neither document, nor sentence, nor a number of characters")


def _examples(texts: Sequence[str]) -> tuple[Example, ...]:
    examples: list[Example] = []
    for text in texts:
        if not text.lstrip().startswith("{"):
            examples.append(text)
            continue
        try:
            examples.append(json.loads(text))
        except ValueError as error:
            raise ValueError(f"the example {text!r:.80} is no valid JSON ({error})") from None
    return tuple(examples)
