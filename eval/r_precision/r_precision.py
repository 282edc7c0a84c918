"""R-Precision: precision among the first R results, R being the number of relevant documents of a query."""

import datasets
import evaluate
import numpy as np

_DESCRIPTION = """
R-Precision is the share of relevant documents among the first R of a ranking, where R is the number of documents that are
relevant to the query. At that depth precision and recall are equal, and a perfect ranking scores 1 however many relevant
documents a query has. It is the metric of named-entity retrieval, where a type may have three documents or three thousand.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions (list of list of str or int): for each query its ranking, best first. Of a document that stands twice only
        the first place counts. A ranking shorter than R is scored as if wrong documents followed.
    references (list of list of str or int): for each query the ids of its relevant documents. Queries without any are left
        out of all averages and counted in `queries_without_relevant`.
    per_query (bool): also return a list with each query's R-Precision, `None` for queries without relevant documents.
    micro (bool): also return the average over relevant documents in the place of queries.
    average_precision (bool): also return mean average precision over the rankings as given.
    k (list of int): also return precision and recall among the first k, for each k.

Returns:
    r_precision (float): macro average over queries; `nan` if no query has relevant documents.
    queries (int), queries_without_relevant (int): how many queries were averaged, and how many left out.
    per_query, micro_r_precision, mean_average_precision, precision_at_<k>, recall_at_<k>: on request.

Raises:
    ValueError: a k below 1.

Examples:
    >>> metric = evaluate.load("eval/r_precision")  # outside the repository: its absolute path
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


def _head(ranking, depth):
    """The first `depth` different documents of a ranking."""
    taken = depth
    while len(found := dict.fromkeys(ranking[:taken])) < depth and taken < len(ranking):
        taken *= 2
    return list(found)[:depth]


def _relevance(ranking, relevant):
    """Whether each document of a ranking is relevant, repeated documents left out. (documents,) of 0 and 1."""
    return np.fromiter((document in relevant for document in dict.fromkeys(ranking)), dtype=np.int64)


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _KWARGS_DESCRIPTION)
class RPrecision(evaluate.Metric):
    """The metric as evaluate loads it."""

    def _info(self):
        kinds = [
            datasets.Features({name: datasets.List(datasets.Value(kind)) for name in ("predictions", "references")})
            for kind in ("string", "int64")
        ]
        return evaluate.MetricInfo(
            description=_DESCRIPTION, citation=_CITATION, inputs_description=_KWARGS_DESCRIPTION, features=kinds
        )

    def compute(self, *, predictions=None, references=None, **kwargs):
        """As `evaluate.Metric.compute`, without what its Arrow file would be written for in vain: lower places."""
        if predictions is None or references is None or len(predictions) != len(references):
            return super().compute(predictions=predictions, references=references, **kwargs)
        if not predictions:  # evaluate reads the kind of ids from the first query
            return self._compute([], [], **kwargs)
        if not kwargs.get("average_precision"):
            depth = max(kwargs.get("k", ()), default=0)
            pairs = zip(predictions, references, strict=True)
            predictions = [_head(ranking, max(len(set(relevant)), depth, 1)) for ranking, relevant in pairs]
        return super().compute(predictions=predictions, references=references, **kwargs)

    def _compute(self, predictions, references, per_query=False, micro=False, average_precision=False, k=()):
        if any(depth < 1 for depth in k):
            raise ValueError(f"k holds {min(k)}; each must be a whole number from 1")
        scores, hits, sizes, averages, found = [], 0, 0, [], {depth: [] for depth in k}
        for ranking, reference in zip(predictions, references, strict=True):
            relevant = set(reference)
            if not relevant:
                scores.append(None)
                continue
            right = _relevance(ranking, relevant)
            first = int(right[: len(relevant)].sum())
            scores.append(first / len(relevant))
            hits, sizes = hits + first, sizes + len(relevant)
            averages.append(float((right * right.cumsum() / np.arange(1, len(right) + 1)).sum() / len(relevant)))
            for depth in k:
                found[depth].append((int(right[:depth].sum()), len(relevant)))
        scored = [score for score in scores if score is not None]
        result = {
            "r_precision": float(np.mean(scored)) if scored else float("nan"),
            "queries": len(scored),
            "queries_without_relevant": len(scores) - len(scored),
        }
        if per_query:
            result["per_query"] = scores
        if micro:
            result["micro_r_precision"] = hits / sizes if sizes else float("nan")
        if average_precision:
            result["mean_average_precision"] = float(np.mean(averages)) if averages else float("nan")
        for depth, pairs in found.items():
            result[f"precision_at_{depth}"] = float(np.mean([n / depth for n, _ in pairs])) if pairs else float("nan")
            result[f"recall_at_{depth}"] = float(np.mean([n / size for n, size in pairs])) if pairs else float("nan")
        return result
