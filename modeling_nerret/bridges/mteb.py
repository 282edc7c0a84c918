"""A checkpoint as a model of MTEB's retrieval tasks (extra `mteb`)."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..extras import install_line

try:
    from mteb.models import ModelMeta
except ImportError as error:
    raise ImportError(f"the bridge to MTEB needs mteb ({error}): {install_line('mteb')}") from error

from ..index.ranking import MODES
from ..index.retriever import EntityRetriever
from ..pretrained.built_in import DEFAULT
from ..pretrained.checkpoints import Checkpoint, load_checkpoint
from ..windows import make_windows


class NerretSearch:
    """Indexes a task's corpus and ranks its documents, for `mteb.evaluate`.

    It follows MTEB's `SearchProtocol`, since a document's score is that of its best mention, and no encoder can say
    that. The index lies in a temporary folder until the next corpus comes. Of a query that is longer than the model's
    window, the beginning is asked for. A document without text is never returned.

    Args:
        model: built-in name, path or repository id of a checkpoint, or a loaded `Checkpoint`.
        mode: as of `EntityRetriever.search`.
        device: where the model runs.

    Raises:
        ValueError: an unknown mode, or the model has no detector.
        OSError: there is no such model.
    """

    def __init__(self, model: str | Checkpoint = DEFAULT, mode: str = "hybrid", device: str = "cpu"):
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; accepted are {', '.join(MODES)}")
        self.checkpoint = load_checkpoint(model, device) if isinstance(model, str) else model
        if self.checkpoint.detector is None:
            raise ValueError(
                f"the model {self.checkpoint.name!r} has no detector of its own, and MTEB gives texts only"
            )
        self.mode, self.device = mode, device
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._retriever: EntityRetriever | None = None

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """What MTEB stores with results: the name, and as revision the checkpoint's fingerprint."""
        config, name = self.checkpoint.model.config, self.checkpoint.name
        is_repository = "/" in name and not Path(name).exists()
        fields = {
            "name": name if is_repository else f"nerret/{Path(name).name}",
            "revision": self.checkpoint.fingerprint,
            "n_parameters": sum(parameter.numel() for parameter in self.checkpoint.model.parameters()),
            "embed_dim": config.hidden_size,
            "open_weights": True,
            "framework": ["PyTorch", "Transformers"],
            "model_type": ["hybrid" if self.mode == "hybrid" else "sparse" if self.mode == "lexical" else "dense"],
            "use_instructions": False,
            "adapted_from": config.backbone,
            "experiment_kwargs": None if self.mode == "hybrid" else {"mode": self.mode},
        }
        return ModelMeta.create_empty(fields)

    def index(self, corpus: Iterable[Mapping[str, Any]], **kwargs: Any) -> None:
        """Index a corpus, in the place of the one before.

        Args:
            corpus: rows with `id`, `text` and perhaps `title`, which becomes the first paragraph.
            kwargs: what else MTEB says; nothing of it matters here.

        Raises:
            ValueError: a document has no id, or the id of another.
        """
        if self._folder is not None:
            self._folder.cleanup()
        self._folder = tempfile.TemporaryDirectory(prefix="nerret-mteb-")
        self._retriever = EntityRetriever(Path(self._folder.name) / "index", self.checkpoint, device=self.device)
        documents = [{"id": row["id"], "text": _text(row)} for row in corpus]
        texts = [document for document in documents if document["text"].strip()]
        if len(texts) < len(documents):
            lack = len(documents) - len(texts)
            warnings.warn(f"{lack} of {len(documents)} documents have no text; no search returns them", stacklevel=2)
        self._retriever.add(texts)
        self._retriever.compact()
        self._retriever.keep_in_memory()

    def search(
        self,
        queries: Iterable[Mapping[str, Any]],
        *,
        top_k: int,
        top_ranked: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> dict[str, dict[str, float]]:
        """Scores of the best documents for each query, by id.

        Args:
            queries: rows with `id`, `text` and perhaps `instruction`, which is asked for with the text.
            top_k: how many documents for each query at most.
            top_ranked: for each query the ids of the documents to rank, in tasks that order the answers of others.
            kwargs: what else MTEB says; nothing of it matters here.

        Raises:
            RuntimeError: no corpus was indexed.
            ValueError: a query is empty, or is no text.
        """
        retriever = self._retriever
        if retriever is None:
            raise RuntimeError("there is no corpus to search; call index first")
        results = {}
        for row in queries:
            candidates = None if top_ranked is None else set(top_ranked.get(row["id"], ()))
            k = top_k if candidates is None else max(len(retriever), 1)
            ranks = retriever.rank(self._query(row), k, mode=self.mode)
            hits = ranks if candidates is None else [rank for rank in ranks if rank[0] in candidates]
            results[row["id"]] = {id_: float(score) for id_, score in hits[:top_k]}
        return results

    def _query(self, row: Mapping[str, Any]) -> str:
        """The words to ask with, as many as fit the model's window."""
        if not isinstance(row["text"], str):
            raise ValueError(f"query {row['id']!r} is {type(row['text']).__name__}; nerret answers texts only")
        text = " ".join(f"{row['text']} {row.get('instruction') or ''}".split())
        tokenizer, size = self.checkpoint.tokenizer, self.checkpoint.model.config.max_tokens
        while len(windows := make_windows(tokenizer, [text], size)) > 1:
            text = text[: windows[0].span[1]]
        return text


def _text(row: Mapping[str, Any]) -> str:
    """A document's title and text, between them a blank line, which no mention crosses."""
    return "\n\n".join(part for part in (row.get("title"), row["text"]) if part)
