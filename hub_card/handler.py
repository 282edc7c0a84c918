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

Positions count characters of the text. The score of a detected mention is the detector's, in [0, 1]. Mentions of the
request have no score; those for which the model has no token have an `error` instead of a vector. A text longer than
the model's window is read whole, in overlapping windows: the answer says how many `characters` and `windows`. A type
query must fit into one window. The parameter `normalize` (default true) scales vectors to length 1; with false they
keep the length that the head gives them. If a request as a whole is wrong, the answer is one `{"error": ...}`.

All code comes from this folder: nothing else has to be trusted, and code and weights are of the same version.
"""

from __future__ import annotations

import copy
import importlib
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import torch

QUERIES = 64  # to embed at once
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
        except ValueError as error:
            return {"error": str(error)}
        inputs = data["inputs"]
        batch = inputs if isinstance(inputs, list) else [inputs]
        answers: list[Answer] = [{"error": f"{_excerpt(item)} is no input; accepted is {FORMS}"} for item in batch]
        queries = {number: item for number, item in enumerate(batch) if isinstance(item, str)}
        texts = {number: item for number, item in enumerate(batch) if isinstance(item, dict)}
        for number, answer in (self._answer_queries(model, queries) | self._answer_texts(model, texts)).items():
            answers[number] = answer
        return answers if isinstance(inputs, list) else answers[0]

    def _model(self, data: Any) -> Any:
        """The model that a request asks for.

        Raises:
            ValueError: the request as a whole is wrong.
        """
        if not isinstance(data, dict) or "inputs" not in data:
            raise ValueError(f'a request is {{"inputs": ..., "parameters": {{...}}}}; an input is {FORMS}')
        parameters = data.get("parameters") or {}
        if not isinstance(parameters, dict) or parameters.keys() - {"normalize"}:
            raise ValueError(f'parameters are {_excerpt(parameters)}; accepted is {{"normalize": true or false}}')
        normalize = parameters.get("normalize", True)
        if not isinstance(normalize, bool):
            raise ValueError(f'"normalize" is {_excerpt(normalize)}; accepted are true and false')
        return self.model if normalize else self.raw_model

    def _answer_queries(self, model: Any, queries: dict[int, str]) -> dict[int, Answer]:
        """Answers to type queries, by their number in the request."""
        answers: dict[int, Answer] = {}
        numbers = list(queries)
        encoder = self._encoder(model, None)
        for begin in range(0, len(numbers), QUERIES):
            batch = numbers[begin : begin + QUERIES]
            try:
                vectors = encoder.embed_queries([queries[number] for number in batch])  # (queries, hidden_size)
                answers |= {number: {"vector": vector} for number, vector in zip(batch, vectors.tolist(), strict=True)}
            except ValueError as error:  # one query is wrong: embed each by itself
                if len(batch) == 1:
                    answers[batch[0]] = {"error": str(error)}
                else:
                    for number in batch:
                        answers |= self._answer_queries(model, {number: queries[number]})
        return answers

    def _answer_texts(self, model: Any, texts: dict[int, Answer]) -> dict[int, Answer]:
        """Answers to inputs with a text, by their number in the request."""
        answers: dict[int, Answer] = {}
        with_mentions: dict[int, Any] = {}
        without: dict[int, Any] = {}
        for number, item in texts.items():
            try:
                document = self._document(number, item)
                (with_mentions if document.mentions else without)[number] = document
            except ValueError as error:
                answers[number] = {"error": str(error)}
        if without and self.detector is None:
            message = "this model has no detector; say where the mentions are"
            answers |= {number: {"error": message} for number in without}
            without = {}
        for detector, documents in ((self.code("detection").GivenSpans(), with_mentions), (self.detector, without)):
            if documents:
                answers |= self._answer_documents(model, detector, documents, texts)
        return answers

    def _answer_documents(
        self, model: Any, detector: Any, documents: dict[int, Any], texts: dict[int, Answer]
    ) -> dict[int, Answer]:
        """Answers to documents, by their number in the request, with the mentions that the detector proposes."""
        answers: dict[int, Answer] = {}
        windows = self._count_windows(documents)
        encodings = self._encoder(model, detector).encode(documents.values())
        for number, encoding in zip(documents, encodings, strict=True):
            mentions = _mentions(encoding)
            answer = mentions[0] if "start" in texts[number] else {"mentions": mentions}
            answers[number] = answer | {"windows": windows[number], "characters": len(encoding.document.text)}
        return answers

    def _document(self, number: int, item: Answer) -> Any:
        """The document of an input.

        Raises:
            ValueError: the input has another form, an empty text, or a mention outside its text.
        """
        fields = set(item) - {"text"}
        if "text" not in item or fields not in (set(), {"start", "end"}, {"mentions"}):
            raise ValueError(f"{_excerpt(item)} is no input; accepted is {FORMS}")
        if fields == {"mentions"} and not item["mentions"]:
            raise ValueError('"mentions" is empty; leave it out to have mentions found')
        mentions = item.get("mentions", [item] if fields else [])
        entry = {"id": f"inputs[{number}]", "text": item["text"], "mentions": mentions}
        return self.code("documents").Document.from_dict(entry, spans=True)

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


def _mentions(encoding: Any) -> list[Answer]:
    """The request's mentions in their order or, if it had none, the detected ones."""
    text, requests = encoding.document.text, encoding.document.mentions
    vectors = {span[:2]: vector for span, vector in zip(encoding.mentions, encoding.vectors.tolist(), strict=True)}
    mentions = []
    for start, end, score in requests or encoding.mentions:
        mention = {"start": start, "end": end, "text": text[start:end]}
        if (start, end) in vectors:
            mention["vector"] = vectors[start, end]
        else:
            mention["error"] = "the model has no token for these characters"
        mentions.append(mention if requests else mention | {"score": score})
    return mentions


def _excerpt(value: Any) -> str:
    return f"{value!r:.80}"
