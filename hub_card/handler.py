"""Serves this repository on Hugging Face Inference Endpoints.

The body of a request is `{"inputs": ..., "parameters": {...}}`. The inputs are one input or a list of inputs:

    "dinosaur"                                                 a type query
    {"text": "Ada met Babbage.", "start": 0, "end": 3}         a mention in its text
    {"text": "Ada met Babbage.", "mentions": [{"start": 0, "end": 3}, ...]}
    {"text": "Ada met Babbage."}                               a text in which to find the mentions

One input gets one object as the answer. A list gets a list of objects in the same order:

    {"vector": [...]}                                          for a type query
    {"start": 0, "end": 3, "text": "Ada", "vector": [...], "windows": 1, "characters": 16}
    {"mentions": [{"start", "end", "text", "vector", "score"}, ...], "windows": 1, "characters": 16}
    {"error": "what is wrong, what is accepted"}               for an input that is wrong; the others are answered

Positions count characters of the text. The score of a detected mention is the detector's, in [0, 1]: of one that tells
kinds apart, above 0.5 a name, below it a noun phrase, an amount or the like. All that an index would hold is returned:
detected mentions may be unsure, and may lie inside each other. To rank as nerret's own index does, multiply a cosine by
(2 s - 1) to the power of `certainty` for a name of score s, and by `phrase_weight` for the others (by 0.001 at least);
both are in config.json.

Mentions of the request have no score; those for which the model has no token have an `error` instead of a vector. A
text longer than the model's window is read whole, in overlapping windows: the answer says how many `characters` and
`windows`. A type query must fit into one window. The parameter `normalize` (default true) scales vectors to length 1;
with false they keep the length that the head gives them. If a request as a whole is wrong, the answer is one
`{"error": ...}`.

A request has at most 1,024 inputs with 200,000 characters and 5,000 mentions in all, and an input 50,000 characters.

All code comes from this folder: nothing else has to be trusted, and code and weights are of the same version.
"""

from __future__ import annotations

import copy
import importlib
import logging
import sys
import types
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

logger = logging.getLogger(__name__)

QUERIES = 64  # to embed at once
MAX_INPUTS, MAX_CHARACTERS, MAX_MENTIONS = 1_024, 200_000, 5_000  # of a request; the answer is far larger
MAX_LENGTH = 50_000  # characters of an input
FORMS = (
    'a type query ("dinosaur"), a mention {"text": ..., "start": ..., "end": ...}, mentions {"text": ..., "mentions": '
    '[{"start": ..., "end": ...}]}, or {"text": ...} to find mentions'
)
Answer = dict[str, Any]


class EndpointHandler:
    """Answers requests; see above.

    Args:
        path: this folder.
    """

    def __init__(self, path: str = ""):
        folder = Path(path).resolve()
        self.code = _package(folder)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.model = self.code("modeling_nerret").NerretModel.from_pretrained(folder).to(device)
        self.tokenizer = self.code("loading").load_tokenizer(folder, self.model.config)
        probe, self.detector = self.code("detection").MentionProbe, None
        if (folder / probe.config_name).exists():
            self.detector = probe.from_pretrained(folder).to(device)
        self.raw_model = self._without_norm()

    def __call__(self, data: Answer) -> Answer | list[Answer]:
        """The answer to a request's body. It raises nothing: errors are part of the answer."""
        try:
            model = self._model(data)
            inputs = data["inputs"]
            batch = inputs if isinstance(inputs, list) else [inputs]
            if len(batch) > MAX_INPUTS:
                raise ValueError(
                    f"a request has at most {MAX_INPUTS:,} inputs, not {len(batch):,}; send several requests"
                )
            items, answers = self._read(batch)
        except ValueError as error:
            return {"error": str(error)}
        queries = {number: item for number, item in items.items() if isinstance(item, str)}
        documents = {number: item for number, item in items.items() if number not in queries}
        answers |= self._answer_queries(model, queries) | self._answer_documents(model, documents, batch)
        return [answers[number] for number in range(len(batch))] if isinstance(inputs, list) else answers[0]

    def _model(self, data: Any) -> Any:
        """The model that a request asks for.

        Raises:
            ValueError: the request as a whole is wrong.
        """
        if not isinstance(data, dict) or "inputs" not in data:
            raise ValueError(f'a request is {{"inputs": ..., "parameters": {{...}}}}; an input is {FORMS}')
        parameters = {} if data.get("parameters") is None else data["parameters"]
        if not isinstance(parameters, dict) or parameters.keys() - {"normalize"}:
            raise ValueError(f'parameters are {_excerpt(parameters)}; accepted is {{"normalize": true or false}}')
        normalize = parameters.get("normalize", True)
        if not isinstance(normalize, bool):
            raise ValueError(f'"normalize" is {_excerpt(normalize)}; accepted are true and false')
        return self.model if normalize else self.raw_model

    def _read(self, batch: list[Any]) -> tuple[dict[int, Any], dict[int, Answer]]:
        """The inputs by their number, queries as strings and the others as documents; and the errors of wrong ones.

        Raises:
            ValueError: together they are too large.
        """
        items: dict[int, Any] = {}
        errors: dict[int, Answer] = {}
        for number, item in enumerate(batch):
            try:
                items[number] = _check_query(item) if isinstance(item, str) else self._document(number, item)
            except ValueError as error:
                errors[number] = {"error": str(error)}
            except RecursionError:
                errors[number] = {"error": f"the input is nested too deeply; accepted is {FORMS}"}
        documents = [item for item in items.values() if not isinstance(item, str)]
        characters = sum(len(item) for item in items.values() if isinstance(item, str))
        for count, most, name in (
            (characters + sum(len(document.text) for document in documents), MAX_CHARACTERS, "characters"),
            (sum(len(document.mentions) for document in documents), MAX_MENTIONS, "mentions"),
        ):
            if count > most:
                raise ValueError(f"a request has at most {most:,} {name}, not {count:,}; send several requests")
        return items, errors

    def _document(self, number: int, item: Any) -> Any:
        """The document of an input.

        Raises:
            ValueError: the input has another form, an empty or very long text, or a mention outside its text.
        """
        fields = set(item) - {"text"} if isinstance(item, dict) else None
        if fields not in (set(), {"start", "end"}, {"mentions"}) or "text" not in item:
            raise ValueError(f"{_excerpt(item)} is no input; accepted is {FORMS}")
        if fields == {"mentions"} and not item["mentions"]:
            raise ValueError('"mentions" is empty; leave it out to have mentions found')
        _check_length(item["text"])
        mentions = item.get("mentions", [])
        if fields == {"start", "end"}:
            mentions = [{"start": item["start"], "end": item["end"]}]
        for mention in mentions if isinstance(mentions, list) else ():
            if isinstance(mention, dict) and bool in map(type, mention.values()):
                raise ValueError('the "start" and "end" of a mention are whole numbers, not true or false')
        entry = {"id": f"inputs[{number}]", "text": item["text"], "mentions": mentions}
        return self.code("documents").Document.from_dict(entry, spans=True)

    def _answer_queries(self, model: Any, queries: dict[int, str]) -> dict[int, Answer]:
        """Answers to type queries, by their number in the request."""
        encoder = self._encoder(model, None)

        def embed(batch: dict[int, str]) -> dict[int, Answer]:
            vectors = encoder.embed_queries(list(batch.values()))  # (queries, hidden_size)
            return {number: _with_vector({}, vector) for number, vector in zip(batch, vectors, strict=True)}

        answers: dict[int, Answer] = {}
        for begin in range(0, len(queries), QUERIES):
            answers |= _answer_apart(embed, dict(list(queries.items())[begin : begin + QUERIES]))
        return answers

    def _answer_documents(self, model: Any, documents: dict[int, Any], batch: list[Any]) -> dict[int, Answer]:
        """Answers to documents, by their number in the request, with their mentions or those that are found."""
        answers: dict[int, Answer] = {}
        with_mentions = {number: document for number, document in documents.items() if document.mentions}
        without = {number: document for number, document in documents.items() if not document.mentions}
        if without and self.detector is None:
            message = "this model has no detector; say where the mentions are"
            answers |= {number: {"error": message} for number in without}
            without = {}
        for detector, group in ((self.code("detection").GivenSpans(), with_mentions), (self.detector, without)):
            encoder = self._encoder(model, detector)

            def encode(group: dict[int, Any], encoder: Any = encoder) -> dict[int, Answer]:
                windows = self._count_windows(group)
                encodings = dict(zip(group, encoder.encode(group.values()), strict=True))
                return {
                    number: (_mentions(encoding)[0] if "start" in batch[number] else {"mentions": _mentions(encoding)})
                    | {"windows": windows[number], "characters": len(encoding.document.text)}
                    for number, encoding in encodings.items()
                }

            answers |= _answer_apart(encode, group) if group else {}
        return answers

    def _count_windows(self, documents: dict[int, Any]) -> Counter[int]:
        """How many windows each document takes, by its number in the request."""
        numbers, texts = list(documents), [document.text for document in documents.values()]
        windows = self.code("windows").make_windows(self.tokenizer, texts, self.model.config.max_tokens)
        return Counter(numbers[window.owner] for window in windows)

    def _encoder(self, model: Any, detector: Any) -> Any:
        return self.code("encoding").Encoder(model, self.tokenizer, detector)

    def _without_norm(self) -> Any:
        """The same model, whose vectors keep the length that the head gives them."""
        pool = self.code("modeling_nerret").pool

        def embed(states: torch.Tensor, spans: torch.Tensor) -> torch.Tensor:
            values = pool(self.model.value_projection(states), spans, self.model.config.pooling)
            return self.model.head(values.to(next(self.model.head.parameters()).device)).float()

        twin = copy.copy(self.model)
        twin.embed = embed
        return twin


def _package(folder: Path) -> Any:
    """A function that imports the folder's files by name.

    The files import each other relatively, so they need a package. It must not be called `modeling_nerret`, because a
    server puts this folder on the path and then that name means a file.
    """
    name = "nerret_repository_" + folder.as_posix().encode().hex()
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return lambda file: importlib.import_module(f"{name}.{file}")


def _answer_apart(answer: Callable[[dict[int, Any]], dict[int, Answer]], items: dict[int, Any]) -> dict[int, Answer]:
    """Answers to inputs by their number; if they fail together, each by itself, so that one spoils no other."""
    try:
        return answer(items)
    except Exception as error:
        if len(items) > 1:
            parts = (_answer_apart(answer, {number: item}) for number, item in items.items())
            return {number: reply for part in parts for number, reply in part.items()}
        message = str(error)
        if not isinstance(error, ValueError):
            logger.exception("an input failed")
            message = "the model failed on this input; the server's log says why"
        return {number: {"error": message} for number in items}


def _check_query(query: str) -> str:
    _check_length(query)
    try:
        query.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"a type query is not valid Unicode at character {error.start}") from None
    return query


def _check_length(text: Any) -> None:
    if isinstance(text, str) and len(text) > MAX_LENGTH:
        raise ValueError(f"a text has at most {MAX_LENGTH:,} characters, not {len(text):,}; send its parts")


def _mentions(encoding: Any) -> list[Answer]:
    """The request's mentions in their order or, if it had none, the detected ones."""
    text, requests = encoding.document.text, encoding.document.mentions
    vectors = {span[:2]: vector for span, vector in zip(encoding.mentions, encoding.vectors, strict=True)}
    mentions = []
    for start, end, score in requests or encoding.mentions:
        mention = _with_vector({"start": start, "end": end, "text": text[start:end]}, vectors.get((start, end)))
        mentions.append(mention if requests else mention | {"score": score})
    return mentions


def _with_vector(answer: Answer, vector: np.ndarray | None) -> Answer:
    """An answer with a vector, or with an error if there is none; JSON has no NaN."""
    if vector is None:
        return answer | {"error": "the model has no token for these characters"}
    if not np.isfinite(vector).all():
        return answer | {"error": "the model gives numbers that are not finite"}
    return answer | {"vector": vector.tolist()}


def _excerpt(value: Any) -> str:
    try:
        return f"{value!r:.80}"
    except (RecursionError, ValueError):  # nested deeply, or a number of thousands of digits
        return f"a {type(value).__name__}"
