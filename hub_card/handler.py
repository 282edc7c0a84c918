"""Serves this repository on Hugging Face Inference Endpoints.

The body of a request is `{"inputs": ..., "parameters": {...}}`; inputs are one input or a list of inputs:

    "dinosaur"                                                 a type query
    {"text": "Ada met Babbage.", "start": 0, "end": 3}         a mention in its text
    {"text": "Ada met Babbage.", "mentions": [{"start": 0, "end": 3}, ...]}
    {"text": "Ada met Babbage."}                               a text whose mentions are to be found

The answer to one input is one object, to a list a list of objects in its order:

    {"vector": [...]}                                          to a type query
    {"start": 0, "end": 3, "text": "Ada", "vector": [...], "windows": 1, "characters": 16}
    {"mentions": [{"start", "end", "text", "vector", "score"}, ...], "windows": 1, "characters": 16}
    {"error": "what is wrong, what is accepted"}               to an input that cannot be answered; the others are

Positions count characters of the text. The score of a mention that was found is the detector's, in [0, 1]; mentions
that came with the request have none, and an `error` in the place of the vector where the model has no token for them.
A text longer than the model's window is read in overlapping windows: its `characters` were all read, in so many
`windows`. A type query must fit into one. Parameters: `normalize` (true) gives vectors of length 1, false those of the
length that the head gives them. A request that is wrong as a whole is answered with one `{"error": ...}`.

All code comes from this very folder: nothing else has to be trusted, and code and weights are of one version.
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

QUERIES = 64  # embedded at once
FORMS = (
    'a type query ("dinosaur"), a mention {"text": ..., "start": ..., "end": ...}, mentions {"text": ..., "mentions": '
    '[{"start": ..., "end": ...}]}, or {"text": ...} to find mentions'
)


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
        self.unnormalised = self._without_norm()

    def __call__(self, data: dict[str, Any]) -> dict[str, Any] | list[dict[str, Any]]:
        """The answer to a request's body; what is wrong with it is said in the answer and raises nothing."""
        try:
            model = self._model(data)
        except ValueError as error:
            return {"error": str(error)}
        inputs = data["inputs"]
        batch = inputs if isinstance(inputs, list) else [inputs]
        answers: list[dict[str, Any]] = [
            {"error": f"{_shown(item)} is no input; accepted is {FORMS}"} for item in batch
        ]
        queries = {at: item for at, item in enumerate(batch) if isinstance(item, str)}
        texts = {at: item for at, item in enumerate(batch) if isinstance(item, dict)}
        for at, answer in (self._queries(model, queries) | self._texts(model, texts)).items():
            answers[at] = answer
        return answers if isinstance(inputs, list) else answers[0]

    def _model(self, data: Any) -> Any:
        """The model that a request asks for.

        Raises:
            ValueError: the request is wrong as a whole.
        """
        if not isinstance(data, dict) or "inputs" not in data:
            raise ValueError(f'a request is {{"inputs": ..., "parameters": {{...}}}}; an input is {FORMS}')
        parameters = data.get("parameters") or {}
        if not isinstance(parameters, dict) or parameters.keys() - {"normalize"}:
            raise ValueError(f'parameters are {_shown(parameters)}; accepted is {{"normalize": true or false}}')
        normalize = parameters.get("normalize", True)
        if not isinstance(normalize, bool):
            raise ValueError(f'"normalize" is {_shown(normalize)}; accepted are true and false')
        return self.model if normalize else self.unnormalised

    def _queries(self, model: Any, queries: dict[int, str]) -> dict[int, dict[str, Any]]:
        """Answers to type queries, by their place in the request."""
        answers: dict[int, dict[str, Any]] = {}
        places = list(queries)
        encoder = self._encoder(model, None)
        for begin in range(0, len(places), QUERIES):
            some = places[begin : begin + QUERIES]
            try:
                vectors = encoder.embed_queries([queries[at] for at in some])  # (queries, hidden_size)
                answers |= {at: {"vector": vector} for at, vector in zip(some, vectors.tolist(), strict=True)}
            except ValueError as error:  # one of them is wrong: ask for each by itself
                if len(some) == 1:
                    answers[some[0]] = {"error": str(error)}
                else:
                    for at in some:
                        answers |= self._queries(model, {at: queries[at]})
        return answers

    def _texts(self, model: Any, texts: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
        """Answers to inputs with a text, by their place in the request."""
        answers: dict[int, dict[str, Any]] = {}
        given: dict[int, Any] = {}
        bare: dict[int, Any] = {}
        for at, item in texts.items():
            try:
                document = self._document(at, item)
                (given if document.mentions else bare)[at] = document
            except ValueError as error:
                answers[at] = {"error": str(error)}
        if bare and self.detector is None:
            answers |= {at: {"error": "this model has no detector; say where the mentions are"} for at in bare}
            bare = {}
        for detector, documents in ((self.code("detection").GivenSpans(), given), (self.detector, bare)):
            if documents:
                windows = self._windows(documents)
                encoded = self._encoder(model, detector).encode(documents.values())
                for at, one in zip(documents, encoded, strict=True):
                    mentions = _mentions(one)
                    read = {"windows": windows[at], "characters": len(one.document.text)}
                    answers[at] = (mentions[0] if "start" in texts[at] else {"mentions": mentions}) | read
        return answers

    def _document(self, at: int, item: dict[str, Any]) -> Any:
        """The document of an input.

        Raises:
            ValueError: the input has another form, an empty text, or a mention outside of it.
        """
        fields = set(item) - {"text"}
        if "text" not in item or fields not in (set(), {"start", "end"}, {"mentions"}):
            raise ValueError(f"{_shown(item)} is no input; accepted is {FORMS}")
        if fields == {"mentions"} and not item["mentions"]:
            raise ValueError('"mentions" is empty; leave it out to have mentions found')
        mentions = item.get("mentions", [item] if fields else [])
        entry = {"id": f"inputs[{at}]", "text": item["text"], "mentions": mentions}
        return self.code("documents").Document.from_dict(entry)

    def _windows(self, documents: dict[int, Any]) -> Counter[int]:
        """In how many windows each document is read."""
        places, texts = list(documents), [document.text for document in documents.values()]
        windows = self.code("windows").make_windows(self.tokenizer, texts, self.model.config.max_tokens)
        return Counter(places[window.owner] for window in windows)

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
    """Import function for the folder's files.

    They import each other relatively, so they need a package. It cannot be called `modeling_nerret`: a server puts this
    folder on the path, and there that is the name of a file.
    """
    name = "nerret_repository_" + folder.as_posix().encode().hex()
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return lambda file: importlib.import_module(f"{name}.{file}")


def _mentions(encoded: Any) -> list[dict[str, Any]]:
    """The mentions that a text came with, in their order, or else those that were found in it."""
    text, given = encoded.document.text, encoded.document.mentions
    vectors = {span[:2]: vector for span, vector in zip(encoded.mentions, encoded.vectors.tolist(), strict=True)}
    mentions = []
    for start, end, score in given or encoded.mentions:
        mention = {"start": start, "end": end, "text": text[start:end]}
        if (start, end) in vectors:
            mention["vector"] = vectors[start, end]
        else:
            mention["error"] = "the model has no token for these characters"
        mentions.append(mention if given else mention | {"score": score})
    return mentions


def _shown(value: Any) -> str:
    return f"{value!r:.80}"
