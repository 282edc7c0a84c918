"""The app: answers to searches, messages, pasted text, and that markup in texts stays text."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from gradio_client import Client

from modeling_nerret import Answer, EntityRetriever, Hit, Mention
from modeling_nerret.app import build, launch
from modeling_nerret.app.entity_list import render_entities
from modeling_nerret.app.html import SHORT_TEXT, render_hits, render_message
from modeling_nerret.app.limits import MAX_DOCUMENTS, MAX_PASTED
from modeling_nerret.app.marks import MAX_MARKS, MAX_QUERIES, Question, write_mark
from modeling_nerret.app.mention_map import MentionMap
from modeling_nerret.app.note import write_note
from modeling_nerret.app.pasted_text import split_documents
from modeling_nerret.app.search_request import SearchRequest
from modeling_nerret.app.searcher import Searcher, View, Visit
from modeling_nerret.app.sheet import FURTHER, Sheet, make_sheet
from modeling_nerret.app.texts import DEMO, END, NEAREST, PRIVATE
from modeling_nerret.app.type_list import render_types
from modeling_nerret.cli import main
from modeling_nerret.index.entities.groups import Place
from modeling_nerret.index.entities.listing import Context, Entity
from modeling_nerret.index.type_tree import TypeGroup, TypeTree

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
    searcher: Searcher, query: str, text: str | None = None, visit: Visit | None = None, **options: Any
) -> View:
    """The last view of a search: over `text` if there is one, else over the demo corpus."""
    source = DEMO if text is None else PRIVATE
    return list(searcher.search(SearchRequest(query, source, text or "", **options), visit or Visit()))[-1]


def _press(searcher: Searcher, view: View, book: Any, order: str) -> tuple[View, Any]:
    """The view and the marks after a button was pressed."""
    book = searcher.mark(order, view.visit, book)
    return list(searcher.again(view.visit, book))[-1], book


def test_the_demo_queries_find_what_they_should(demo: Searcher) -> None:
    for query, mention in [("dinosaur", "Stegosaurus"), ("chess player", "Judit Polgár"), ("volcano", "Krakatoa")]:
        view = _search(demo, query)
        answer, _, _ = view.hits.partition(END)
        assert re.match(r'<div class="message result"><strong>\d+ documents', view.message)
        assert mention in answer and f"nearest to {query}" in view.mention_map


def test_an_answer_ends_and_further_documents_follow(demo: Searcher) -> None:
    view = _search(demo, "dinosaur")
    answer, line, rest = view.hits.partition(END)
    assert line and "goblin shark" not in answer.partition("</details>")[2]
    assert Tags(rest).tags.count("li") == FURTHER and "hits further" in rest
    assert "are right" in view.message and "missing" in view.message
    shares = [float(share) for share in re.findall(r"<b>(\d+)\xa0%</b>", answer.partition("</details>")[2] + rest)]
    assert shares == sorted(shares, reverse=True) and shares[0] > shares[-1]
    assert "looks like" in answer and not re.search(r"0\.\d\d", Tags(view.hits + view.mention_map).text)


def test_nonsense_gets_a_plain_sentence_and_the_nearest_documents(demo: Searcher) -> None:
    view = _search(demo, "asdfgh qwerty")
    assert "Probably no document here mentions “asdfgh qwerty”." in view.message
    assert view.hits.index(END) < view.hits.index(NEAREST) < view.hits.index('<ol class="hits further">')
    assert "Ask for less" in _search(demo, "dinosaur", precision=1.0).message


def test_an_answer_is_surer_if_it_is_asked_to_be(demo: Searcher) -> None:
    retriever = demo.corpus.result().retriever
    shares = (0.1, 0.3, 0.9)
    sheets = [make_sheet(retriever, SearchRequest("company", precision=share), {}) for share in shares]
    lengths = [len(sheet.answer) for sheet in sheets]
    assert lengths == sorted(lengths, reverse=True) and lengths[0] > lengths[2]
    for sheet, share in zip(sheets, shares, strict=True):
        assert not sheet.hits or sheet.answer.precision >= share


def test_of_a_long_answer_the_first_documents_are_shown(demo: Searcher) -> None:
    view = _search(demo, "company", k=3)
    assert "You see the first 3" in view.message and END not in view.hits and "further" not in view.hits


def test_marks_search_again_and_are_forgotten(demo: Searcher) -> None:
    start = _search(demo, "dinosaur")
    view, book = _press(demo, start, {}, "right demo-147")
    assert "Your marks: 1 right, 0 wrong." in view.hits and view.message != start.message
    assert 'data-order="unmark demo-147" aria-pressed="true"' in view.hits
    view, book = _press(demo, view, book, "wrong demo-141")
    assert "1 right, 1 wrong" in view.hits and '<li class="wrong">' in view.hits
    assert "Your marks" not in _search(demo, "volcano").hits  # they belong to the query
    (visitor_view,) = demo.search(SearchRequest("  dinosaur "), Visit(), book)
    assert "1 right, 1 wrong" in visitor_view.hits
    view, book = _press(demo, view, book, "unmark demo-147")
    assert "0 right, 1 wrong" in view.hits
    view, book = _press(demo, view, book, "forget")
    assert book == {} and view.hits == start.hits and view.message == start.message


def test_marks_of_documents_that_are_gone_do_no_harm(demo: Searcher) -> None:
    view = _search(demo, "dinosaur")
    assert demo.mark("right nothing", view.visit, {}) == {}
    assert demo.mark("right demo-147", Visit(), {}) == {}
    question = Question(str(demo.corpus.result().retriever.path), "dinosaur")
    (next_view,) = demo.search(SearchRequest("dinosaur"), Visit(), {question: {"gone": True}})
    assert next_view.hits == view.hits


def test_marks_are_bounded() -> None:
    book: Any = {}
    for number in range(MAX_MARKS + 1):
        book = write_mark(book, Question("", "city"), f"right a {number}", lambda name: True)
    assert len(book[Question("", "city")]) == MAX_MARKS and "a 0" not in book[Question("", "city")]
    for number in range(MAX_QUERIES):
        book = write_mark(book, Question("", str(number)), "wrong a", lambda name: True)
    assert len(book) == MAX_QUERIES and Question("", "city") not in book


def test_an_answer_is_downloaded_whole_as_the_command_prints_it(
    searcher: Searcher, capsys: pytest.CaptureFixture
) -> None:
    assert "no answer yet" in searcher.table(Visit())[0] and searcher.table(Visit())[1] == ""
    view = _search(searcher, "city", "=Ada was in London.\nThe river in Paris.")
    message, table = searcher.table(view.visit)
    assert message is None and "\"'=" in table
    path = str(view.visit.corpus.retriever.path)
    assert main(["search", path, "city", "-k", "20", "--csv"]) == 0
    assert table == capsys.readouterr().out


def test_a_downloaded_answer_has_what_is_not_drawn_and_heeds_marks(demo: Searcher) -> None:
    view = _search(demo, "company", k=3)
    count = int(re.search(r"<strong>([\d,]+)", view.message)[1].replace(",", ""))
    table = demo.table(view.visit)[1]
    assert len(table.splitlines()) == count + 1 > 4
    assert len(re.search(r'data-copy="([^"]+)"', view.hits)[1].splitlines()) == count
    name = table.splitlines()[1].split(",")[1].strip('"')
    _, book = _press(demo, view, {}, f"wrong {name}")
    assert not any(f'"{name}"' in row for row in demo.table(view.visit, book)[1].splitlines()[1:])


@pytest.mark.parametrize("order", ["", "right", "right ", "buy a", None, 5, "\ud800", "x" * 1000])
def test_orders_that_no_button_sends_change_nothing(order: Any, demo: Searcher) -> None:
    visit = _search(demo, "dinosaur").visit
    book = {Question("other", "city"): {"a": True}}
    assert demo.mark(order, visit, book) == book


def test_the_documents_to_judge_are_drawn_even_far_down(demo: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    retriever = demo.corpus.result().retriever
    names = [hit.id for hit in make_sheet(retriever, SearchRequest("volcano"), {}).suggestions]
    assert len(names) == 5
    monkeypatch.setattr("modeling_nerret.app.sheet.MAX_DEPTH", 1)
    suggestions = make_sheet(retriever, SearchRequest("volcano"), {}).suggestions
    assert [hit.id for hit in suggestions] == names and suggestions[-1].text and not suggestions[-1].mentions


@pytest.mark.parametrize(
    ("count", "precision", "interval", "relevant", "note"),
    [
        (1, 0.9, (0.0, 1.0), 1.0, "1 document for “city”, the likeliest first. It is right with a chance of 90\xa0%."),
        (4, 1.0, (1.0, 1.0), 4.0, "Probably all of them are right. Hardly any is missing."),
        (2000, 0.8, (0.7, 0.9), 2600.0, "Probably about 1,600 of them are right (1,400 to 1,800). About 1,000 more"),
    ],
)
def test_notes(count: int, precision: float, interval: tuple, relevant: float, note: str) -> None:
    hits = [Hit(str(number), 1.0, "x", []) for number in range(count)]
    answer = Answer(hits, "city", precision, interval, relevant, 0.0)
    assert note in " ".join(write_note(Sheet(answer, hits, has_end=True), SearchRequest("city")))


def test_options_reach_the_search(searcher: Searcher) -> None:
    assert Tags(_search(searcher, "city", k=3).hits).tags.count("li") == 3
    view = _search(searcher, "ship", mode="lexical")
    assert "<mark" not in view.hits and "ship" in Tags(view.hits).text.lower()
    assert "Only if you look at “all of these”" in view.message and "data-order" not in view.hits


def test_a_model_without_calibration_takes_marks_and_promises_nothing(searcher: Searcher) -> None:
    view = _search(searcher, "city", k=3, precision=0.8)
    assert "3 documents" in view.message and "cannot say where the answer ends" in view.message
    assert END not in view.hits and "chance" not in view.hits
    name = re.search(r'data-order="right ([^"]+)"', view.hits)[1]
    assert "1 right" in _press(searcher, view, {}, f"right {name}")[0].hits


def test_the_start_page_lists_the_types_of_an_index() -> None:
    river = TypeGroup("<river>", 2, 3, ["Po"])
    tree = TypeTree([TypeGroup("place", 1234, 1300, ["Rome", "Oslo"], [river])], 2000, 2500, 9, 2500)
    checkpoint = SimpleNamespace(type_names=True)
    retriever = SimpleNamespace(checkpoint=checkpoint, types=lambda: tree)
    html = render_types(retriever)
    assert 'data-order="ask place"' in html and "place 1,234" in Tags(html).text and "Rome, Oslo" in html
    assert "<river>" in Tags(html).text and Tags(html).tags.count("button") == 2
    assert render_types(SimpleNamespace(checkpoint=SimpleNamespace(type_names=None))) == ""


def test_the_start_page_of_the_demo_names_types_that_can_be_asked(demo: Searcher) -> None:
    orders = re.findall(r'data-order="ask (.+?)"', demo.types())
    assert len(orders) >= 5 and len(set(orders)) == len(orders)
    assert "<ol" in _search(demo, orders[0]).hits


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        ("  ", {}, "Enter a type first"),
        ("xyzzy", {"mode": "lexical"}, "choose to look at “all of these”"),
        ("city " * 100, {}, "use fewer words"),
        ("city", {"text": ""}, "there is no text to search"),
        ("city", {"text": "x" * (MAX_PASTED + 1)}, "the box takes at most 50,000"),
        ("city", {"text": "x\n" * (MAX_DOCUMENTS + 1)}, "this page takes at most 2,000"),
        ("city", {"text": "Ada in \ud800"}, "not valid Unicode"),
    ],
)
def test_a_search_without_hits_explains_itself(searcher: Searcher, query: str, options: dict, message: str) -> None:
    view = _search(searcher, query, **options)
    assert message in Tags(view.message).text
    assert view.hits == view.mention_map == ""


def test_pasted_text_is_indexed_once_and_removed(searcher: Searcher) -> None:
    progress, *_, view = searcher.search(SearchRequest("city", PRIVATE, TEXT), Visit())
    assert "0 of 3 documents" in progress.message and progress.hits is progress.mention_map is None
    assert "3 documents" in view.message and "line 2" in view.hits and "<circle" in view.mention_map
    corpus = view.visit.private_corpus
    assert len(list(searcher.search(SearchRequest("river", PRIVATE, TEXT), view.visit))) == 1
    successor = _search(searcher, "city", "Ada in Paris.", view.visit).visit.private_corpus
    assert not corpus.retriever.path.exists() and successor.retriever.path.exists()
    searcher.forget(successor)
    assert not successor.retriever.path.exists()


def test_two_visitors_do_not_see_each_other(searcher: Searcher) -> None:
    london = _search(searcher, "city", "Ada in London.")
    paris = _search(searcher, "city", "The river in Paris.")
    assert "London" not in paris.hits and "Paris" not in london.hits
    assert "London" in _search(searcher, "city", "Ada in London.", london.visit).hits


def test_markup_in_texts_stays_text(searcher: Searcher) -> None:
    evil = '<script>alert(1)</script> in London" onload="alert(2) & <img src=x onerror=alert(3)>'
    message, hits, mention_map, _ = _search(searcher, "<b>", f"{evil}\nAda in Paris.\n{evil} wrote notes.")
    assert "for “<b>”" in Tags(message).text and "<b>" in Tags(mention_map).text
    assert Tags(re.sub('<div class="why">.*?</div>', "", hits)).text.count("<") == 6
    assert set(Tags(hits).tags) == {"ol", "li", "div", "p", "span", "mark", "button"}
    assert set(Tags(mention_map).tags) == {"figure", "svg", "circle", "title", "text", "figcaption", "span", "i"}
    assert set(Tags(message + render_message(evil, evil)).tags) == {"div", "strong"}
    assert set(Tags(render_hits([Hit(evil, 1.0, evil, [], probability=0.5)], {evil: True})).tags) == {
        *("ol", "li", "div", "span", "i", "b", "button")
    }


@pytest.mark.parametrize(
    ("metadata", "source"),
    [
        ({}, ""),
        ({"path": "/home/ada/dig.pdf", "page": 2}, ""),  # a folder of the server is nobody's business
        ({"Subject": "A <b>dig</b>", "date": "2020"}, "<bdi>A &lt;b&gt;dig&lt;/b&gt;</bdi> · <bdi>2020</bdi>"),
        ({"title": "Dig", "url": " JavaScript:alert(1)"}, "<bdi>Dig</bdi>"),
        ({"link": "data:text/html,<script>"}, ""),
        (
            {"title": "Dig", "url": "https://example.org/?a=1&b='\""},
            '<a href="https://example.org/?a=1&amp;b=&#x27;&quot;" target="_blank" rel="noopener noreferrer">'
            "<bdi>Dig</bdi></a>",
        ),
        (
            {"url": "http://a.org/x"},
            '<a href="http://a.org/x" target="_blank" rel="noopener noreferrer"><bdi>http://a.org/x</bdi></a>',
        ),
    ],
)
def test_a_card_shows_title_date_and_link(metadata: dict, source: str) -> None:
    html = render_hits([Hit("a", 0.5, "Oslo", [], metadata)])
    assert "".join(re.findall('<div class="source">(.*?)</div>', html)) == source


def test_long_documents_are_shown_around_their_mentions() -> None:
    text = "Rain fell. " * 200 + "Ada came to Oslo. " + "Snow fell. " * 200
    start = text.index("Oslo")
    excerpt = Tags(render_hits([Hit("a", 0.5, text, [Mention(start, start + 4, "Oslo", 0.5)])])).text
    assert "Ada came to Oslo." in excerpt and len(excerpt) < SHORT_TEXT
    assert "aCopy… " in excerpt and " …it says “Oslo”" in excerpt
    excerpt = Tags(render_hits([Hit("a", 5.0, text, [])])).text
    assert "aCopyRain fell." in excerpt and len(excerpt) < SHORT_TEXT + 20


def test_of_overlapping_mentions_the_best_is_marked_and_pales_with_the_probability() -> None:
    mentions = [Mention(0, 4, "Lake", 0.3), Mention(0, 9, "Lake Como", 0.6)]
    strengths = []
    for probability in (0.9, 0.2):
        html = render_hits([Hit("a", 0.6, "Lake Como froze.", mentions, probability=probability)])
        (strength,) = re.findall(r'<mark style="--strength:(.*?)">Lake Como</mark>', html)
        assert html.count("<mark") == 1 and f"{probability:.0%}".replace("%", "\xa0%") in html
        strengths.append(float(strength))
    assert strengths[0] > 2 * strengths[1] > 0


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
        message, hits, mention_map, _ = client.predict("city", DEMO, "", "vector", 0, 4, api_name="/search")
        assert "4 documents" in message and hits.count("<li>") == 4 and "<svg" in mention_map
        message, hits, *_ = client.predict("city", PRIVATE, TEXT, "hybrid", 0.8, 10, api_name="/search")
        assert "3 documents" in message and "&lt;" in hits and "<script" not in hits
        assert "Enter a type first" in client.predict("", DEMO, "", "hybrid", 0, 10, api_name="/search")[0]
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
    assert "pip install '.[app]'" in capsys.readouterr().err


def test_split_documents_by_paragraph_or_line() -> None:
    assert [document.id for document in split_documents("a\nb\r\n\r\nc")] == ["paragraph 1", "paragraph 2"]
    assert [document.text for document in split_documents("\n a \nb\n")] == ["a", "b"]


def test_importing_the_app_does_not_import_gradio() -> None:
    script = "import sys, modeling_nerret.app; sys.exit(bool({'gradio', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


def test_who_is_in_an_answer_is_counted_only_when_asked_as_the_command_does(
    demo: Searcher, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(EntityRetriever, "entities", None)
        view = _search(demo, "dinosaur")
    busy, html = demo.entities(view.visit)
    assert "Collecting" in busy and "Stegosaurus" in html and "demo-147" in html and "<mark" in html
    assert set(Tags(html).tags) == {"section", "h2", "ul", "li", "details", "summary", "bdi", "small", "span", "mark"}
    path = str(view.visit.corpus.retriever.path)
    assert main(["entities", path, "dinosaur", "--csv"]) == 0
    assert demo.entity_table(view.visit) == capsys.readouterr().out
    assert "no answer yet" in list(demo.entities(Visit()))[-1]
    assert "No names here" in list(demo.entities(_search(demo, "ship", mode="lexical").visit))[-1]


def test_markup_in_names_stays_text(searcher: Searcher) -> None:
    evil = "<img src=x onerror=alert(1)>"
    retriever = SimpleNamespace(lookup=lambda ids: {evil: SimpleNamespace(text=f"{evil} in Oslo")})
    place = Place(evil, 0, len(evil))
    html = render_entities(retriever, [Entity(evil, {evil: 1, "<b>": 1}, [place], Context(evil, 0, 1, "", "", ""), [])])
    assert {"img", "b"}.isdisjoint(Tags(html).tags) and evil in Tags(html).text
