"""What is compared: checkpoints of ours and what a user would pick instead. Every system scores all documents for a query."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from eval.corpora import Task
from eval.ranking import best_per_document
from modeling_nerret.checkpoints import load_checkpoint
from modeling_nerret.detection import Detector, GivenSpans
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.retriever import EntityRetriever
from modeling_nerret.spans import Span
from modeling_nerret.weights import find_backbone
from modeling_nerret.windows import batches, make_windows, stack

INSTRUCTION = "A sentence that mentions a {type}"
FORMS = "a checkpoint (name or path, with @hybrid, @vector or @lexical), bm25, random, st:MODEL, st:MODEL@instruct, bare:BACKBONE@LAYER[@end], last:BACKBONE, gliner:MODEL"


@dataclass(frozen=True)
class Options:
    """How systems run: where, how much at once, and from which seed."""

    device: str = "cpu"
    batch_size: int = 32
    dtype: str = "float32"
    seed: int = 0
    detector: str = "nerret-minilm"


@dataclass(frozen=True)
class Scores:
    """A system's answer to a task.

    Args:
        rows: for each query (documents,) float32, -inf for documents that it does not return.
        mentions: how many mentions it indexed, 0 for systems without mentions.
        bytes_per_document: what it stores.
    """

    rows: Iterator[np.ndarray]
    mentions: int
    bytes_per_document: float


System = Callable[[Task, str, Options], Scores]


def build(name: str) -> System:
    """The system of a name on the command line.

    Raises:
        ValueError: an unknown form; the message lists the known ones.
    """
    if name in ("bm25", "random"):
        return {"bm25": bm25, "random": random_order}[name]
    kind, _, rest = name.partition(":")
    makers: dict[str, Callable[[str], System]] = {"st": sentences, "bare": bare, "last": last_layer, "gliner": gliner}
    if rest and kind in makers:
        return makers[kind](rest)
    if rest and not Path(name).exists():
        raise ValueError(f"unknown system {name!r}; accepted are {FORMS}")
    return checkpoint(name)


def checkpoint(name: str) -> System:
    """One of our checkpoints through its own index, as a user runs it."""
    model, _, mode = name.partition("@")
    mode = mode or "hybrid"

    def run(task: Task, spans: str, options: Options) -> Scores:
        detector = GivenSpans() if spans == "gold" else None
        loaded = load_checkpoint(model, options.device)
        folder = tempfile.TemporaryDirectory()
        retriever = EntityRetriever(Path(folder.name) / "index", loaded, detector, options.device)
        retriever.add(tqdm(task.documents, desc=f"{name}, {spans} spans", disable=None))
        retriever.optimize()
        info = retriever.info()

        def rows() -> Iterator[np.ndarray]:
            place = {document.id: at for at, document in enumerate(task.documents)}
            with folder:
                for query in task.queries:
                    scores = np.full(len(place), -np.inf, dtype=np.float32)
                    for found, score in retriever.rank(query, k=len(place), mode=mode):
                        scores[place[found]] = score
                    yield scores

        vectors = 2 * loaded.model.config.hidden_size * info["mentions"]  # half precision
        return Scores(rows(), info["mentions"], vectors / max(len(task.documents), 1))

    return run


def bm25(task: Task, spans: str, options: Options) -> Scores:
    """BM25 over the texts, with English stop words and stemmer, as the paper runs it."""
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    index = bm25s.BM25()
    texts = [document.text for document in task.documents]
    index.index(bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False)

    def rows() -> Iterator[np.ndarray]:
        for query in task.queries:
            (tokens,) = bm25s.tokenize([query], stopwords="en", stemmer=stemmer, show_progress=False, return_ids=False)
            known = [token for token in tokens if token in index.vocab_dict]
            scores = index.get_scores(known) if known else np.zeros(len(texts))
            yield np.where(scores > 0, scores, -np.inf).astype(np.float32)

    postings = index.scores["data"].nbytes + index.scores["indices"].nbytes + index.scores["indptr"].nbytes
    return Scores(rows(), 0, postings / max(len(texts), 1))


def random_order(task: Task, spans: str, options: Options) -> Scores:
    """Documents in random order: the floor."""
    generator = np.random.default_rng(options.seed)
    return Scores((generator.random(len(task.documents), dtype=np.float32) for _ in task.queries), 0, 0.0)


def sentences(name: str) -> System:
    """Whole documents as sentence embeddings, with or without an instruction on the query."""
    model_name, _, how = name.partition("@")

    def run(task: Task, spans: str, options: Options) -> Scores:
        from sentence_transformers import SentenceTransformer

        known = find_backbone(model_name) if "/" in model_name and not Path(model_name).exists() else model_name
        model = SentenceTransformer(str(known), device=options.device, model_kwargs={"dtype": options.dtype})
        settings: dict[str, Any] = {"batch_size": options.batch_size, "normalize_embeddings": True}
        texts = [document.text for document in task.documents]
        vectors = model.encode(texts, show_progress_bar=None, **settings)  # (documents, size)
        asked = [INSTRUCTION.format(type=query) for query in task.queries] if how == "instruct" else task.queries
        queries = model.encode(asked, **settings)  # (queries, size)
        return Scores(((vectors @ query).astype(np.float32) for query in queries), 0, 2.0 * vectors.shape[1])

    return run


def bare(name: str) -> System:
    """Value vectors of one block at the mentions, without a head (mean pooling, or `@end`)."""
    backbone, layer, *pooling = name.split("@")
    return _mention_vectors(backbone, int(layer), pooling[0] if pooling else "mean")


def last_layer(name: str) -> System:
    """The backbone's last hidden states at the mentions, averaged."""
    return _mention_vectors(name, None, "mean")


def _mention_vectors(backbone: str, layer: int | None, pooling: str) -> System:
    def run(task: Task, spans: str, options: Options) -> Scores:
        from transformers import AutoModel, AutoTokenizer

        folder = find_backbone(backbone)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        if layer is None:
            full = AutoModel.from_pretrained(folder, dtype=options.dtype).to(options.device).eval()
            limit = min(tokenizer.model_max_length, full.config.max_position_embeddings)
            states = lambda ids, mask: full(ids, attention_mask=mask).last_hidden_state  # noqa: E731
        else:
            model = NerretModel.from_backbone(folder, layer, pooling=pooling, dtype=options.dtype).to(options.device)
            limit, states = model.config.max_tokens, model.value_states
        read = lambda texts: _pooled(tokenizer, states, limit, texts, pooling, options)  # noqa: E731
        found = gold_or_predicted(task, spans, options)
        owners, vectors = read([(d.text, own) for d, own in zip(task.documents, found, strict=True)])
        order, queries = read([(query, [Span(0, len(query))]) for query in task.queries])
        queries = queries[np.argsort(order)]
        rows = (best_per_document(vectors @ query, owners, len(task.documents)) for query in queries)
        return Scores(rows, len(owners), 2.0 * vectors.size / max(len(task.documents), 1))

    return run


@torch.inference_mode()
def _pooled(
    tokenizer: Any, states: Callable, limit: int, texts: list[tuple[str, list[Span]]], pooling: str, options: Options
) -> tuple[np.ndarray, np.ndarray]:
    """Owner and unit vector of every span that a text's first window holds; (mentions,), (mentions, size)."""
    from modeling_nerret.modeling_nerret import pool

    windows = [w for w in make_windows(tokenizer, [text for text, _ in texts], limit) if w.number == 0]
    owners, vectors = [], []
    for batch in tqdm(list(batches(windows, options.batch_size * 128)), desc="mention vectors", disable=None):
        values = states(*stack(batch, options.device))
        rows = []
        for row, window in enumerate(batch):
            for span in texts[window.owner][1]:
                tokens = window.token_span(span.start, span.end)
                if tokens is not None:
                    rows.append((row, *tokens))
                    owners.append(window.owner)
        if rows:
            found = torch.nn.functional.normalize(pool(values, torch.tensor(rows), pooling), dim=-1)
            vectors.append(found.cpu().numpy())
    return np.array(owners), np.concatenate(vectors)


def gold_or_predicted(task: Task, spans: str, options: Options) -> list[list[Span]]:
    """The mentions that systems without a detector of their own are given."""
    return (
        task.gold
        if spans == "gold"
        else detect(task, load_checkpoint(options.detector, options.device).detector, options)
    )


def detect(task: Task, detector: Detector | None, options: Options) -> list[list[Span]]:
    """What a detector proposes for each document, over the default checkpoint's hidden states."""
    from modeling_nerret.encoding import Encoder

    loaded = load_checkpoint(options.detector, options.device)
    encoder = Encoder(loaded.model, loaded.tokenizer, detector or loaded.detector)
    return [one.mentions for one in encoder.encode(tqdm(task.documents, desc="detecting", disable=None))]


def gliner(name: str) -> System:
    """A pass of a GLiNER extractor over every document for every type; it needs no spans."""

    def run(task: Task, spans: str, options: Options) -> Scores:
        try:
            from gliner import GLiNER
        except ImportError:
            raise ImportError("the system gliner:MODEL needs GLiNER: pip install 'nerret[gliner]'") from None
        model = GLiNER.from_pretrained(name).to(options.device)
        texts = [document.text for document in task.documents]

        def rows() -> Iterator[np.ndarray]:
            for query in task.queries:
                found = model.inference(texts, [query], threshold=0.0, batch_size=options.batch_size)
                yield np.array([max((one["score"] for one in own), default=-np.inf) for own in found], dtype=np.float32)

        return Scores(rows(), 0, 0.0)

    return run
