"""What the body of each request holds. The descriptions stand in the OpenAPI document and in the errors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from .questions import FORMS

DINOSAUR: JsonDict = {"query": "dinosaur", "k": 3}
JOINED: JsonDict = {"query": {"and": ["politician", {"not": "election"}]}, "where": "year>=1990", "precision": 0.8}


class Form(BaseModel):
    """A body: it has these fields and no others, and they are of these types exactly."""

    model_config = ConfigDict(extra="forbid", strict=True)

    index: str | None = Field(None, description="the name of an index; needed if there are several")


class Question(Form):
    """What all questions have."""

    query: str | dict[str, Any] = Field(description=FORMS)
    where: str | dict[str, Any] | list[dict[str, Any]] | None = Field(
        None, description='conditions on metadata, such as "year>=1990", {"year": {">=": 1990}}, or a list of objects'
    )
    mode: str = Field("hybrid", description="hybrid, vector, document or lexical")
    min_score: float | None = Field(None, description="a number; documents with a lower score are left out")
    precision: float | None = Field(None, description="the share of right documents to expect, such as 0.8")
    within: str | int = Field("document", description='"document", "sentence", or a number of characters')
    wordings: list[str] = Field([], description='other words for the type, a list such as ["fossil reptile"]')
    like: list[str | dict[str, Any]] = Field(
        [], description='examples, a list of names, or of mentions {"text": ..., "start": ..., "end": ...}'
    )
    unlike: list[str | dict[str, Any]] = Field([], description="examples of what it is not, a list as for like")
    marks: dict[str, bool] = Field({}, description='documents that were judged, such as {"doc-7": true}')

    def search(self) -> dict[str, Any]:
        """The fields that are arguments of a search by their own names."""
        return {"mode": self.mode, "min_score": self.min_score, "precision": self.precision}

    def words(self) -> dict[str, Any]:
        """The fields that say more of a type."""
        return {name: getattr(self, name) for name in ("wordings", "like", "unlike", "marks")}


class SearchForm(Question):
    """The best documents."""

    model_config = ConfigDict(json_schema_extra={"examples": [DINOSAUR]})
    k: int = Field(10, description="a whole number, of documents")
    why: bool = Field(False, description="true or false: whether each document comes with a reason")


class AnswerForm(Question):
    """The answer that ends by itself."""

    model_config = ConfigDict(json_schema_extra={"examples": [JOINED]})
    k: int | None = Field(None, description="a whole number, of documents at most; without it the answer ends itself")
    why: bool = Field(False, description="true or false: whether each document comes with a reason")


class EntitiesForm(Question):
    """The entities of a type, or the pairs of two types."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"query": "politician", "with": "country"}]})
    k: int | None = Field(None, description="a whole number, of documents that are looked at; without it the answer")
    partner: str | dict[str, Any] | None = Field(
        None, alias="with", description="a second type, for pairs, written as the query"
    )
    merge: bool = Field(True, description="true or false: whether aliases count to their entity")
    limit: int = Field(100, description="a whole number, of entities or pairs in the answer", ge=1)


class AddForm(Form):
    """Documents to add."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"documents": [{"id": "dig", "text": "A Triceratops.", "year": 2019}]}]}
    )
    documents: list[dict[str, Any]] = Field(
        description='a list of documents {"id": ..., "text": ...}; further fields are metadata', min_length=1
    )


class DeleteForm(Form):
    """Documents to remove."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ids": ["dig"]}]})
    ids: list[str | int] = Field(description="a list of ids of documents", min_length=1)


class DetectForm(Form):
    """A text whose mentions are wanted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Sophie Germain wrote to Gauss."}]})
    text: str = Field(description="a text")
    vectors: bool = Field(False, description="true or false: whether each mention comes with its vector")
    unsure: bool = Field(False, description="true or false: also what is unsure, or inside another mention")


class EmbedForm(Form):
    """Type queries whose vectors are wanted."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"queries": ["dinosaur", "river"]}]})
    queries: list[str] = Field(description="a list of 1 to 64 type queries", min_length=1, max_length=64)


class Problem(BaseModel):
    """Why a request was refused."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"detail": "k is 0; it must be a whole number from 1"}]})
    detail: str


def complaint(form: type[BaseModel], errors: Sequence[Mapping[str, Any]], body: Any) -> str:
    """What is wrong with a body, in a line: what came, and what is accepted.

    Args:
        form: what the body should be.
        errors: pydantic's.
        body: what came.
    """
    fields = {field.alias or name: field for name, field in form.model_fields.items()}
    names = ", ".join(fields)
    if not isinstance(body, dict):
        return f"the body is no JSON object; accepted is one with the fields {names}"
    place = [part for part in errors[0]["loc"] if part != "body"]
    name = str(place[0]) if place else ""
    field = fields.get(name)
    if field is None:
        return f"there is no field {name!r:.60} here; accepted are {names}"
    if name not in body:
        return f'the field "{name}" is missing; accepted is {field.description}'
    return f'"{name}" is {shortened(body[name])}; accepted is {field.description}'


def shortened(value: Any) -> str:
    """A value as JSON, its first characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]} ..."
