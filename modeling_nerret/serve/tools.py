"""Tools for language models: an index over the Model Context Protocol (MCP), on standard input and output."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from .. import __version__
from ..index.excerpts import surroundings
from ..index.hits import Answer, Hit
from ..index.retriever import EntityRetriever
from .questions import FORMS, read_query, read_where

MOST_HITS, MOST_ENTITIES = 50, 200  # of a result: a model reads all of it
AROUND = 150  # characters on either side of a mention
INSTRUCTIONS = (
    "Searches a collection of documents for mentions of entities of any type, such as 'dinosaur' or 'drug that lowers "
    "blood pressure'. Ask for a kind of thing in a few plain words, not for a name and not in a question. Begin with "
    "`types` to see what the collection holds; `answer` gives all that is probably right, `search` the best few, "
    "`entities` a list of names with counts."
)
TypeQuery = Annotated[str | dict[str, Any], Field(description=f"the type: {FORMS}")]
Where = Annotated[
    str | dict[str, Any] | None, Field(description='conditions on metadata, such as "year>=1990" or {"year": 1990}')
]


def make_server(retriever: EntityRetriever, name: str) -> MCPServer:
    """The MCP server of an index.

    Args:
        retriever: the index.
        name: what the client calls it.
    """
    server = MCPServer(f"nerret: {name}", instructions=INSTRUCTIONS, version=__version__, log_level="ERROR")
    reads = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
    for tool in (Tools(retriever).search, Tools(retriever).answer, Tools(retriever).entities, Tools(retriever).types):
        server.tool(annotations=reads)(tool)
    return server


class Tools:
    """The tools; their docstrings and arguments are what a model reads."""

    def __init__(self, retriever: EntityRetriever):
        self.retriever = retriever

    def search(
        self, query: TypeQuery, k: Annotated[int, Field(description="1 to 50 documents")] = 10, where: Where = None
    ) -> dict[str, Any]:
        """The k best documents that mention an entity of a type, best first, however good they are."""
        return self._ask(query, _checked(k, MOST_HITS), where)

    def answer(
        self,
        query: TypeQuery,
        precision: Annotated[float | None, Field(description="share of right documents to expect, as 0.8")] = None,
        where: Where = None,
    ) -> dict[str, Any]:
        """All documents that probably mention an entity of a type, and how many of them are right or are missed.

        At most 50 of them are shown; `documents` says how many there are.
        """
        return self._ask(query, None, where, precision)

    def entities(
        self,
        query: TypeQuery,
        limit: Annotated[int, Field(description="1 to 200 entities")] = 50,
        where: Where = None,
    ) -> dict[str, Any]:
        """The entities of a type by name, with the number of documents that mention each, the commonest first."""
        limit = _checked(limit, MOST_ENTITIES)
        try:
            entities = self.retriever.entities(read_query(query, self.retriever.saved_query), where=read_where(where))
        except ValueError as error:
            raise ToolError(str(error)) from None
        rows = [{"name": entity.name, "documents": entity.documents, "ids": entity.ids[:5]} for entity in entities]
        return {"count": len(entities), "entities": rows[:limit]}

    def types(self) -> dict[str, Any]:
        """Which types of entities the documents mention, as paths with numbers of documents and examples."""
        try:
            tree = self.retriever.types()
        except ValueError as error:
            raise ToolError(str(error)) from None
        rows = [
            {"type": " > ".join(path), "documents": group.documents, "examples": group.examples}
            for path, group in tree.walk()
        ]
        return {"documents": tree.documents, "mentions": tree.mentions, "types": rows}

    def _ask(self, query: Any, k: int | None, where: Any, precision: float | None = None) -> dict[str, Any]:
        try:
            answer = self.retriever.search(
                read_query(query, self.retriever.saved_query),
                k,
                read_where(where),
                precision=precision,
                why=k is None or k <= MOST_HITS,
            )
        except ValueError as error:
            raise ToolError(str(error)) from None
        return _result(answer)


def _result(answer: Answer) -> dict[str, Any]:
    """An answer without whole texts."""
    documents = [_document(hit) for hit in answer[:MOST_HITS]]
    return {"note": answer.note, "documents": len(answer), "hits": documents}


def _document(hit: Hit) -> dict[str, Any]:
    best = hit.best
    left, right = surroundings(hit.text, best.start, best.end, AROUND) if best else (0, 2 * AROUND)
    probability = None if hit.probability is None else round(hit.probability, 3)
    names = list(dict.fromkeys(mention.text for mention in hit.mentions))
    row = {"id": hit.id, "probability": probability, "excerpt": hit.text[left:right], "mentions": names[:20]}
    return row | {"why": hit.why()} | ({"metadata": hit.metadata} if hit.metadata else {})


def _checked(number: int, most: int) -> int:
    if not 1 <= number <= most:
        raise ToolError(f"{number} is no number from 1 to {most}")
    return number
