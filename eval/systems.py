"""What is compared, by name: checkpoints of ours, and what a user would pick instead."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from .embeddings import last_layer, sentences, value_vectors
from .trial import Answer, Answers, System, Trial
from modeling_nerret.pretrained.checkpoints import load_checkpoint, locate
from modeling_nerret.detection import GivenSpans
from modeling_nerret.index.retriever import MODES, EntityRetriever
from modeling_nerret.spans import Span

FORMS = (
    "CHECKPOINT[@hybrid|@vector|@lexical] (built-in name, folder or Hub id), bm25, random, st:MODEL[@instruct], "
    "bare:BACKBONE@LAYER[@end|@mean], last:BACKBONE, gliner:MODEL"
)
LEAST = 0.01  # GLiNER's score below which a span is not reported: without a bound it reports every span there is


def build(name: str) -> System:
    """The system of a name on the command line.

    Raises:
        ValueError: an unknown form; the message lists the known ones.
        OSError: there is no such checkpoint or backbone.
        ImportError: the system needs a package that is not installed.
    """
    if name in ("bm25", "random"):
        return {"bm25": bm25, "random": random_order}[name]
    kind, colon, rest = name.partition(":")
    makers: dict[str, Callable[[str], System]] = {
        "st": sentences,
        "bare": value_vectors,
        "last": last_layer,
        "gliner": gliner,
    }
    if colon and kind in makers and rest:
        return makers[kind](rest)
    if colon and not Path(name).exists():
        raise ValueError(f"unknown system {name!r}; accepted are {FORMS}")
    return checkpoint(name)


def checkpoint(name: str) -> System:
    """One of our checkpoints through its own index, as a user runs it."""
    model, _, mode = name.partition("@") if not Path(name).exists() else (name, "", "")
    mode = mode or "hybrid"
    if mode not in MODES:
        raise ValueError(f"{name!r} asks for the mode {mode!r}; accepted are {', '.join('@' + one for one in MODES)}")
    try:
        locate(model)
    except OSError as error:
        raise OSError(f"{error}; systems are: {FORMS}") from None
    return partial(_through_index, name, model, mode)


def _through_index(name: str, model: str, mode: str, trial: Trial) -> Answers:
    options = trial.options
    loaded = load_checkpoint(model, options.device, dtype=options.dtype)
    # its own detector works in the same pass as its vectors; other mentions are handed over
    own = trial.spans == "predicted" and model == options.detector
    documents = trial.task.documents if own else trial.documents
    folder = tempfile.TemporaryDirectory()
    retriever = EntityRetriever(
        Path(folder.name) / "index",
        loaded,
        None if own else GivenSpans(),
        options.device,
        options.batch_size * 128,
    )
    retriever.add(tqdm(documents, desc=f"{name}, {trial.spans} mentions", disable=None))
    retriever.compact()
    mentions = retriever.info()["mentions"]
    size = 2.0 * loaded.model.config.hidden_size * mentions / len(documents)
    return Answers(_from_index(folder, retriever, trial, mode), mentions, size, given=not own)


def _from_index(
    folder: tempfile.TemporaryDirectory, retriever: EntityRetriever, trial: Trial, mode: str
) -> Iterator[Answer]:
    place = {document.id: at for at, document in enumerate(trial.task.documents)}

    def earned(query: str, depth: int) -> dict[int, Span]:
        hits = retriever.search(query, depth, mode=mode)
        best = {hit.id: max(hit.mentions, key=lambda one: (one.score, -one.start)) for hit in hits if hit.mentions}
        return {place[id_]: Span(one.start, one.end) for id_, one in best.items()}

    with folder:
        for query in trial.task.queries:
            scores = np.full(len(place), -np.inf, dtype=np.float32)
            for id_, score in retriever.rank(query, k=len(place), mode=mode):
                scores[place[id_]] = score
            yield Answer(scores, partial(earned, query))


def bm25(trial: Trial) -> Answers:
    """BM25 over the texts, with English stop words and stemmer, as the paper runs it; only documents with a score."""
    import bm25s
    import Stemmer

    cut = partial(bm25s.tokenize, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)
    texts = [document.text for document in trial.task.documents]
    index = bm25s.BM25()
    index.index(cut(texts), show_progress=False)

    def answers() -> Iterator[Answer]:
        for query in trial.task.queries:
            (tokens,) = cut([query], return_ids=False)
            known = [token for token in tokens if token in index.vocab_dict]
            scores = index.get_scores(known) if known else np.zeros(len(texts))
            yield Answer(np.where(scores > 0, scores, -np.inf).astype(np.float32))

    postings = sum(index.scores[part].nbytes for part in ("data", "indices", "indptr"))
    return Answers(answers(), 0, postings / len(texts))


def random_order(trial: Trial) -> Answers:
    """Documents in random order: the floor."""
    generator, size = np.random.default_rng(trial.options.seed), len(trial.task.documents)
    return Answers((Answer(generator.random(size, dtype=np.float32)) for _ in trial.task.queries), 0, 0.0)


def gliner(name: str) -> System:
    """A GLiNER extractor that reads every document anew for every type; it finds its own mentions."""
    if importlib.util.find_spec("gliner") is None:
        raise ImportError(f"the system 'gliner:{name}' needs GLiNER; install it with: pip install 'nerret[gliner]'")
    return partial(_extract, name)


def _extract(name: str, trial: Trial) -> Answers:
    from gliner import GLiNER

    model = GLiNER.from_pretrained(name).to(trial.options.device)
    texts = [document.text for document in trial.task.documents]

    def answers() -> Iterator[Answer]:
        for query in trial.task.queries:
            found = model.inference(texts, [query], threshold=LEAST, batch_size=trial.options.batch_size)
            scores = [max((one["score"] for one in own), default=-np.inf) for own in found]
            best = {at: max(own, key=lambda one: one["score"]) for at, own in enumerate(found) if own}
            spans = {at: Span(one["start"], one["end"]) for at, one in best.items()}
            yield Answer(np.array(scores, dtype=np.float32), partial(_whatever_depth, spans))

    return Answers(answers(), 0, 0.0)


def _whatever_depth(spans: dict[int, Span], depth: int) -> dict[int, Span]:
    return spans
