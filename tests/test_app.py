"""The app: what a search shows, what it says when there is nothing to show, and that texts stay text."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client

from modeling_nerret import EntityRetriever, Hit, Mention
from modeling_nerret.app.page import (
    CUTOFFS,
    DEMO,
    MOST_CHARACTERS,
    MOST_DOCUMENTS,
    PASTED,
    Searcher,
    build,
    launch,
    split_documents,
)
from modeling_nerret.cli import main
from modeling_nerret.app.mention_map import MentionMap
from modeling_nerret.app.hits import WHOLE, show_hits, show_message

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
    searcher.main.result()
    return searcher


@pytest.fixture(scope="module")
def demo() -> Searcher:
    """The app as people see it, with the model that ships."""
    return Searcher()


def _search(searcher: Searcher, query: str, source: str = DEMO, pasted: str = "", **options: object) -> tuple:
    settings = {"mode": "hybrid", "k": 10, "cutoff": 0.0, "own": None} | options
    return list(searcher.search(query, source, pasted, **settings))[-1]


def test_the_demo_queries_find_what_they_should(demo: Searcher) -> None:
    for query, mention in [("dinosaur", "Stegosaurus"), ("chess player", "Judit Polgár"), ("volcano", "Krakatoa")]:
        message, hits, drawn, _ = _search(demo, query)
        assert message.startswith('<div class="message found"><strong>10 documents')
        assert mention in hits and f"nearest to {query}" in drawn
    assert re.search(r"<mark[^>]*>Stegosaurus <small>0\.\d\d</small></mark>", _search(demo, "dinosaur")[1])


def test_options_reach_the_search(searcher: Searcher) -> None:
    assert Tags(_search(searcher, "city", k=3)[1]).tags.count("li") == 3
    lexical = _search(searcher, "ship", mode="lexical")
    assert "<mark" not in lexical[1] and "ship" in Tags(lexical[1]).text.lower()
    assert "choose a lower cut-off" in _search(searcher, "city", cutoff=CUTOFFS["hybrid"])[0]


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        ("  ", {}, "Type a type first"),
        ("xyzzy", {"mode": "lexical"}, "choose hybrid mode"),
        ("city " * 100, {}, "use fewer words"),
        ("city", {"source": PASTED}, "there is no text to search"),
        ("city", {"source": PASTED, "pasted": "x" * (MOST_CHARACTERS + 1)}, "this page takes 50,000"),
        ("city", {"source": PASTED, "pasted": "x\n" * (MOST_DOCUMENTS + 1)}, "this page takes 500"),
        ("city", {"source": PASTED, "pasted": "Ada in \ud800"}, "not valid Unicode"),
    ],
)
def test_what_cannot_be_shown_is_explained(searcher: Searcher, query: str, options: dict, message: str) -> None:
    shown, hits, drawn, _ = _search(searcher, query, **options)
    assert message in Tags(shown).text
    assert hits == drawn == ""


def test_pasted_text_is_indexed_once_and_removed(searcher: Searcher) -> None:
    steps = list(searcher.search("city", PASTED, TEXT, "hybrid", 10, 0.0, None))
    assert "0 of 3 documents" in steps[0][0]
    message, hits, drawn, own = steps[-1]
    assert "3 documents" in message and "line 2" in hits and "<circle" in drawn
    assert len(list(searcher.search("river", PASTED, TEXT, "hybrid", 10, 0.0, own))) == 1
    changed = _search(searcher, "city", PASTED, "Ada in Paris.", own=own)[-1]
    assert not own.retriever.path.exists() and changed.retriever.path.exists()
    searcher.forget(changed)
    assert not changed.retriever.path.exists()


def test_two_visitors_do_not_see_each_other(searcher: Searcher) -> None:
    one = _search(searcher, "city", PASTED, "Ada in London.")
    other = _search(searcher, "city", PASTED, "The river in Paris.")
    assert "London" not in other[1] and "Paris" not in one[1]
    assert "London" in _search(searcher, "city", PASTED, "Ada in London.", own=one[-1])[1]


def test_texts_stay_text(searcher: Searcher) -> None:
    evil = '<script>alert(1)</script> in London" onload="alert(2) & <img src=x onerror=alert(3)>'
    message, hits, drawn, _ = _search(searcher, "<b>", PASTED, f"{evil}\nAda in Paris.\n{evil} wrote notes.")
    assert "for “<b>”" in Tags(message).text and "<b>" in Tags(drawn).text
    assert Tags(hits).text.count("<") == 6
    assert set(Tags(hits).tags) == {"ol", "li", "p", "span", "mark", "small"}
    assert set(Tags(drawn).tags) == {"figure", "svg", "circle", "title", "text", "figcaption", "span", "i"}
    assert set(Tags(message + show_message(evil, evil)).tags) == {"div", "strong"}


def test_long_documents_are_shown_around_their_mentions() -> None:
    text = "Rain fell. " * 200 + "Ada came to Oslo. " + "Snow fell. " * 200
    start = text.index("Oslo")
    shown = Tags(show_hits([Hit("a", 0.5, text, [Mention(start, start + 4, "Oslo", 0.5)])])).text
    assert "Ada came to Oslo 0.50." in shown and len(shown) < WHOLE
    assert len(Tags(show_hits([Hit("a", 5.0, text, [])])).text) < WHOLE + 20


def test_of_overlapping_mentions_the_best_is_marked() -> None:
    mentions = [Mention(0, 4, "Lake", 0.3), Mention(0, 9, "Lake Como", 0.6)]
    shown = show_hits([Hit("a", 0.6, "Lake Como froze.", mentions)])
    assert shown.count("<mark") == 1 and "Lake Como <small>0.60</small>" in shown


def test_the_map_keeps_what_lies_together_together() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.eye(8)[:2], 20, axis=0)  # (mentions, hidden_size)
    vectors = groups + 0.05 * random.normal(size=groups.shape)
    mention_map = MentionMap.of([f"m{number}" for number in range(40)], vectors)
    places = mention_map.places(vectors)
    assert places.min() == 0 and places.max() == 1
    assert np.abs(places[:20, 0].mean() - places[20:, 0].mean()) > 0.7
    strong = re.findall(r"--near:(\d+)%.*?<title>m(\d+)", mention_map.svg("one", np.eye(8)[0]))
    assert {int(number) < 20 for near, number in strong if int(near) > 90} == {True}


def test_a_map_of_equal_mentions_is_drawn() -> None:
    assert MentionMap.of(["a", "b", "c"], np.ones((3, 4))).svg("x", np.ones(4)).count("<circle") == 3


def test_client_over_http(searcher: Searcher, tiny_checkpoint: str) -> None:
    page = build(model=tiny_checkpoint)
    address = launch(page, server_name="127.0.0.1")
    try:
        client = Client(address, verbose=False)
        message, hits, drawn = client.predict("city", DEMO, "", "vector", 4, 0, api_name="/search")
        assert "4 documents" in message and hits.count("<li>") == 4 and "<svg" in drawn
        message, hits, _ = client.predict("city", PASTED, TEXT, "hybrid", 10, 0, api_name="/search")
        assert "3 documents" in message and "&lt;" in hits and "<script" not in hits
        assert "Type a type first" in client.predict("", DEMO, "", "hybrid", 10, 0, api_name="/search")[0]
        assert not page.analytics_enabled and page.share is False and address.startswith("http://127.0.0.1:")
    finally:
        page.close()


@pytest.fixture
def index(tmp_path: Path, tiny_checkpoint: str) -> Iterator[Path]:
    EntityRetriever(tmp_path / "index", tiny_checkpoint).add(
        {"id": name, "text": text} for name, text in zip("abc", TEXT.splitlines(), strict=True)
    )
    yield tmp_path / "index"


def test_ones_own_index(index: Path) -> None:
    message, hits, _, _ = _search(Searcher(index), "city")
    assert "3 documents" in message and '<span class="id">b</span>' in hits
    shown = json.dumps(build(index).get_config_file()["components"], default=str)
    assert "3 documents" in shown and str(index) in shown


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
    assert [d.id for d in split_documents("a\nb\r\n\r\nc")] == ["paragraph 1", "paragraph 2"]
    assert [d.text for d in split_documents("\n a \nb\n")] == ["a", "b"]
