"""R-Precision: precision among the first R results, where R is the number of relevant documents of a query."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from operator import index
from pathlib import Path
from threading import Lock
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
    references (list of list of str or int): for each query the ids of its relevant documents, in any order. Queries
        without relevant documents are left out of all averages and counted in `queries_without_relevant`. Predictions
        and references may also be dicts from the same queries to rankings and ids.
    per_query (bool): also return a list with each query's R-Precision, `None` for queries without relevant documents;
        of dicts, in the order of the predictions.
    micro (bool): also return the average over relevant documents instead of queries.
    average_precision (bool): also return mean average precision over the whole rankings.
    k (int or list of int): also return precision and recall among the first k, for each k.

Returns:
    r_precision (float): macro average over queries; `nan` if no query has relevant documents.
    queries (int), queries_without_relevant (int): how many queries were averaged, and how many left out.
    per_query, micro_r_precision, mean_average_precision, precision_at_<k>, recall_at_<k>: on request.

Raises:
    ValueError: an id that is neither a string nor a whole number, ids of both kinds, a ranking without an order,
        predictions and references of different queries, or a k below 1. What was added before is kept.

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


_ADDING = Lock()  # of all metrics, because a lock of their own could not be pickled; it is held for a moment


def _ids(name: str, ids: Any) -> list[str] | list[int]:
    """A ranking or the relevant documents of a query as a list of plain strings or whole numbers.

    Raises:
        ValueError: there is something else in it; `name` says of what.
    """
    # a set has no order, and a mapping has values, whose meaning is anyone's guess
    foreign = (str, bytes, Mapping) if name == "references" else (str, bytes, Mapping, set, frozenset)
    ids = ids.tolist() if hasattr(ids, "tolist") else ids
    if isinstance(ids, foreign) or not isinstance(ids, Iterable):
        order = "" if name == "references" else ", best first"
        raise ValueError(f"{name} hold {_describe(ids)} for a query; needed is a list of ids{order}")
    ids = list(ids)
    if set(map(type, ids)) in ({str}, {int}):
        return ids
    ids = [_id(name, id_) for id_ in ids]
    _check_kinds(name, ids)
    return ids


def _id(name: str, value: Any) -> str | int:
    """An id of a kind like those of NumPy as a plain one."""
    if isinstance(value, str):
        return str(value)
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        return index(value)
    except TypeError:
        kind = type(value).__name__
        raise ValueError(f"{name} hold the id {value!r:.60}, a {kind}; an id is a string or a whole number") from None


def _check_kinds(name: str, ids: Iterable[Any]) -> None:
    """Refuse strings beside whole numbers, because "1" and 1 are never equal."""
    examples = {type(id_): id_ for id_ in ids}
    if len(examples) > 1:
        raise ValueError(
            f"{name} hold strings and whole numbers as ids, such as {examples[str]!r:.60} and {examples[int]!r:.60}, "
            "which are never equal; make all of them strings"
        )


def _columns(predictions: Any, references: Any) -> tuple[list[Any], list[Any]]:
    """Rankings and relevant documents of the same queries, still unchecked.

    Raises:
        ValueError: they are not of the same queries.
    """
    if isinstance(predictions, Mapping) and isinstance(references, Mapping):
        if strangers := predictions.keys() ^ references.keys():
            raise ValueError(
                f"predictions and references are of different queries: {next(iter(strangers))!r:.60} is in only "
                "one of them"
            )
        return list(predictions.values()), [references[query] for query in predictions]
    for name, column in (("predictions", predictions), ("references", references)):
        if isinstance(column, str | bytes | Mapping | set | frozenset) or not isinstance(column, Iterable):
            raise ValueError(
                f"{name} are {_describe(column)}; needed is a list with a list of ids for each query, or both as dicts "
                "from queries to ids"
            )
    columns = list(predictions), list(references)
    if len(columns[0]) != len(columns[1]):
        raise ValueError(
            f"Mismatch in the number of predictions ({len(columns[0])}) and references ({len(columns[1])}); needed is "
            "one of both for each query"
        )
    return columns


def _depths(k: Any) -> list[int]:
    """The values of `k` in their order.

    Raises:
        ValueError: one is no whole number from 1.
    """
    values = [] if k is None else k.tolist() if hasattr(k, "tolist") else k
    values = list(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else [values]
    for value in values:
        if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__") or index(value) < 1:
            raise ValueError(f"k holds {value!r:.60}; each must be a whole number from 1")
    return list(dict.fromkeys(map(index, values)))


def _describe(value: Any) -> str:
    return f"{value!r:.60} ({type(value).__name__})"


class _Pairs:
    """Rankings, and the relevant documents of the same queries. All ids are of one kind."""

    def __init__(self, predictions: Any = (), references: Any = ()):
        rankings, relevant = _columns(predictions, references)
        self.rankings = [_ids("predictions", ids) for ids in rankings]
        self.relevant = [_ids("references", ids) for ids in relevant]
        examples = {type(ids[0]): ids[0] for ids in (*self.rankings, *self.relevant) if ids}
        self.examples = list(examples.values())  # an id of each kind
        _check_kinds("predictions and references", self.examples)

    def __add__(self, pairs: _Pairs) -> _Pairs:
        return _Pairs().extend(self).extend(pairs)

    def extend(self, pairs: _Pairs) -> _Pairs:
        """Add pairs of further queries."""
        _check_kinds("predictions and references", self.examples + pairs.examples)
        self.examples = self.examples or pairs.examples
        self.rankings += pairs.rankings
        self.relevant += pairs.relevant
        return self


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
    """The metric as evaluate loads it.

    What is added stays in memory, checked, until it is scored, so that an error leaves neither files nor locks nor half
    a batch. evaluate's files serve only to bring the rankings of several processes together.
    """

    _pairs: _Pairs | None = None  # what was added since the last result

    def _info(self) -> evaluate.MetricInfo:
        ids = datasets.List(datasets.Value("string"))
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features({"predictions": ids, "references": ids}),
        )

    def __len__(self) -> int:
        return len(self._pairs.rankings) if self._pairs else 0

    def add(self, *, prediction: Any = None, reference: Any = None, **kwargs: Any) -> None:
        """Add a query's ranking and its relevant documents; evaluate also allows the names of `add_batch`."""
        row = {"predictions": prediction, "references": reference} | kwargs
        self.add_batch(**{name: [ids] for name, ids in row.items()})

    def add_batch(self, *, predictions: Any = None, references: Any = None) -> None:
        """Add rankings and the relevant documents of their queries."""
        self._append(_Pairs(predictions, references))

    def _append(self, pairs: _Pairs) -> None:
        with _ADDING:
            self._pairs = self._pairs.extend(pairs) if self._pairs else pairs

    def _take(self) -> _Pairs | None:
        """What was added; what other threads add from now on belongs to the next result."""
        with _ADDING:
            pairs, self._pairs = self._pairs, None
        return pairs

    def compute(
        self,
        *,
        predictions: Any = None,
        references: Any = None,
        per_query: bool = False,
        micro: bool = False,
        average_precision: bool = False,
        k: Any = (),
    ) -> dict[str, Any] | None:
        """Score what was added, and these predictions; of several processes the first returns the values of all."""
        depths = _depths(k)
        pairs = additions = self._take()
        try:
            if predictions is not None or references is not None:
                pairs = (pairs or _Pairs()) + _Pairs(predictions, references)
            if self.num_process > 1:
                pairs = self._gather(pairs or _Pairs())
            elif pairs is None:
                raise ValueError("there is nothing to score; give predictions and references, or add some first")
            return _score(pairs, per_query, micro, average_precision, depths) if pairs else None
        except BaseException:
            if additions:
                self._append(additions)
            raise

    def _gather(self, pairs: _Pairs) -> _Pairs | None:
        """The pairs of all processes in the first process, `None` in the others."""
        columns = {"predictions": pairs.rankings, "references": pairs.relevant}
        try:
            # JSON keeps strings and numbers apart
            super().add_batch(**{name: [list(map(json.dumps, ids)) for ids in rows] for name, rows in columns.items()})
            return super().compute()
        except BaseException:
            self._remove_files()
            raise

    def _compute(self, predictions: Any, references: Any) -> Any:
        """What evaluate calls in the first process, with what all processes have written."""
        return _Pairs(*([list(map(json.loads, ids)) for ids in rows] for rows in (predictions, references)))

    def _remove_files(self) -> None:
        """Let go of what evaluate's exchange leaves when it fails."""
        state: Any = self
        paths = [state.cache_file_name, *(state.file_paths or ())]
        locks = [state.filelock, state.rendez_vous_lock, *(state.filelocks or ())]
        state.writer = state.data = state.cache_file_name = state.filelock = state.file_paths = state.filelocks = None
        for path in filter(None, paths):
            Path(path).unlink(missing_ok=True)
        for lock in filter(None, locks):
            lock.release(force=True)


def _score(
    pairs: _Pairs, per_query: bool, micro: bool, average_precision: bool, depths: Sequence[int]
) -> dict[str, Any]:
    """The values of the metric."""
    sizes = np.array([len(set(relevant)) for relevant in pairs.relevant], dtype=np.int64)  # R of each query
    rankings = []
    for ranking, relevant, size in zip(pairs.rankings, pairs.relevant, sizes.tolist(), strict=True):
        documents = ranking if average_precision else _head(ranking, max(size, *depths, 1))
        rankings.append(_relevance(documents, set(relevant)))
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
    for depth in depths:
        result[f"precision_at_{depth}"] = _mean([rankings[query][:depth].sum() / depth for query in queries])
        result[f"recall_at_{depth}"] = _mean([rankings[query][:depth].sum() / sizes[query] for query in queries])
    return result
