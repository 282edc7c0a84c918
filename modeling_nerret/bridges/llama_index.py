"""An index as a retriever of LlamaIndex (extra `llama-index`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..extras import install_line

try:
    from llama_index.core.retrievers import BaseRetriever
    from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
except ImportError as error:
    remedy = install_line("llama-index")
    raise ImportError(f"the bridge to LlamaIndex needs llama-index-core ({error}): {remedy}") from error

from ..index.hits import Hit
from ..index.retriever import EntityRetriever
from .evidence import KEY, metadata_of, open_index


class NerretRetriever(BaseRetriever):
    """Documents that mention an entity of a type, as nodes for query engines and agents of LlamaIndex.

    A node's score is the probability that the document is right, or nerret's score if the model has no calibration.
    What nerret found is in its metadata, and in no prompt or embedding.

    Args:
        index: the folder of an index, or an open `EntityRetriever`.
        k: how many documents; `None`: the answer that ends by itself.
        options: further arguments of `EntityRetriever.search`, such as `where={"year": {">=": 1990}}`.

    Raises:
        ValueError: the folder is no index.
    """

    def __init__(self, index: str | Path | EntityRetriever, k: int | None = None, **options: Any):
        super().__init__()
        self.index, self.k, self.options = open_index(index), k, options

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [_node(hit) for hit in self.index.search(query_bundle.query_str, self.k, **self.options)]


def _node(hit: Hit) -> NodeWithScore:
    node = TextNode(
        id_=hit.id,
        text=hit.text,
        metadata=metadata_of(hit),
        excluded_llm_metadata_keys=[KEY],
        excluded_embed_metadata_keys=[KEY],
    )
    return NodeWithScore(node=node, score=hit.score if hit.probability is None else hit.probability)
