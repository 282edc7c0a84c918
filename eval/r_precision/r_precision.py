"""R-Precision: precision among the first R results, where R is the number of relevant documents of a query."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import datasets
import evaluate
import numpy as np

_DESCRIPTION = """
R-Precision is the share of relevant documents among the first R of a ranking, where R is the number of documents that
are relevant to the query. At that depth precision and recall are equal. A perfect ranking scores 1, however many
relevant documents a query has. The metric suits named-entity retrieval, where a type may have three documents or three
thousand.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions (list of list of str or int): for each query its ranking, best first. A repeated document counts only
        at its first position. A ranking shorter than R is scored as if wrong documents followed.
    references (list of list of str or int): for each query the ids of its relevant documents. Queries without relevant
        documents are left out of all averages and counted in `queries_without_relevant`.
    per_query (bool): also return a list with each query's R-Precision, `None` for queries without relevant documents.
    micro (bool): also return the average over relevant documents instead of queries.
    average_precision (bool): also return mean average precision over the whole rankings.
    k (list of int): also return precision and recall among the first k, for each k.

Returns:
    r_precision (float): macro average over queries; `nan` if no query has relevant documents.
    queries (int), queries_without_relevant (int): how many queries were averaged, and how many left out.
    per_query, micro_r_precision, mean_average_precision, precision_at_<k>, recall_at_<k>: on request.

Raises:
    ValueError: a k below 1.

Examples:
    >>> from pathlib import Path
    >>> import modeling_nerret.eval  # any copy of the folder eval/r_precision will do, by its absolute path
    >>> metric = evaluate.load(str(Path(modeling_nerret.eval.__file__).parent / "r_precision"))
    >>> metric.compute(predictions=[["a", "b", "c"]], references=[["a", "c"]])
    {'r_precision': 0.5, 'queries': 1, 'queries_without_relevant': 0}
    >>> metric.compute(predictions=[[1, 2, 3], [4]], references=[[1, 2], []], per_query=True)
    {'r_precision': 1.0, 'queries': 1, 'queries_without_relevant': 1, 'per_query': [1.0, None]}
"""

_CITATION = """
@inproceedings{shachar2025ner,
    title = {{NER} Retriever: Zero-Shot Named Entity Retrieval with Type-Aware Embeddings},
    author = {Shachar, Or and Katz, Uri and Goldberg, Yoav and Glickman, Oren},
    booktitle = {Findings of the Association for Computational Linguistics: EMNLP 2025},
    year = {2025}
}
"""


def _head(ranking: Sequence[Any], depth: int) -> list[Any]:
    """The first `depth` different documents of a ranking."""
    length = depth
    while len(documents := dict.fromkeys(ranking[:length])) < depth and length < len(ranking):
        length *= 2
    return list(documents)[:depth]


def _relevance(ranking: Sequence[Any], relevant: set[Any]) -> np.ndarray:
    """Whether each document of a ranking is relevant, repeated documents left out. (documents,) of 0 and 1."""
    return np.fromiter((document in relevant for document in dict.fromkeys(ranking)), dtype=np.int64)


def _average_precision(hits: np.ndarray, relevant: int) -> float:
    return float((hits * hits.cumsum() / np.arange(1, len(hits) + 1)).sum() / relevant)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class RPrecision(evaluate.Metric):
    """The metric as evaluate loads it."""

    def _info(self) -> evaluate.MetricInfo:
        kinds = [
            datasets.Features({name: datasets.List(datasets.Value(kind)) for name in ("predictions", "references")})
            for kind in ("string", "int64")
        ]
        return evaluate.MetricInfo(
            description=_DESCRIPTION, citation=_CITATION, inputs_description=_KWARGS_DESCRIPTION, features=kinds
        )

    def compute(self, *, predictions: Any = None, references: Any = None, **kwargs: Any) -> dict[str, Any]:
        """Like `evaluate.Metric.compute`, but drop the positions that do not count before Arrow writes them."""
        if predictions is None or references is None or len(predictions) != len(references):
            return super().compute(predictions=predictions, references=references, **kwargs)
        if not any(map(len, (*predictions, *references))):  # evaluate infers the type of ids from the first id
            return self._compute(predictions, references, **kwargs)
        if not kwargs.get("average_precision"):
            depth = max(kwargs.get("k", ()), default=0)
            pairs = zip(predictions, references, strict=True)
            predictions = [_head(ranking, max(len(set(relevant)), depth, 1)) for ranking, relevant in pairs]
        return super().compute(predictions=predictions, references=references, **kwargs)

    def _compute(
        self,
        predictions: Sequence[Sequence[Any]],
        references: Sequence[Sequence[Any]],
        per_query: bool = False,
        micro: bool = False,
        average_precision: bool = False,
        k: Sequence[int] = (),
    ) -> dict[str, Any]:
        if any(depth < 1 for depth in k):
            raise ValueError(f"k holds {min(k)}; each must be a whole number from 1")
        sizes = np.array([len(set(relevant)) for relevant in references], dtype=np.int64)  # R of each query
        pairs = zip(predictions, references, strict=True)
        rankings = [_relevance(ranking, set(relevant)) for ranking, relevant in pairs]
        queries = [query for query, size in enumerate(sizes) if size]
        hits = {query: int(rankings[query][: sizes[query]].sum()) for query in queries}
        result: dict[str, Any] = {
            "r_precision": _mean([hits[query] / sizes[query] for query in queries]),
            "queries": len(queries),
            "queries_without_relevant": len(sizes) - len(queries),
        }
        if per_query:
            result["per_query"] = [float(hits[q] / sizes[q]) if q in hits else None for q in range(len(sizes))]
        if micro:
            result["micro_r_precision"] = float(sum(hits.values()) / sizes.sum()) if queries else math.nan
        if average_precision:
            averages = [_average_precision(rankings[query], sizes[query]) for query in queries]
            result["mean_average_precision"] = _mean(averages)
        for depth in k:
            result[f"precision_at_{depth}"] = _mean([rankings[query][:depth].sum() / depth for query in queries])
            result[f"recall_at_{depth}"] = _mean([rankings[query][:depth].sum() / sizes[query] for query in queries])
        return result
