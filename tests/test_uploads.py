"""Files that a visitor uploads: taken within limits, read into a private index, or named, and deleted."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("gradio")

from modeling_nerret.app import build, launch, limits
from modeling_nerret.app.private_texts import read_texts
from modeling_nerret.app.search_request import SearchRequest
from modeling_nerret.app.searcher import Searcher, View, Visit
from modeling_nerret.app.texts import PRIVATE
from modeling_nerret.app.uploads import Uploads, check_path

KEY, STRANGER = "0" * 32, "1" * 32
BYTES = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def searcher(tiny_checkpoint: str) -> Searcher:
    searcher = Searcher(model=tiny_checkpoint)
    searcher.corpus.result()
    return searcher


def _add(uploads: Uploads, path: str, content: str | bytes, key: str = KEY) -> None:
    draft = uploads.draft()
    draft.write_bytes(content.encode() if isinstance(content, str) else content)
    uploads.add(key, path, draft)


def _search(searcher: Searcher, text: str = "", visit: Visit | None = None, **options: Any) -> View:
    request = SearchRequest("city", PRIVATE, text, files=KEY, **options)
    return list(searcher.search(request, visit or Visit()))[-1]


def test_files_and_pasted_text_are_one_private_index(searcher: Searcher) -> None:
    _add(searcher.uploads, "letters/dig.md", "# A <b>dig</b>\n\nAda was in London.")
    _add(searcher.uploads, "letters/old/dig.md", "The river in Paris.")
    _add(searcher.uploads, "table.csv", "text,date,url\nOslo in May.,2020,https://example.org/a\n,x\n")
    _add(searcher.uploads, "broken.docx", "x")
    view = _search(searcher, "Bergen was a city.")
    for part in ("letters/dig.md<", "letters/old/dig.md<", "table.csv, 2", "line 1", "A &lt;b&gt;dig", "2020"):
        assert part in view.hits
    assert 'href="https://example.org/a"' in view.hits and "<b>dig" not in view.hits
    assert "2 items could not be read" in view.message and "broken.docx: it is no Word file" in view.message
    folder = searcher.uploads.get(KEY).folder
    table = searcher.table(view.visit)[1]
    assert "letters/dig.md" in table and str(folder.parent) not in view.message + view.hits + table
    corpus = view.visit.private_corpus
    assert _search(searcher, "Bergen was a city.", view.visit).visit.private_corpus is corpus
    searcher.uploads.remove(KEY, "table.csv")
    successor = _search(searcher, "", view.visit)
    assert "Oslo" not in successor.hits and not corpus.retriever.path.exists()
    searcher.uploads.remove(KEY, "")
    assert not folder.exists()
    assert "there is no text to search" in _search(searcher, "", view.visit).message


def test_what_cannot_be_read_at_all_is_explained(searcher: Searcher) -> None:
    _add(searcher.uploads, "a.csv", "title,body\nx,Ada in London.\n")
    assert "the columns are title, body: name one in the box “Columns with text”" in _search(searcher).message
    assert "Ada in London" in _search(searcher, columns="title, body").hits
    searcher.uploads.remove(KEY, "")


def test_equal_ids_lose_nothing_in_silence(tmp_path: Path) -> None:
    for name, content in {"a.txt": "Ada", "b.jsonl": '{"id": "a.txt", "text": "Oslo"}', "c.txt": "Graz"}.items():
        (tmp_path / name).write_text(content)
    texts = read_texts("Wien", tmp_path, "text")
    assert [document.id for document in texts.documents] == ["line 1", "a.txt", "c.txt"]
    assert [fault.where for fault in texts.faults] == ["a.txt"]


def test_bombs_and_masses_are_refused_before_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pa = pytest.importorskip("pyarrow")
    monkeypatch.setattr("modeling_nerret.app.private_texts.MAX_UNPACKED", 100_000)
    bomb = b"Ada in Oslo.\n" * 100_000
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(bomb))
    (tmp_path / "b.txt.zst").write_bytes(pa.compress(bomb, "zstd", asbytes=True))
    (tmp_path / "c.html").write_bytes(bomb)
    (tmp_path / "d.txt").write_text("Ada")
    texts = read_texts("", tmp_path, "text")
    assert [document.id for document in texts.documents] == ["d.txt"]
    assert [fault.reason for fault in texts.faults] == ["unpacked it has over 100,000 bytes"] * 3
    monkeypatch.setattr("modeling_nerret.app.private_texts.MAX_CHARACTERS", 2)
    with pytest.raises(ValueError, match="remove some"):
        read_texts("", tmp_path, "text")


@pytest.mark.parametrize(
    "path",
    [
        *("../a.txt", "/etc/a.txt", "a/../../b.txt", "a//b.txt", "./a.txt", "a.txt/..", "", "a\\b.txt", "a\0.txt"),
        *("x" * 300 + ".txt", "a/" * 50 + "b.txt", ".git/a.txt", "~$a.docx", "a.exe", "a", "a\n.txt", "a\u202e.txt"),
    ],
)
def test_paths_stay_in_their_folder_and_other_kinds_out(path: str) -> None:
    with pytest.raises(ValueError):
        check_path(path)


def test_limits_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = Uploads(tmp_path)
    monkeypatch.setattr(limits, "MAX_FILES", 2)
    monkeypatch.setattr(limits, "MAX_BYTES", 10)
    monkeypatch.setattr(limits, "MAX_VISITORS", 1)
    _add(uploads, "a.txt", "12345")
    _add(uploads, "a.txt", "1234567")  # replaced
    with pytest.raises(ValueError, match="more than 0 MB"):
        _add(uploads, "b.txt", "1234")
    _add(uploads, "b.txt", "1")
    with pytest.raises(ValueError, match="at most 2 files"):
        _add(uploads, "c.txt", "1")
    _add(uploads, "c.txt", "1", STRANGER)  # of two visitors the last stays
    assert uploads.get(KEY) is None
    monkeypatch.setattr(limits, "LIFETIME", -1)
    uploads.expire()
    assert uploads.get(STRANGER) is None and not list(tmp_path.glob("upload-*"))


@pytest.fixture(scope="module")
def client(tiny_checkpoint: str) -> Iterator[httpx.Client]:
    page = build(model=tiny_checkpoint)
    with httpx.Client(base_url=launch(page, server_name="127.0.0.1").rstrip("/"), timeout=60) as client:
        yield client
    page.close()


def _put(client: httpx.Client, name: str, content: Any, key: str = KEY, **headers: str) -> httpx.Response:
    return client.put(f"/files/{key}", params={"name": name}, content=content, headers=BYTES | headers)


def test_the_guard_lets_files_of_the_allowed_size_through(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 1_000_000)
    assert _put(client, "a.txt", b"x" * limits.MAX_FILE_BYTES).status_code == 200
    for content in (b"x" * (limits.MAX_FILE_BYTES + 1), iter([b"x" * 100_000] * 11)):
        response = _put(client, "b.txt", content)
        assert response.status_code in (413, 422) and "1 MB" in response.json()["detail"]
    assert client.delete(f"/files/{KEY}").status_code == 200
    assert _put(client, "ä/ö.txt", "Ada was in London.").status_code == 200
    data = ["city", PRIVATE, "", "vector", 0, 10, KEY, "text"]
    event = client.post("/gradio_api/call/search", json={"data": data}).json()["event_id"]
    answer = client.get(f"/gradio_api/call/search/{event}").text.rpartition("data: ")[2]
    assert "ä/ö.txt" in json.loads(answer)[1]
    data[6] = STRANGER
    event = client.post("/gradio_api/call/search", json={"data": data}).json()["event_id"]
    assert "London" not in client.get(f"/gradio_api/call/search/{event}").text


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("PUT", f"/files/{KEY}?name=..%2Fa.txt", BYTES, 422),
        ("PUT", f"/files/{KEY}?name=%FF%00.txt", BYTES, 422),
        ("PUT", f"/files/{KEY}", BYTES, 422),
        ("PUT", f"/files/{KEY}?name=a.txt", {"content-type": "text/plain"}, 415),
        ("PUT", f"/files/{KEY}?name=a.txt", BYTES | {"origin": "http://evil.example"}, 403),
        ("DELETE", f"/files/{KEY}", {"origin": "http://evil.example"}, 403),
        ("PUT", "/files/short?name=a.txt", BYTES, 404),
        ("GET", f"/files/{KEY}?name=a.txt", {}, 404),
        ("POST", f"/files/{KEY}?name=a.txt", BYTES, 404),
    ],
)
def test_requests_of_other_forms_are_refused(
    client: httpx.Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    assert (
        client.request(method, path, content=b"x" if method != "GET" else None, headers=headers).status_code == status
    )
