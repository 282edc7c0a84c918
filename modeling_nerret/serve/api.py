"""The addresses of the server and what each answers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

from .. import __version__
from ..detection import readable
from ..documents import Document
from ..encoding import Encoder
from .forms import (
    AddForm,
    AnswerForm,
    DeleteForm,
    DetectForm,
    EmbedForm,
    EntitiesForm,
    Form,
    Problem,
    Question,
    SearchForm,
    complaint,
)
from .gate import MAX_ADDED, Gate
from .indexes import Indexes
from .metrics import Metrics, describe
from .questions import answer_as_dict, first_as_dicts, read_query, read_where
from .tokens import Tokens

logger = logging.getLogger(__name__)

MAX_K = 1_000
FORMS: dict[str, type[Form]] = {
    "/search": SearchForm,
    "/answer": AnswerForm,
    "/entities": EntitiesForm,
    "/add": AddForm,
    "/delete": DeleteForm,
    "/detect": DetectForm,
    "/embed": EmbedForm,
}
READS = ("/types", "/indexes", "/health", "/metrics", "/openapi.json")
DESCRIPTION = "Find every document that mentions an entity of a type that nobody foresaw."
PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": meaning}
    for status, meaning in (
        (400, "the body is no JSON"),
        (401, "a token is needed"),
        (403, "the token does not allow it"),
        (413, "the body is too large"),
        (422, "a field is wrong; the detail says what came and what is accepted"),
        (503, "the index cannot be used now"),
    )
}


class Answers:
    """What each address answers.

    Args:
        indexes: the indexes.
        max_k: most documents or entities of an answer.
    """

    def __init__(self, indexes: Indexes, max_k: int = MAX_K):
        self.indexes, self.max_k = indexes, max_k

    def search(self, form: SearchForm) -> dict[str, Any]:
        """The `k` best documents that mention an entity of a type, best first."""
        return self._ask(form, form.k, form.why)

    def answer(self, form: AnswerForm) -> dict[str, Any]:
        """The documents that are probably right, and how many are, or are missed: the answer ends by itself."""
        return self._ask(form, form.k, form.why)

    def entities(self, form: EntitiesForm) -> dict[str, Any]:
        """The entities of a type, those in most documents first; with `with`, the pairs of two types."""
        retriever, search = self._search(form, form.k)
        query = read_query(form.query, retriever.saved_query, **form.words())
        limit = min(form.limit, self.max_k)
        if form.partner is None:
            return first_as_dicts(retriever.entities(query, form.k, form.merge, **search), limit)
        partner = read_query(form.partner, retriever.saved_query)
        pairs = retriever.pairs(query, partner, form.k, search.pop("within"), form.merge, **search)
        return first_as_dicts(pairs, limit, "pairs")

    def types(self, index: str | None = None) -> dict[str, Any]:
        """Which types an index holds: a tree with rough numbers and examples."""
        return self.indexes.choose(index).types().as_dict()

    def list_indexes(self) -> dict[str, Any]:
        """The indexes by name, with their numbers of documents."""
        return {"indexes": {name: {"documents": len(retriever)} for name, retriever in self.indexes.items()}}

    def add(self, form: AddForm) -> dict[str, Any]:
        """Add documents, and replace those with the same ids: all of them, or none if one is refused."""
        report = self.indexes.choose_for_additions(form.index).add(form.documents)
        return {name: getattr(report, name) for name in ("added", "replaced", "mentions", "unmapped")}

    def delete(self, form: DeleteForm) -> dict[str, Any]:
        """Remove documents by id; says how many there were."""
        return {"removed": self.indexes.choose(form.index).delete(form.ids)}

    def detect(self, form: DetectForm) -> dict[str, Any]:
        """The mentions in a text, without an index."""
        retriever = self.indexes.choose(form.index)
        if retriever.detector is None:
            raise ValueError("the model of this index has no detector of its own")
        document = Document.from_dict({"id": "text", "text": form.text})
        encoder = Encoder(retriever.checkpoint.model, retriever.checkpoint.tokenizer, retriever.detector)
        [encoding] = encoder.encode([document])
        vectors = dict(zip(encoding.mentions, encoding.vectors, strict=True))
        spans = encoding.mentions if form.unsure else readable(encoding.mentions)
        return {
            "mentions": [
                span._asdict()
                | {"text": document.text[span.start : span.end]}
                | ({"vector": vectors[span].tolist()} if form.vectors else {})
                for span in spans
            ]
        }

    def embed(self, form: EmbedForm) -> dict[str, Any]:
        """The vectors of type queries, each of length 1."""
        return {"vectors": self.indexes.choose(form.index).encoder.embed_queries(form.queries).tolist()}

    def _ask(self, form: Question, k: int | None, why: bool) -> dict[str, Any]:
        retriever, search = self._search(form, k)
        answer = retriever.search(read_query(form.query, retriever.saved_query, **form.words()), k, why=why, **search)
        return answer_as_dict(answer, self.max_k, why)

    def _search(self, form: Question, k: int | None) -> tuple[Any, dict[str, Any]]:
        """The index of a question, and the arguments of its search."""
        if k is not None and k > self.max_k:
            raise ValueError(f"k is {k}; it must be a whole number from 1 to {self.max_k:,}")
        where = read_where(form.where)
        return self.indexes.choose(form.index), {"where": where, "within": form.within, **form.search()}


def make_app(
    indexes: Indexes,
    tokens: Tokens,
    max_k: int = MAX_K,
    max_added: int = MAX_ADDED,
    origins: Sequence[str] = (),
) -> Any:
    """The server as an ASGI application.

    Args:
        indexes: what it answers from.
        tokens: who may read and write.
        max_k: most documents of an answer.
        max_added: bytes of documents to add in one request.
        origins: addresses of pages whose scripts may ask, such as `https://example.org`.
    """
    api = FastAPI(title="nerret", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None)
    answers, metrics = Answers(indexes, max_k), Metrics([*FORMS, *READS])
    for path in FORMS:
        answer = getattr(answers, path.strip("/"))
        api.post(path, responses=PROBLEMS, summary=path.strip("/"))(answer)
    problems: dict[int | str, dict[str, Any]] = {status: PROBLEMS[status] for status in (401, 422, 503)}
    api.get("/types", responses=problems, summary="types")(answers.types)
    api.get("/indexes", responses=problems, summary="indexes")(answers.list_indexes)

    @api.get("/health", summary="health")
    async def health() -> dict[str, str]:
        """Whether the server answers; needs no token."""
        return {"status": "ok", "version": __version__}

    @api.get("/metrics", summary="metrics", response_class=PlainTextResponse)
    def metrics_text() -> PlainTextResponse:
        """Numbers for Prometheus."""
        return PlainTextResponse(describe(metrics, indexes), media_type="text/plain; version=0.0.4; charset=utf-8")

    _explain_errors(api, indexes)
    gate = Gate(api, tokens, metrics, max_added)
    if not origins:
        return gate
    headers = ["authorization", "content-type"]
    return CORSMiddleware(gate, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=headers)


def _explain_errors(api: FastAPI, indexes: Indexes) -> None:
    """Answer errors with one line, in the words of the command line and without folders of this computer."""

    @api.exception_handler(RequestValidationError)
    async def refuse_fields(request: Request, error: RequestValidationError) -> JSONResponse:
        if error.errors()[0]["type"] == "json_invalid":
            return _problem(400, "the body is not JSON")
        return _problem(422, complaint(FORMS.get(request.url.path, Form), error.errors(), error.body))

    @api.exception_handler(HTTPException)
    async def refuse_address(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 404:
            return _problem(404, f"there is no such address; there are {', '.join((*FORMS, *READS))}")
        if error.status_code == 405:
            method = "POST" if request.url.path in FORMS else "GET"
            return _problem(405, f"{request.url.path} is asked with {method}, not with {request.method}")
        return _problem(error.status_code, "the body is not JSON")

    @api.exception_handler(ValueError)
    async def refuse_values(request: Request, error: ValueError) -> JSONResponse:
        message = " ".join(str(error).split())
        detail = indexes.public(message)
        return _failure(message) if detail is None else _problem(422, detail)

    @api.exception_handler(OSError)
    @api.exception_handler(RuntimeError)
    async def admit_failure(request: Request, error: Exception) -> JSONResponse:
        return _failure(" ".join(str(error).split()))


def _failure(message: str) -> JSONResponse:
    logger.error("nerret serve: %s", message)
    return _problem(503, "the index cannot be used now; the server's log says why")


def _problem(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status)
