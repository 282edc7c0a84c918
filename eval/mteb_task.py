"""A corpus of `nerret eval` as a retrieval task of MTEB, so that any model of MTEB can be compared (extra `mteb`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from modeling_nerret.extras import install_line
from modeling_nerret.training.data.examples import find_file

try:
    from datasets import Dataset
    from mteb.abstasks import AbsTaskRetrieval
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
    from mteb.abstasks.task_metadata import TaskMetadata
except ImportError as error:
    raise ImportError(f"a task of MTEB needs mteb ({error}): {install_line('mteb')}") from error

from .ranking import r_precisions
from .tasks.annotations import read_annotations
from .tasks.set_files import read_exclusion
from .tasks.task import Task, make_task
from .tasks.type_names import EXCLUDED, QuerySettings, read_types_file

SCORE, SPLIT = "r_precision", "test"


class TypeRetrieval(AbsTaskRetrieval):
    """Find the documents that mention an entity of a type; the main score is the mean R-Precision over the types.

    The documents are texts without their mentions, so the figure of a nerret checkpoint is that of
    `nerret eval --spans predicted`. MTEB's own scores stand beside it. Nothing is downloaded.

    Args:
        task: the corpus with its type queries.
        language: of the texts, as MTEB writes it.

    Raises:
        ValueError: an unknown language.
    """

    def __init__(self, task: Task, language: str = "eng-Latn"):
        queries = dict(zip(task.types, task.queries, strict=True))
        relevant = {type_: dict.fromkeys(ids, 1) for type_, ids in zip(task.types, task.relevant, strict=True)}
        texts = {document.id: document.text for document in task.documents}
        self.metadata = TaskMetadata(
            name=f"TypeRetrieval-{task.name}",
            description="Find the documents that mention an entity of a type.",
            prompt={"query": "Given a type of entity, retrieve texts that mention an entity of this type"},
            # MTEB keeps results by name and revision: another corpus must have another revision
            dataset={"path": task.name, "revision": _digest(texts, queries, relevant)},
            type="Retrieval",
            category="t2t",
            eval_splits=[SPLIT],
            eval_langs=[language],
            main_score=SCORE,
        )
        # Rankings must be long enough for every R
        longest = max(map(len, relevant.values()))
        self.k_values = sorted({*AbsTaskRetrieval.k_values, max(longest, *AbsTaskRetrieval.k_values)})
        super().__init__()
        split = RetrievalSplitData(corpus=_rows(texts), queries=_rows(queries), relevant_docs=relevant, top_ranked=None)
        self.dataset = {"default": {SPLIT: split}}
        self.data_loaded = True

    @classmethod
    def read(
        cls,
        corpus: str | Path,
        types: str | Path | None = None,
        exclude_file: str | Path | None = None,
        least_documents: int = 1,
        limit: int | None = None,
        language: str = "eng-Latn",
    ) -> TypeRetrieval:
        """The task of a JSONL file with one `{"id", "text", "mentions": [{"start", "end", "type"}]}` per line.

        Args:
            corpus: the file, or the name of a set that comes with nerret, such as `"beekeeping-test"`.
            types: JSON with plain names of the types, as for `nerret eval --types`.
            exclude_file: JSON with the types that are no queries, as for `nerret eval --exclude-file`.
            least_documents: types that fewer documents mention are no queries.
            limit: read only the first so many documents.
            language: see the class.

        Raises:
            OSError: a file cannot be read.
            ValueError: a file has another form, or no query is left.
        """
        path = find_file(str(corpus)) or Path(corpus)
        exclusion = read_exclusion(Path(exclude_file) if exclude_file else None, path.stem)
        settings = QuerySettings(
            read_types_file(Path(types) if types else None, None, path.stem),
            EXCLUDED if exclusion is None else exclusion,
            least_documents=least_documents,
        )
        return cls(make_task(path.stem, read_annotations(path, limit), settings), language)

    def load_data(self, *arguments: Any, **options: Any) -> None:
        """The data are here from the beginning."""

    def unload_data(self) -> None:
        """The data stay: there is no place to load them from again."""

    def task_specific_scores(
        self,
        scores: Mapping[str, Mapping[str, float]],
        qrels: Mapping[str, Mapping[str, int]],
        results: Mapping[str, Mapping[str, float]],
        hf_split: str,
        hf_subset: str,
    ) -> dict[str, float]:
        """R-Precision as `nerret eval` reckons it: equal scores are in order of the ids."""
        hits = [results.get(type_, {}) for type_ in qrels]
        rankings = [[id_ for _, id_ in sorted((-score, id_) for id_, score in group.items())] for group in hits]
        return {SCORE: float(np.mean(r_precisions(rankings, [list(ids) for ids in qrels.values()])))}


def _rows(texts: Mapping[str, str]) -> Dataset:
    return Dataset.from_dict({"id": list(texts), "text": list(texts.values())})


def _digest(*parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
