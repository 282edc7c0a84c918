"""The app: answers to searches, messages, pasted text, and that markup in texts stays text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client

from modeling_nerret import EntityRetriever, Hit, Mention
from modeling_nerret.app import build, launch
from modeling_nerret.app.html import SHORT_TEXT, render_hits, render_message
from modeling_nerret.app.mention_map import MentionMap
from modeling_nerret.app.page import CUTOFFS
from modeling_nerret.app.pasted_text import MAX_CHARACTERS, MAX_DOCUMENTS, split_documents
from modeling_nerret.app.searcher import SearchableCorpus, Searcher, SearchRequest, View
from modeling_nerret.app.texts import DEMO, PASTED
from modeling_nerret.cli import main

TEXT = "Ada was born in London.\nThe river in Paris <script>alert(1)</script>.\nShe wrote in the city."


class Tags(HTMLParser):
    """The tags and the text of some HTML, as a browser would read it."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def searcher(tiny_checkpoint: str) -> Searcher:
    searcher = Searcher(model=tiny_checkpoint)
    searcher.corpus.result()
    return searcher


@pytest.fixture(scope="module")
def demo() -> Searcher:
    """The app as visitors see it, with the default model."""
    return Searcher()


def _search(
    searcher: Searcher, query: str, text: str | None = None, corpus: SearchableCorpus | None = None, **options: Any
) -> View:
    """The last view of a search: over `text` if there is one, else over the demo corpus."""
    source = DEMO if text is None else PASTED
    return list(searcher.search(SearchRequest(query, source, text or "", **options), corpus))[-1]


def test_the_demo_queries_find_what_they_should(demo: Searcher) -> None:
    for query, mention in [("dinosaur", "Stegosaurus"), ("chess player", "Judit Polgár"), ("volcano", "Krakatoa")]:
        view = _search(demo, query)
        assert view.message.startswith('<div class="message result"><strong>10 documents')
        assert mention in view.hits and f"nearest to {query}" in view.mention_map
    assert re.search(r"<mark[^>]*>Stegosaurus <small>0\.\d\d</small></mark>", _search(demo, "dinosaur").hits)


def test_options_reach_the_search(searcher: Searcher) -> None:
    assert Tags(_search(searcher, "city", k=3).hits).tags.count("li") == 3
    lexical = _search(searcher, "ship", mode="lexical").hits
    assert "<mark" not in lexical and "ship" in Tags(lexical).text.lower()
    assert "choose a lower cut-off" in _search(searcher, "city", cutoff=CUTOFFS["hybrid"]).message


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        ("  ", {}, "Enter a type first"),
        ("xyzzy", {"mode": "lexical"}, "choose hybrid mode"),
        ("city " * 100, {}, "use fewer words"),
        ("city", {"text": ""}, "there is no text to search"),
        ("city", {"text": "x" * (MAX_CHARACTERS + 1)}, "this page takes at most 50,000"),
        ("city", {"text": "x\n" * (MAX_DOCUMENTS + 1)}, "this page takes at most 500"),
        ("city", {"text": "Ada in \ud800"}, "not valid Unicode"),
    ],
)
def test_a_search_without_hits_explains_itself(searcher: Searcher, query: str, options: dict, message: str) -> None:
    view = _search(searcher, query, **options)
    assert message in Tags(view.message).text
    assert view.hits == view.mention_map == ""


def test_pasted_text_is_indexed_once_and_removed(searcher: Searcher) -> None:
    progress, *_, view = searcher.search(SearchRequest("city", PASTED, TEXT))
    assert "0 of 3 documents" in progress.message and progress.hits is progress.mention_map is None
    assert "3 documents" in view.message and "line 2" in view.hits and "<circle" in view.mention_map
    corpus = view.pasted_corpus
    assert len(list(searcher.search(SearchRequest("river", PASTED, TEXT), corpus))) == 1
    successor = _search(searcher, "city", "Ada in Paris.", corpus).pasted_corpus
    assert not corpus.retriever.path.exists() and successor.retriever.path.exists()
    searcher.forget(successor)
    assert not successor.retriever.path.exists()


def test_two_visitors_do_not_see_each_other(searcher: Searcher) -> None:
    london = _search(searcher, "city", "Ada in London.")
    paris = _search(searcher, "city", "The river in Paris.")
    assert "London" not in paris.hits and "Paris" not in london.hits
    assert "London" in _search(searcher, "city", "Ada in London.", london.pasted_corpus).hits


def test_markup_in_texts_stays_text(searcher: Searcher) -> None:
    evil = '<script>alert(1)</script> in London" onload="alert(2) & <img src=x onerror=alert(3)>'
    message, hits, mention_map, _ = _search(searcher, "<b>", f"{evil}\nAda in Paris.\n{evil} wrote notes.")
    assert "for “<b>”" in Tags(message).text and "<b>" in Tags(mention_map).text
    assert Tags(hits).text.count("<") == 6
    assert set(Tags(hits).tags) == {"ol", "li", "p", "span", "mark", "small"}
    assert set(Tags(mention_map).tags) == {"figure", "svg", "circle", "title", "text", "figcaption", "span", "i"}
    assert set(Tags(message + render_message(evil, evil)).tags) == {"div", "strong"}


def test_long_documents_are_shown_around_their_mentions() -> None:
    text = "Rain fell. " * 200 + "Ada came to Oslo. " + "Snow fell. " * 200
    start = text.index("Oslo")
    excerpt = Tags(render_hits([Hit("a", 0.5, text, [Mention(start, start + 4, "Oslo", 0.5)])])).text
    assert "Ada came to Oslo 0.50." in excerpt and len(excerpt) < SHORT_TEXT
    assert "a… " in excerpt and excerpt.endswith(" …")
    excerpt = Tags(render_hits([Hit("a", 5.0, text, [])])).text
    assert "aRain fell." in excerpt and len(excerpt) < SHORT_TEXT + 20


def test_of_overlapping_mentions_the_best_is_marked() -> None:
    mentions = [Mention(0, 4, "Lake", 0.3), Mention(0, 9, "Lake Como", 0.6)]
    html = render_hits([Hit("a", 0.6, "Lake Como froze.", mentions)])
    assert html.count("<mark") == 1 and "Lake Como <small>0.60</small>" in html


def test_the_map_keeps_groups_of_vectors_together() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.eye(8)[:2], 20, axis=0)  # (mentions, hidden_size)
    vectors = groups + 0.05 * random.normal(size=groups.shape)
    mention_map = MentionMap.of([f"m{number}" for number in range(40)], vectors)
    points = mention_map.project(vectors)
    assert points.min() == 0 and points.max() == 1
    assert np.abs(points[:20, 0].mean() - points[20:, 0].mean()) > 0.7
    colours = re.findall(r"--near:(\d+)%.*?<title>m(\d+)", mention_map.render("first", np.eye(8)[0]))
    assert {int(number) < 20 for strength, number in colours if int(strength) > 90} == {True}


def test_a_map_of_equal_mentions_is_drawn() -> None:
    assert MentionMap.of(["a", "b", "c"], np.ones((3, 4))).render("x", np.ones(4)).count("<circle") == 3


def test_client_over_http(searcher: Searcher, tiny_checkpoint: str) -> None:
    page = build(model=tiny_checkpoint)
    address = launch(page, server_name="127.0.0.1")
    try:
        client = Client(address, verbose=False)
        message, hits, mention_map = client.predict("city", DEMO, "", "vector", 4, 0, api_name="/search")
        assert "4 documents" in message and hits.count("<li>") == 4 and "<svg" in mention_map
        message, hits, _ = client.predict("city", PASTED, TEXT, "hybrid", 10, 0, api_name="/search")
        assert "3 documents" in message and "&lt;" in hits and "<script" not in hits
        assert "Enter a type first" in client.predict("", DEMO, "", "hybrid", 10, 0, api_name="/search")[0]
        assert not page.analytics_enabled and page.share is False and address.startswith("http://127.0.0.1:")
    finally:
        page.close()


@pytest.fixture
def index(tmp_path: Path, tiny_checkpoint: str) -> Iterator[Path]:
    EntityRetriever(tmp_path / "index", tiny_checkpoint).add(
        {"id": name, "text": text} for name, text in zip("abc", TEXT.splitlines(), strict=True)
    )
    yield tmp_path / "index"


def test_an_index_of_the_user(index: Path) -> None:
    view = _search(Searcher(index), "city")
    assert "3 documents" in view.message and '<span class="id">b</span>' in view.hits
    components = json.dumps(build(index).get_config_file()["components"], default=str)
    assert "Searching index: 3 documents" in components and str(index.parent) not in components


def test_the_command_explains_a_wrong_path(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["app", str(tmp_path / "missing")]) == 1
    assert "is no nerret index" in capsys.readouterr().err


def test_without_gradio_the_error_says_what_to_install(
    index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "modeling_nerret.app.page")
    assert main(["app", str(index)]) == 1
    assert "pip install 'nerret[app]'" in capsys.readouterr().err


def test_split_documents_by_paragraph_or_line() -> None:
    assert [document.id for document in split_documents("a\nb\r\n\r\nc")] == ["paragraph 1", "paragraph 2"]
    assert [document.text for document in split_documents("\n a \nb\n")] == ["a", "b"]


def test_importing_the_app_does_not_import_gradio() -> None:
    script = "import sys, modeling_nerret.app; sys.exit(bool({'gradio', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0
