"""The server: what it answers, what it refuses, and in which words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="pip install '.[serve]'")
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from modeling_nerret import EntityRetriever, GivenSpans
from modeling_nerret.cli import main
from modeling_nerret.serve.api import FORMS, make_app
from modeling_nerret.serve.batches import BatchEncoder
from modeling_nerret.serve.indexes import Indexes
from modeling_nerret.serve.paths import read_paths
from modeling_nerret.serve.questions import read_query
from modeling_nerret.serve.tokens import Tokens, read_tokens

TOKENS = {"NERRET_READ_TOKEN": "read-token-0123456789", "NERRET_WRITE_TOKEN": "write-token-0123456789"}
READER, WRITER = ({"authorization": f"Bearer {token}"} for token in TOKENS.values())
DOCUMENTS = [
    {"id": "a", "text": "Ada was born in London.", "year": 1815},
    {"id": "b", "text": "The river in Paris.", "year": 1900},
]


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: str) -> Indexes:
    folder = tmp_path_factory.mktemp("secret-folder")
    for name in ("first", "second"):
        EntityRetriever(folder / name, tiny_checkpoint).add(DOCUMENTS)
    return Indexes({name: folder / name for name in ("first", "second")})


@pytest.fixture(scope="module")
def client(indexes: Indexes) -> Iterator[TestClient]:
    """Of one index, without tokens."""
    only = Indexes({"first": indexes["first"].path})
    with TestClient(make_app(only, Tokens({}), max_k=50), "http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def closed_client(indexes: Indexes) -> Iterator[TestClient]:
    """Of two indexes, with tokens."""
    app = make_app(indexes, read_tokens(None, TOKENS), max_added=10_000)
    with TestClient(app, "http://any.example", raise_server_exceptions=False) as client:
        yield client


def _detail(response: httpx.Response) -> str:
    return response.json()["detail"]


def test_search_and_answer_are_those_of_the_retriever(client: TestClient, indexes: Indexes) -> None:
    answer = client.post("/search", json={"query": "city", "k": 2, "where": "year>=1815", "why": True}).json()
    hits = indexes["first"].search("city", 2)
    assert [hit["id"] for hit in answer["hits"]] == [hit.id for hit in hits]
    assert answer["hits"][0]["mentions"] == hits[0].as_dict()["mentions"] and "why" in answer["hits"][0]
    assert client.post("/answer", json={"query": "city", "where": {"year": 1900}}).json()["documents"] == 1
    assert client.post("/answer", json={"query": {"type": "city", "like": ["London"]}, "mode": "vector"}).is_success


def test_a_saved_query_is_asked_by_its_name(
    client: TestClient, indexes: Indexes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NERRET_HOME", str(tmp_path))
    indexes["first"].save_query("my cities", "city", like=["London"])
    hits = indexes["first"].search(indexes["first"].saved_query("my cities"), 2)
    for query in ("@my cities", {"type": "@my cities"}):
        rows = client.post("/search", json={"query": query, "k": 2}).json()["hits"]
        assert [row["id"] for row in rows] == [hit.id for hit in hits]
    expression = read_query({"and": ["@my cities", {"not": "river"}]}, indexes["first"].saved_query)
    assert next(expression.types()).vector is not None
    assert client.post("/entities", json={"query": "city", "with": "@my cities"}).is_success
    for body, words in (
        ({"query": "@no"}, "no query is saved as 'no'; saved are: my cities"),
        ({"query": "@../no"}, "cannot be saved"),
        ({"query": "@my cities", "like": ["Paris"]}, "is saved as it is"),
    ):
        assert words in _detail(client.post("/search", json=body))
    (tmp_path / "queries" / "my cities.json").write_text("{}")
    detail = _detail(client.post("/search", json={"query": "@my cities"}))
    assert "'my cities' is damaged" in detail and str(tmp_path) not in detail


def test_the_other_addresses_answer(client: TestClient) -> None:
    entities = client.post("/entities", json={"query": "city", "limit": 1}).json()
    assert entities["count"] >= len(entities["entities"]) == 1
    assert "pairs" in client.post("/entities", json={"query": "city", "with": "person", "within": "sentence"}).json()
    [mention, *_] = client.post("/detect", json={"text": "Ada in London.", "vectors": True}).json()["mentions"]
    assert mention["text"] == "Ada in London."[mention["start"] : mention["end"]] and len(mention["vector"]) == 16
    [vector] = client.post("/embed", json={"queries": ["city"]}).json()["vectors"]
    assert np.linalg.norm(vector) == pytest.approx(1)
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/indexes").json() == {"indexes": {"first": {"documents": 2}}}
    assert "has no names of types" in _detail(client.get("/types"))  # as the tiny model


def test_openapi_describes_every_address_with_an_example(client: TestClient) -> None:
    description = client.get("/openapi.json").json()
    assert {*FORMS, "/types", "/indexes", "/health", "/metrics"} <= set(description["paths"])
    for path, form in FORMS.items():
        schema = description["components"]["schemas"][form.__name__]
        example = schema["examples"][0]
        assert set(example) <= set(schema["properties"]), path
        response = client.post(path, json=example)
        needs = response.status_code == 422 and "needs a calibration" in _detail(response)  # which the tiny model lacks
        assert response.status_code in (200, 403) or needs, path


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"query": "city", "k": 0}, "k is 0; it must be a whole number from 1"),
        ({"query": "city", "k": 51}, "from 1 to 50"),
        ({"query": "city", "k": "2"}, '"k" is "2"; accepted is a whole number'),
        ({"query": "city", "k": True}, '"k" is true; accepted is a whole number'),
        ({"query": " "}, "a type query is a few words such as 'dinosaur', not ' '"),
        ({"query": "the " * 500}, "use fewer words"),
        ({"query": 5}, '"query" is 5; accepted is a few words such as'),
        ({"query": {"and": []}}, "accepted is a few words"),
        ({"query": {"not": "city"}}, "says only what is not wanted"),
        ({"query": {"or": ["city"] * 21}}, "more than 20 types"),
        ({"query": {"type": "city", "like": 5}}, "like is 5; it must be a list"),
        ({"query": "city", "like": ["a"] * 101}, "accepted are at most 100"),
        (
            {"query": "city", "like": [{"text": "\u00ad", "start": 0, "end": 1}]},
            "has no characters that the model can read",
        ),
        ({"query": "city", "marks": {"nobody": True}}, "there is no document 'nobody' to mark"),
        ({"query": "city", "mode": "magic"}, "mode is 'magic'; accepted are hybrid"),
        ({"query": "city", "within": "page"}, "page"),
        ({"query": "city", "where": "yaer=1"}, "the nearest name is 'year'"),
        ({"query": "city", "where": ""}, "where is empty"),
        ({"query": "city", "precision": 0.5}, "needs a calibration"),
        ({"query": "city", "index": "nowhere"}, "there is no index 'nowhere'; here are first"),
        ({"k": 1}, 'the field "query" is missing; accepted is a few words'),
        ({"query": "city", "size": 1}, "there is no field 'size' here; accepted are index, query"),
        ([1], "the body is no JSON object"),
    ],
)
def test_wrong_values_are_explained(client: TestClient, body: Any, words: str) -> None:
    response = client.post("/search", json=body)
    assert response.status_code == 422 and words in _detail(response), response.text


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"\xff{}", {}, 400),
        (b'{"query": "\\ud800"}', {}, 400),
        (b'{"query": ' + b"[" * 100_000, {}, 400),
        (b'{"query": "city", "k": ' + b"1" * 5_000 + b"}", {}, 400),
        (b'{"query": "city", "min_score": NaN}', {}, 422),
        (b'{"query": ' + b'{"not":' * 500 + b'"a"' + b"}" * 501, {}, 422),
        (b"{}", {"content-type": "text/plain"}, 415),
        (b" " * 300_000, {}, 413),
        (b"{}", {"host": "evil.example"}, 403),
    ],
)
def test_what_is_no_request_is_refused(
    client: TestClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    response = client.post("/search", content=content, headers={"content-type": "application/json"} | headers)
    assert response.status_code == status and _detail(response)


def test_other_addresses_and_methods_do_not_exist(client: TestClient) -> None:
    assert "there are /search, /answer" in _detail(client.get("/docs"))
    assert _detail(client.get("/search")) == "/search is asked with POST, not with GET"
    assert client.options("/search", headers={"origin": "http://evil.example"}).status_code == 405
    assert "access-control-allow-origin" not in client.get("/health", headers={"origin": "http://a.example"}).headers


def test_a_page_that_is_named_may_ask(indexes: Indexes) -> None:
    app = make_app(indexes, Tokens({}), origins=["https://a.example"])
    for origin in ("https://a.example", "https://b.example"):
        headers = {"origin": origin, "access-control-request-method": "POST"}
        response = TestClient(app, "http://localhost").options("/search", headers=headers)
        assert (response.headers.get("access-control-allow-origin") == origin) is (origin == "https://a.example")


def test_tokens_say_who_may_read_and_write(closed_client: TestClient, client: TestClient) -> None:
    question, change = {"query": "city", "index": "first"}, {"ids": ["nobody"], "index": "first"}
    assert "does not write" in _detail(client.post("/delete", json=change))
    for headers, status, write_status in (
        ({}, 401, 401),
        ({"authorization": "Bearer wrong"}, 401, 401),
        ({"authorization": "Basic " + TOKENS["NERRET_READ_TOKEN"]}, 401, 401),
        (READER, 200, 403),
        (WRITER, 200, 200),
    ):
        assert closed_client.post("/search", json=question, headers=headers).status_code == status
        assert closed_client.post("/delete", json=change, headers=headers).status_code == write_status
    assert closed_client.get("/metrics").status_code == 401 and closed_client.get("/health").status_code == 200


def test_documents_are_added_and_removed(closed_client: TestClient) -> None:
    body = {"index": "second", "documents": [{"id": 7, "text": "Ada wrote notes.", "year": 1843}]}
    assert closed_client.post("/add", json=body, headers=WRITER).json()["added"] == 1
    wrong = {"index": "second", "documents": [{"id": "good", "text": "Ada."}, {"id": "bad", "text": " "}]}
    assert _detail(closed_client.post("/add", json=wrong, headers=WRITER)) == "document 'bad' has an empty text"
    large = {"index": "second", "documents": [{"id": "a", "text": "a" * 10_000}]}
    assert "at most 10,000 bytes" in _detail(closed_client.post("/add", json=large, headers=WRITER))
    assert closed_client.post("/delete", json={"index": "second", "ids": [7, "good"]}, headers=WRITER).json() == {
        "removed": 1
    }


def test_nothing_is_added_with_another_detector_than_the_index_was_made_with(
    tmp_path: Path, tiny_checkpoint: str
) -> None:
    mentions = [{"start": 0, "end": 3}]
    document = {"id": "a", "text": "Ada wrote notes.", "mentions": mentions}
    EntityRetriever(tmp_path / "index", tiny_checkpoint, GivenSpans()).add([document])
    indexes = Indexes({"letters": tmp_path / "index"})
    with TestClient(make_app(indexes, read_tokens(None, TOKENS)), "http://any.example") as client:
        body = {"documents": [{"id": "b", "text": "Ada left."}]}
        detail = _detail(client.post("/add", json=body, headers=WRITER))
    assert "'letters' was made with the detector GivenSpans" in detail and len(indexes["letters"]) == 1


def test_of_several_indexes_one_must_be_named(closed_client: TestClient) -> None:
    assert "several indexes are here" in _detail(closed_client.post("/search", json={"query": "city"}, headers=READER))


def test_metrics_count_requests_and_passes(client: TestClient) -> None:
    client.post("/search", json={"query": "city"})
    client.get("/no%0Asuch%22address")
    text = client.get("/metrics").text
    assert 'nerret_requests_total{path="/search",status="200"}' in text and 'path="other",status="404"' in text
    assert 'nerret_documents{index="first"} 2' in text and "process_cpu_seconds_total" in text


def test_an_index_that_breaks_names_no_folder(tmp_path: Path, tiny_checkpoint: str) -> None:
    path = tmp_path / "secret-folder" / "index"
    EntityRetriever(path, tiny_checkpoint).add(DOCUMENTS)
    app = make_app(Indexes({"index": path}), read_tokens(None, TOKENS))
    path.rename(tmp_path / "gone")
    client = TestClient(app, raise_server_exceptions=False)
    for method, address, body in (
        ("POST", "/search", {"query": "city"}),
        ("POST", "/delete", {"ids": ["a"]}),
        ("GET", "/indexes", None),
    ):
        response = client.request(method, address, json=body, headers=WRITER)
        assert response.status_code == 503 and "folder" not in response.text and "tmp" not in response.text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3),
    max_leaves=6,
)
FIELDS = ("query", "k", "where", "mode", "min_score", "precision", "within", "wordings", "like", "unlike", "marks")


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(sorted(FORMS)), body=st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4))
def test_no_body_makes_the_server_fail(client: TestClient, path: str, body: dict[str, Any]) -> None:
    body = {"query": "city"} | body
    headers = {"content-type": "application/json"}
    response = client.post(path, content=json.dumps(body).encode(), headers=headers)
    assert response.status_code < 500 and (response.is_success or _detail(response)), response.text


def test_queries_that_arrive_together_are_embedded_in_one_pass(indexes: Indexes) -> None:
    encoder = BatchEncoder(indexes["first"].encoder)
    words = ["city", "river", "notes", "person", " ", "city"]
    results: dict[int, Any] = {}

    def embed(number: int) -> None:
        try:
            results[number] = encoder.embed_queries([words[number]])[0]
        except ValueError as error:
            results[number] = str(error)

    threads = [threading.Thread(target=embed, args=(number,)) for number in range(len(words))]
    with encoder._turn:  # as if a pass were running
        for thread in threads:
            thread.start()
        while len(encoder._queue) < len(words):
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert "a type query is a few words" in results.pop(4)
    lone = indexes["first"].encoder
    assert all(np.allclose(results[number], lone.embed_queries([words[number]])[0], atol=1e-6) for number in results)
    encoder.passes = encoder.queries = 0
    with encoder._turn:
        threads = [threading.Thread(target=embed, args=(number,)) for number in (0, 1, 5)]
        for thread in threads:
            thread.start()
        while len(encoder._queue) < 3:
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert (encoder.passes, encoder.queries) == (1, 2)


def test_tokens_are_read_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_text("# ours\n\nread abcdefghijklmnop\nwrite ponmlkjihgfedcba\n", encoding="utf-8")
    tokens = read_tokens(path, {})
    assert tokens.can_write and tokens.rights("Bearer abcdefghijklmnop") == {"read"}
    for text, words in (
        ("admin abcdefghijklmnop", "line 1 of the token file is no token"),
        ("read short", "too easy to guess"),
        ("", "has no token"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match=words) as failure:
            read_tokens(path, {})
        assert "short" not in str(failure.value) and "abcdefgh" not in str(failure.value)


def test_names_of_indexes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give it one: NAME="):
        read_paths([str(tmp_path / "my index")])
    with pytest.raises(ValueError, match="two indexes are called 'a'"):
        read_paths(["a=x", "a"])


def test_the_command_says_what_to_install(
    indexes: Indexes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "modeling_nerret.serve.server", raising=False)
    assert main(["serve", str(indexes["first"].path)]) == 1
    assert "pip install '.[serve]'" in capsys.readouterr().err


@pytest.mark.slow
def test_sigterm_lets_requests_finish(indexes: Indexes) -> None:
    path = indexes["first"].path
    command = [sys.executable, "-m", "modeling_nerret.cli", "serve", f"here={path}", "--port", "0"]
    environment = os.environ | {"NERRET_WRITE_TOKEN": TOKENS["NERRET_WRITE_TOKEN"]}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("here: http://127.0.0.1:") and line.endswith("writing is on\n"), line
        address = line.split()[1].rstrip(",")
        documents = [{"id": str(number), "text": "Ada wrote notes in London. " * 20} for number in range(60)]
        statuses: list[int] = []

        def add() -> None:
            response = httpx.post(f"{address}/add", json={"documents": documents}, headers=WRITER, timeout=60)
            statuses.append(response.status_code)

        thread = threading.Thread(target=add)
        thread.start()
        while "nerret_requests_in_progress 2" not in httpx.get(f"{address}/metrics", headers=WRITER).text:
            assert thread.is_alive(), "the addition ended too soon for this test"
        process.send_signal(signal.SIGTERM)
        thread.join()
        assert statuses == [200] and process.wait(30) == 0 and process.stderr.read() == "nerret: stopped\n"
