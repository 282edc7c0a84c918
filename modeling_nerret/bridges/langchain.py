"""An index as a retriever of LangChain (extra `langchain`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..extras import install_line

try:
    from langchain_core.callbacks import CallbackManagerForRetrieverRun
    from langchain_core.documents import Document
    from langchain_core.retrievers import BaseRetriever
    from pydantic import Field
except ImportError as error:
    raise ImportError(f"the bridge to LangChain needs langchain-core ({error}): {install_line('langchain')}") from error

from ..index.retriever import EntityRetriever
from .evidence import metadata_of, open_index


class NerretRetriever(BaseRetriever):
    """Documents that mention an entity of a type, for chains and agents of LangChain.

    Args:
        index: the folder of an index, or an open `EntityRetriever`.
        k: how many documents; `None`: the answer that ends by itself.
        options: further arguments of `EntityRetriever.search`, such as `{"where": {"year": {">=": 1990}}}`.

    Raises:
        ValueError: the folder is no index.
    """

    index: Any
    k: int | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:
        """Open the index."""
        self.index = open_index(self.index)

    def __init__(self, index: str | Path | EntityRetriever, **fields: Any):
        super().__init__(**{"index": index} | fields)

    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        answer = self.index.search(query, self.k, **self.options)
        return [Document(id=hit.id, page_content=hit.text, metadata=metadata_of(hit)) for hit in answer]
