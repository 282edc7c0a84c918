"""An index as a retriever of Haystack 2 (extra `haystack`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..extras import install_line

try:
    from haystack import Document, component, default_to_dict
except ImportError as error:
    raise ImportError(f"the bridge to Haystack needs haystack-ai ({error}): {install_line('haystack')}") from error

from ..index.retriever import EntityRetriever
from .evidence import metadata_of, open_index


@component
class NerretRetriever:
    """Documents that mention an entity of a type, for pipelines of Haystack.

    Args:
        index: the folder of an index, or an open `EntityRetriever`.
        top_k: how many documents; `None`: the answer that ends by itself.
        options: further arguments of `EntityRetriever.search`, such as `{"where": {"year": {">=": 1990}}}`.
    """

    def __init__(
        self,
        index: str | Path | EntityRetriever,
        top_k: int | None = None,
        options: dict[str, Any] | None = None,
    ):
        self.index, self.top_k, self.options = index, top_k, options or {}

    def warm_up(self) -> None:
        """Open the index.

        Raises:
            ValueError: the folder is no index.
        """
        self.index = open_index(self.index)

    def to_dict(self) -> dict[str, Any]:
        """The component as plain values, for a pipeline's file."""
        path = self.index.path if isinstance(self.index, EntityRetriever) else self.index
        return default_to_dict(self, index=str(path), top_k=self.top_k, options=self.options)

    @component.output_types(documents=list[Document])
    def run(self, query: str, top_k: int | None = None) -> dict[str, list[Document]]:
        """Search.

        Args:
            query: the type in plain words.
            top_k: how many documents, in the place of the component's own.

        Raises:
            ValueError: as `EntityRetriever.search`.
        """
        self.warm_up()
        assert isinstance(self.index, EntityRetriever)
        answer = self.index.search(query, self.top_k if top_k is None else top_k, **self.options)
        return {
            "documents": [
                Document(id=hit.id, content=hit.text, meta=metadata_of(hit), score=hit.score) for hit in answer
            ]
        }
