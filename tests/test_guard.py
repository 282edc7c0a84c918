"""What the app's server lets in, and what it says to the rest."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from modeling_nerret import EntityRetriever
from modeling_nerret.app import build, guard, launch
from modeling_nerret.app.bodies import MAX_BODY, MAX_UNREAD
from modeling_nerret.app.texts import DEMO, PRIVATE

GOOD = ["city", DEMO, "", "vector", 0, 10, "", "text"]
STATES = [None, None]  # which the page sends empty
JSON = {"content-type": "application/json"}
SEARCH = "/gradio_api/call/search"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secret-folder")


@pytest.fixture(scope="module")
def address(folder: Path, tiny_checkpoint: str) -> Iterator[str]:
    index = EntityRetriever(folder / "my-index", tiny_checkpoint)
    index.add([{"id": "a", "text": "Ada was born in London."}, {"id": "b", "text": "The river in Paris."}])
    page = build(folder / "my-index")
    yield launch(page, server_name="127.0.0.1").rstrip("/")
    page.close()


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=address, timeout=30) as client:
        yield client


def _post(client: httpx.Client, content: Any, path: str = SEARCH, **headers: str) -> httpx.Response:
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return client.post(path, content=content, headers=JSON | headers)


def _search(client: httpx.Client, *data: Any) -> list[Any]:
    """What the page shows for these values of its controls."""
    event = _post(client, {"data": data}).json()["event_id"]
    *_, answer = client.get(f"{SEARCH}/{event}").text.strip().split("\n\n")
    assert answer.startswith("event: complete\ndata: ")
    return json.loads(answer.partition("data: ")[2])


def test_a_search_is_answered(client: httpx.Client) -> None:
    message, hits, *_ = _search(client, *GOOD)
    assert "2 documents" in message and "London" in hits


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/upload"),
        ("POST", "/upload"),
        ("GET", "/gradio_api/upload_progress?upload_id=1"),
        ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", "/gradio_api/file/etc/passwd"),
        ("GET", "/file=/etc/passwd"),
        ("GET", "/gradio_api/proxy=http://127.0.0.1/"),
        ("GET", "/gradio_api/stream/a/b/1/playlist.m3u8"),
        ("POST", "/gradio_api/stream/a"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/run/search"),
        ("POST", "/gradio_api/api/search"),
        ("POST", "/gradio_api/call/v2/search"),
        ("POST", "/gradio_api/call/other"),
        ("POST", "/gradio_api/cancel"),
        ("POST", "/gradio_api/reset"),
        ("POST", "/login"),
        ("POST", "/"),
        ("PUT", SEARCH),
        ("PUT", f"/files/{'0' * 32}?name=a.txt"),  # an app over an index takes no files
        ("DELETE", f"/files/{'0' * 32}"),
        ("OPTIONS", SEARCH),
        ("GET", "/gradio_api/token"),
        ("GET", "/gradio_api/app_id"),
        ("GET", "/gradio_api/dev/reload"),
        ("GET", "/gradio_api/deep_link?session_hash=a"),
        ("GET", "/gradio_api/mcp"),
        ("GET", "/gradio_api/vibe-code"),
        ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/openapi.json"),
        ("GET", "/gradio_api/custom_component/a/client/b/c"),
        ("GET", "/monitoring"),
        ("GET", "/monitoring/summary"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/manifest.json"),
        ("GET", "/assets/../app.py"),
        ("GET", "/assets/..%2f..%2froutes.py"),
        ("GET", "/static/%2e%2e/x"),
        ("GET", "/gradio_api/heartbeat/" + "a" * 65),
        ("GET", "/assets/" + "a" * 300),  # no file system has such names, and Gradio would fail
        ("GET", "/static/" + "a/" * 2000 + "a"),
    ],
)
def test_other_routes_do_not_exist(method: str, path: str, client: httpx.Client) -> None:
    response = client.request(method, path, content=b"{}" if method in ("POST", "PUT") else None, headers=JSON)
    assert response.status_code == 404 and response.json() == {"detail": "this page has no such address"}


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info", "/gradio_api/heartbeat/abc"])
@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost", "127.0.0.1.evil.example:{}", "evil.example:{}", ""],
)
def test_only_this_host_is_answered(path: str, host: str, client: httpx.Client, address: str) -> None:
    port = address.rpartition(":")[2]
    response = client.get(path, headers={"host": host.format(port)})
    assert response.status_code in (400, 403) and "nerret" not in response.text


def test_all_names_of_this_host_are_answered(client: httpx.Client, address: str) -> None:
    port = address.rpartition(":")[2]
    for name in ("localhost", "127.0.0.1", "[::1]", "LOCALHOST"):
        headers = {"host": f"{name}:{port}", "origin": f"http://{name}:{port}"}
        assert _post(client, {"data": GOOD}, **headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "file://"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    ],
)
def test_other_pages_are_not_answered(headers: dict[str, str], client: httpx.Client) -> None:
    assert _post(client, {"data": GOOD}, **headers).status_code == 403
    assert client.get("/config", headers=headers).status_code == 403


def test_a_link_on_another_page_may_open_the_page(client: httpx.Client) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=headers).status_code == 200


def test_a_proxy_that_nobody_named_is_not_believed(client: httpx.Client) -> None:
    assert "evil.example" not in client.get("/config", headers={"x-forwarded-host": "evil.example"}).text


def test_a_space_answers_under_its_own_name(tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_HOST", "me-nerret.hf.space")
    page = build(model=tiny_checkpoint)
    address = launch(page, hosts=["search.example:8443"], server_name="127.0.0.1")
    try:
        for host in ("me-nerret.hf.space", "search.example:8443"):
            response = httpx.get(address, headers={"host": host, "x-forwarded-host": host})
            assert response.status_code == 200 and f"//{host}" in response.text
            assert "frame-ancestors https://huggingface.co" in response.headers["content-security-policy"]
        assert httpx.get(address, headers={"host": "evil.example"}).status_code == 403
    finally:
        page.close()


@pytest.mark.parametrize("path", ["/", "/config", "/theme.css", "/gradio_api/info", "/nothing", "/static/nothing"])
def test_each_answer_tells_the_browser_what_the_page_may_do(path: str, client: httpx.Client) -> None:
    headers = client.get(path).headers
    policy = dict(part.partition(" ")[::2] for part in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert policy["connect-src"] == "'self'" and "'unsafe-inline'" not in policy["script-src"]
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY" and "access-control-allow-origin" not in headers


def test_no_answer_names_folders_or_code(client: httpx.Client, folder: Path) -> None:
    paths = ["/", "/config", "/gradio_api/info", "/gradio_api/startup-events", "/gradio_api/queue/data?session_hash=a"]
    answers = [client.get(path).text for path in paths] + [str(_search(client, *GOOD))]
    answers += [_post(client, content).text for content in (b"{", {"data": [{}] * 6})]
    for answer in answers:
        assert folder.name not in answer and "Traceback" not in answer and ".py" not in answer


def test_answers_that_do_not_exist_are_not_waited_for(client: httpx.Client) -> None:
    event = _post(client, {"data": GOOD}).json()["event_id"]
    assert "event: complete" in client.get(f"{SEARCH}/{event}").text
    for path in (f"{SEARCH}/{event}", f"{SEARCH}/abc", "/gradio_api/queue/data?session_hash=abc"):
        assert client.get(path).status_code == 404
    for query in ("", "?session_hash=", "?session_hash=a%2fb"):
        assert client.get(f"/gradio_api/queue/data{query}").status_code == 400


def test_a_broken_index_is_the_terminals_business(
    folder: Path, tiny_checkpoint: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modeling_nerret.app.search_request import SearchRequest
    from modeling_nerret.app.searcher import Searcher, Visit

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(f"cannot read {folder}/my-index/data")

    searcher = Searcher(folder / "my-index")
    monkeypatch.setattr(searcher.corpus.result().retriever, "search", fail)
    (view,) = searcher.search(SearchRequest("city"), Visit())
    assert folder.name not in view.message and "The terminal" in view.message
    assert folder.name in caplog.text


@pytest.mark.parametrize(
    ("control", "value", "message"),
    [
        (0, 5, "the type is 5; it must be a text"),
        (0, "x" * 301, "the type has 301 characters; use fewer words"),
        (0, "a\ud800", "the type is not valid Unicode"),
        (1, "Elsewhere", "choose from: Demo corpus, Your own text"),
        (1, None, "the source is None"),
        (2, 5, "the text is 5; it must be a text"),
        (3, "fastest", "choose from: hybrid, vector, document, lexical"),
        (3, 1, "the mode is 1"),
        (4, float("nan"), "the share of right ones is nan; choose a number from 0 to 1"),
        (4, float("inf"), "choose a number from 0 to 1"),
        (4, -0.1, "choose a number from 0 to 1"),
        (4, 1.1, "choose a number from 0 to 1"),
        (4, "0", "choose a number from 0 to 1"),
        (4, True, "choose a number from 0 to 1"),
        (4, None, "choose a number from 0 to 1"),
        (5, 10**9, "the number of documents is 1000000000; choose a whole number from 1 to 50"),
        (5, 10**400, "choose a whole number from 1 to 50"),
        (5, 0, "choose a whole number from 1 to 50"),
        (5, -1, "choose a whole number from 1 to 50"),
        (5, 2.5, "choose a whole number from 1 to 50"),
        (5, "x", "choose a whole number from 1 to 50"),
        (5, True, "choose a whole number from 1 to 50"),
        (5, None, "choose a whole number from 1 to 50"),
    ],
)
def test_controls_are_checked_on_the_server(control: int, value: Any, message: str, client: httpx.Client) -> None:
    html, hits, *_ = _search(client, *(value if number == control else good for number, good in enumerate(GOOD)))
    assert message in html and hits == ""


def test_a_lone_surrogate_in_pasted_text_is_named(client: httpx.Client) -> None:
    html, *_ = _search(client, "city", PRIVATE, "Ada in London.\nAda in \ud800.", "vector", 0, 10, "", "text")
    assert "line 2&#x27; is not valid Unicode at character 7" in html
    html, hits, *_ = _search(client, "city", PRIVATE, "Ada in London.\nAda in Paris.", "vector", 0, 10, "", "text")
    assert "2 documents" in html and "London" in hits


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"", 400, "not JSON"),
        (b"\xff", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b'{"data": [' + b"1" * 5_000 + b"]}", 400, "not JSON"),
        ([], 400, 'needs "data"'),
        ({"data": "city"}, 400, 'needs "data"'),
        ({"data": ["city"]}, 400, '"data" has 1 values; needed are 8'),
        ({"data": [["city"], *GOOD[1:]]}, 400, 'value 1 of "data" is a list'),
        ({"data": [{"path": "/etc/passwd"}, *GOOD[1:]]}, 400, 'value 1 of "data" is a dict'),
        ({"data": GOOD, "session_hash": 7}, 400, "session_hash"),
        ({"data": GOOD, "session_hash": "a/../b"}, 400, "session_hash"),
        ({"data": ["x" * MAX_BODY, *GOOD[1:]]}, 413, "too large; a text may have 50,000 characters"),
    ],
)
def test_a_body_of_another_form_is_refused(content: Any, status: int, message: str, client: httpx.Client) -> None:
    response = _post(client, content)
    assert response.status_code == status and message in response.json()["detail"]


@pytest.mark.parametrize("path", ["/gradio_api/queue/join", "/gradio_api/run/predict"])
@pytest.mark.parametrize("number", [None, -1, 999, "0", True, 1.0, [0]])
def test_only_functions_of_the_page_can_be_called(path: str, number: Any, client: httpx.Client) -> None:
    response = _post(client, {"data": [*GOOD, *STATES], "fn_index": number, "session_hash": "abc"}, path)
    assert response.status_code == 400 and "fn_index" in response.json()["detail"]


def _functions(client: httpx.Client, size: int) -> list[int]:
    """Numbers of the functions of the page with so many inputs."""
    functions = client.get("/config").json()["dependencies"]
    return [function["id"] for function in functions if len(function["inputs"]) == size]


def test_controls_of_other_values_do_not_fail(client: httpx.Client) -> None:
    numbers = _functions(client, 1)  # the source has changed, and others
    assert numbers
    for number in numbers:
        for value in (None, "fastest", 1e999, True, "a\ud800"):
            body = {"data": [value], "fn_index": number, "session_hash": "abc"}
            assert _post(client, body, "/gradio_api/run/predict").status_code == 200


def test_marks_of_other_forms_do_not_fail(client: httpx.Client) -> None:
    (number,) = _functions(client, 1 + len(STATES))
    _search(client, *GOOD)
    for value in (None, "right a", "right nothing", "forget", "x" * 10_000, 1e999, True, "right \ud800"):
        body = {"data": [value, *STATES], "fn_index": number, "session_hash": "abc"}
        assert _post(client, body, "/gradio_api/run/predict").status_code == 200
    for data in ([["right a"], *STATES], [{"path": "/etc/passwd"}, *STATES], ["right a"]):
        body = {"data": data, "fn_index": number, "session_hash": "abc"}
        assert _post(client, body, "/gradio_api/run/predict").status_code == 400


def test_a_page_of_a_visitor_cannot_write_what_is_remembered(client: httpx.Client) -> None:
    values = [*GOOD, {"request": 1}, {"a": 1}]
    assert _post(client, {"data": values}).status_code == 400
    assert "London" in _search(client, *GOOD, "forged", "forged")[1]


def test_the_body_must_be_json_by_name_too(client: httpx.Client) -> None:
    for kind in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        assert client.post(SEARCH, content=b"{}", headers={"content-type": kind}).status_code == 415


def _talk(address: str, *parts: bytes) -> bytes:
    """The answer to raw bytes; later parts follow only while the server listens."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        answer = b""
        try:
            for part in parts:
                connection.sendall(part.replace(b"HOST", f"{host}:{port}".encode()))
            while part := connection.recv(65536):
                answer += part
        except (ConnectionError, TimeoutError):
            pass
    return answer


HEAD = b"POST /gradio_api/call/search HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nConnection: close\r\n"


def test_a_large_body_is_refused_before_it_is_read(address: str) -> None:
    answer = _talk(address, HEAD + b"Content-Length: 10000000000\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413") and b"is too large" in answer


def test_a_body_without_a_length_is_read_up_to_the_limit(address: str) -> None:
    chunk = b"2710\r\n" + b"x" * 10_000 + b"\r\n"
    count = MAX_BODY // 10_000 + 1  # no more than is read: a server that closes on unread bytes may lose its answer
    answer = _talk(address, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * count)
    assert answer.startswith(b"HTTP/1.1 413")
    body = json.dumps({"data": GOOD}).encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:9], body[9:]))
    answer = _talk(address, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunks + b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and b"event_id" in answer


def test_two_hosts_in_a_request_are_refused(address: str) -> None:
    answer = _talk(address, b"GET /config HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert re.match(rb"HTTP/1.1 40[03]", answer)


def test_a_header_that_comes_twice_hides_nothing(address: str) -> None:
    start = b"GET /config HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n"
    answer = _talk(address, start + b"Origin: http://evil.example\r\nOrigin: http://HOST\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403")


def test_requests_at_a_time_are_bounded(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_REQUESTS", 2)
    with client.stream("GET", "/gradio_api/heartbeat/a"), client.stream("GET", "/gradio_api/heartbeat/b"):
        response = client.get("/config")
        assert response.status_code == 503 and response.headers["retry-after"] == "2"
    monkeypatch.undo()
    assert client.get("/config").status_code == 200


def test_answers_that_nobody_fetches_are_bounded(client: httpx.Client) -> None:
    bodies = [{"data": ["", *GOOD[1:], *STATES], "fn_index": 0, "session_hash": "hoarder"}] * (MAX_UNREAD + 1)
    statuses = [_post(client, body, "/gradio_api/queue/join").status_code for body in bodies]
    assert statuses == [200] * MAX_UNREAD + [429]
    assert client.get("/gradio_api/queue/data?session_hash=hoarder").text.count("process_completed") == MAX_UNREAD
    assert _post(client, bodies[0], "/gradio_api/queue/join").status_code == 200
