"""The page: its controls, and how to build and launch it. `nerret app` and the demo Space show it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from ..extras import install_line

try:
    import gradio as gr
    from gradio.utils import LRUCache
    from starlette.middleware import Middleware
except ImportError as error:
    raise ImportError(f"the app needs Gradio: {install_line('app')}") from error

from ..demo import QUERIES, demo_corpus
from ..index.ranking import MODES
from . import texts
from .bodies import Functions
from .guard import Guard
from .html import render_message
from .limits import LIFETIME
from .marks import MarkBook
from .search_request import MAX_HITS, MAX_QUERY, SearchRequest
from .searcher import Searcher, View, Visit
from .theme import make_theme
from .type_list import query_of
from .upload_box import render_upload_box
from .upload_server import UploadServer
from .uploads import Uploads

MAX_SESSIONS = 50  # visitors whose controls and unread answers are kept; of more, those that came least recently go
MAX_QUEUE, MAX_SEARCHES = 50, 2  # searches that wait, and that run at a time
HEAD = '<div class="head"><h1>nerret</h1><p>{}</p></div>'
ANNOUNCE = "() => document.getElementById('message')?.setAttribute('aria-live', 'polite')"  # to screen readers
# On a phone the message may be below what is seen
SHOW = "watch('value', () => { if (element.getBoundingClientRect().top > innerHeight - 40) element.scrollIntoView(); })"
BUTTONS, DOWNLOAD, UPLOAD = (
    Path(__file__).with_name(f"{name}.js").read_text("utf-8") for name in ("buttons", "download", "upload")
)
SEND_ORDER = "(...values) => [window.nerretOrder ?? '', ...values.slice(1)]"
# A search waits until all files are sent; the key of the files stands before the columns, the states come last
SEND_FILES = """async (...values) => {
  await window.nerretFiles?.busy;
  return values.map((value, place) => place === 6 ? window.nerretFiles?.key ?? '' : value);
}"""
QUICK: dict[str, Any] = {
    "queue": False,
    "preprocess": False,
    "api_visibility": "private",
    "show_progress": "hidden",
}


@dataclass(frozen=True, eq=False)
class Controls:
    """What a visitor can set."""

    query: gr.Textbox
    button: gr.Button
    examples: list[gr.Button]
    source: gr.Radio
    private: gr.Column
    text: gr.Textbox
    columns: gr.Textbox
    files: gr.Textbox
    mode: gr.Radio
    precision: gr.Radio
    k: gr.Slider

    @property
    def settings(self) -> list[gr.components.Component]:
        """What a search needs, in the order of `SearchRequest`'s fields."""
        return [self.query, self.source, self.text, self.mode, self.precision, self.k, self.files, self.columns]


@dataclass(frozen=True, eq=False)
class Results:
    """What a visitor sees, and what is remembered."""

    message: gr.HTML
    hits: gr.HTML
    mention_map: gr.HTML
    types: gr.HTML
    download: gr.Button
    table: gr.HTML
    list_entities: gr.Button
    entities: gr.HTML
    download_entities: gr.Button
    entity_table: gr.HTML
    order: gr.Textbox
    visit: gr.State
    book: gr.State

    @property
    def outputs(self) -> list[gr.components.Component]:
        """What an answer changes, in the order of `View`'s fields; a list of the last answer's entities goes."""
        return [self.message, self.hits, self.mention_map, self.visit, self.entities]


class Page(gr.Blocks):
    """The page; `uploads` has the files of its visitors, if it takes any."""

    uploads: Uploads | None = None


def build(index: str | Path | None = None, model: str | None = None) -> gr.Blocks:
    """Build the page; `launch` shows it.

    Args:
        index: an index folder; `None`: the demo corpus, and texts that visitors bring.
        model: name of the model; `None`: the index's own, or the default for the demo corpus and visitors' texts.

    Raises:
        ValueError: the path is no index, or the index was made with another model.
        OSError: there is no such model.
    """
    searcher = Searcher(index, model)
    with Page(title="nerret", analytics_enabled=False) as page:
        about = texts.ABOUT if index is None else f"{texts.ABOUT} {_describe_index(searcher)}"
        gr.HTML(HEAD.format(escape(about)))
        controls = _add_controls(has_demo=index is None)
        results = _add_results(searcher)
        _connect(searcher, controls, results)
        _connect_buttons(searcher, results)
        _connect_download(searcher, results)
        _connect_entities(searcher, results)
        page.load(searcher.types, None, results.types, **QUICK)
        page.load(js=ANNOUNCE)
    _bound_memory(page)
    page.uploads = searcher.uploads if index is None else None
    return page


def launch(page: gr.Blocks, hosts: Iterable[str] = (), **options: Any) -> str:
    """Show a page made by `build` and return its address at once.

    Args:
        page: the page.
        hosts: further names under which browsers may ask for the page, `name` or `name:port`. Without any, it answers
            on this computer only and, in a Space of the Hub, under the Space's name.
        options: those of Gradio's `launch`.
    """
    look: dict[str, Any] = {
        "theme": make_theme(),
        "css_paths": Path(__file__).with_name("app.css"),
        "footer_links": [],
    }
    privacy: dict[str, Any] = {
        "share": False,
        "ssr_mode": False,
        "pwa": False,
        "enable_monitoring": False,
        "run_history": False,
        "mcp_server": False,
        "num_workers": 0,
        "state_session_capacity": MAX_SESSIONS,
    }
    space = os.environ.get("SPACE_HOST")
    uploads = page.uploads if isinstance(page, Page) else None
    guard = Middleware(
        Guard,
        functions=_functions(page),
        hosts=[*hosts, *([space] if space else [])],
        frames=["https://huggingface.co"] if space else [],
        has_files=uploads is not None,
    )
    server = [Middleware(UploadServer, uploads=uploads)] if uploads is not None else []
    return page.launch(
        **look, **privacy, app_kwargs={"middleware": [guard, *server]}, quiet=True, prevent_thread_lock=True, **options
    )[1]


def run(index: str | None, port: int | None, browser: bool) -> None:
    """Show the app on this computer only, until Ctrl-C.

    Args:
        index: an index folder; `None`: the demo corpus and visitors' own texts.
        port: `None`: the first free port from 7860.
        browser: open the page in the default browser.
    """
    page = build(index)
    address = launch(page, server_name="127.0.0.1", server_port=port, inbrowser=browser)
    print(f"nerret: {address} (press Ctrl-C to stop)", file=sys.stderr, flush=True)
    page.block_thread()


def _add_controls(has_demo: bool) -> Controls:
    """Add the controls to the page; those for the demo corpus and own texts are hidden without `has_demo`."""
    with gr.Row(elem_id="ask"):
        query = gr.Textbox(
            label="Type", placeholder="for example, volcano", max_length=MAX_QUERY, autofocus=True, elem_id="query"
        )
        button = gr.Button("Search", variant="primary", min_width=100, elem_id="find")
    with gr.Row(visible=has_demo, elem_id="examples"):
        gr.HTML('<span class="lead">Try</span>')
        examples = [gr.Button(example, size="sm") for example in QUERIES]
    size = len(Path(demo_corpus()).read_bytes().splitlines())
    sources = [(f"{texts.DEMO}: {size} short texts", texts.DEMO), (texts.PRIVATE, texts.PRIVATE)]
    source = gr.Radio(sources, value=texts.DEMO, label="Search in", visible=has_demo, elem_id="source")
    with gr.Column(visible=False, elem_id="private") as private:
        with gr.Row():
            text = gr.Textbox(label=texts.PASTE, info=texts.PASTE_HINT, lines=6, max_lines=12, elem_id="pasted")
            with gr.Column(min_width=280):
                gr.HTML(render_upload_box(), elem_id="upload", js_on_load=UPLOAD)
                columns = gr.Textbox("text", label=texts.COLUMNS, info=texts.COLUMNS_HINT, elem_id="columns")
        gr.HTML(f'<p class="privacy">{escape(texts.PRIVACY)}</p>')
    files = gr.Textbox("", visible=False)
    precision = gr.Radio(
        list(texts.PRECISIONS.items()), value=0.0, label="How sure", info=texts.SURE_HINT, elem_id="precision"
    )
    with gr.Accordion("Advanced", open=False, elem_id="advanced"), gr.Row():
        modes = [(texts.MODES[mode], mode) for mode in MODES]
        mode = gr.Radio(modes, value=MODES[0], label="Look at", info=texts.MODE_HINT, min_width=260)
        k = gr.Slider(
            1, MAX_HITS, SearchRequest.k, step=1, label="Documents", info="how many to show at most", min_width=220
        )
    return Controls(query, button, examples, source, private, text, columns, files, mode, precision, k)


def _add_results(searcher: Searcher) -> Results:
    """Add what shows answers to the page."""
    message = gr.HTML(render_message(*texts.WELCOME), elem_id="message", js_on_load=SHOW)
    types = gr.HTML(elem_id="types", js_on_load=BUTTONS)
    with gr.Row(elem_id="takings"):
        list_entities = gr.Button(texts.LIST_ENTITIES, size="sm", elem_id="list-entities")
        download = gr.Button(texts.DOWNLOAD, size="sm", elem_id="download")
    entities = gr.HTML(elem_id="entities")
    download_entities = gr.Button(texts.DOWNLOAD_ENTITIES, size="sm", elem_id="download-entities")
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            hits = gr.HTML(elem_id="hits", js_on_load=BUTTONS)
        with gr.Column(scale=2, min_width=300):
            mention_map = gr.HTML(elem_id="map")
    # These two draw nothing
    table = gr.HTML(elem_id="table", html_template="", js_on_load=DOWNLOAD, file="nerret.csv")
    entity_table = gr.HTML(html_template="", js_on_load=DOWNLOAD, file="nerret-names.csv")
    visit = gr.State(Visit(), time_to_live=LIFETIME, delete_callback=searcher.leave)
    book = gr.State({}, time_to_live=LIFETIME)
    buttons = (download, table, list_entities, entities, download_entities, entity_table)
    return Results(message, hits, mention_map, types, *buttons, gr.Textbox(visible=False), visit, book)


def _connect(searcher: Searcher, controls: Controls, results: Results) -> None:
    """Search when a control changes, and keep the controls consistent."""

    def answer(
        query: Any,
        source: Any,
        text: Any,
        mode: Any,
        precision: Any,
        k: Any,
        files: Any,
        columns: Any,
        visit: Visit,
        book: MarkBook,
    ) -> Iterator[tuple[Any, ...]]:
        # an untouched box is empty
        request = SearchRequest(query or "", source, text or "", mode, precision, k, files or "", columns or "text")
        yield from map(_changes, searcher.search(request, visit, book))

    search = _search(answer, [*controls.settings, results.visit, results.book], results) | {"js": SEND_FILES}
    triggers = [
        *(controls.query.submit, controls.button.click),
        *(controls.mode.input, controls.precision.input, controls.k.input),
    ]
    gr.on(triggers, **search, api_name="search")
    controls.source.change(
        lambda source: gr.Column(visible=source == texts.PRIVATE), controls.source, controls.private, **QUICK
    )
    for example in controls.examples:
        words = example.value
        example.click(lambda words=words: (words, texts.DEMO), None, [controls.query, controls.source], **QUICK).then(
            **search, api_visibility="private"
        )
    results.types.click(
        lambda order: (query_of(order), texts.DEMO),
        results.order,
        [controls.query, controls.source],
        js=SEND_ORDER,
        **QUICK,
    ).then(**search, api_visibility="private")


def _connect_buttons(searcher: Searcher, results: Results) -> None:
    """Take marks, and search again with them."""

    def answer(visit: Visit, book: MarkBook) -> Iterator[tuple[Any, ...]]:
        yield from map(_changes, searcher.again(visit, book))

    # Marks are taken at once and stand in a state of their own, so that a slow search overwrites none
    results.hits.click(
        searcher.mark,
        [results.order, results.visit, results.book],
        results.book,
        js=SEND_ORDER,
        trigger_mode="multiple",
        **QUICK,
    ).then(**_search(answer, [results.visit, results.book], results), api_visibility="private")


def _connect_download(searcher: Searcher, results: Results) -> None:
    """Give the answer as a file. The value is emptied first, so that the same table is a change, and comes again."""

    def answer(visit: Visit, book: MarkBook) -> Iterator[tuple[Any, str]]:
        yield gr.skip(), ""
        message, table = searcher.table(visit, book)
        yield gr.skip() if message is None else message, table

    search = _search(answer, [results.visit, results.book], results)
    results.download.click(**search | {"outputs": [results.message, results.table]}, api_visibility="private")


def _connect_entities(searcher: Searcher, results: Results) -> None:
    """List who is in the answer, when asked, and give the list as a file."""

    def write(visit: Visit, book: MarkBook) -> Iterator[str]:
        yield ""  # so that the same table is a change
        yield searcher.entity_table(visit, book)

    states = [results.visit, results.book]
    for button, answer, output in (
        (results.list_entities, searcher.entities, results.entities),
        (results.download_entities, write, results.entity_table),
    ):
        button.click(**_search(answer, states, results) | {"outputs": output}, api_visibility="private")


def _search(answer: Callable[..., Any], inputs: list[Any], results: Results) -> dict[str, Any]:
    """How Gradio is to run a search."""
    return {
        "fn": answer,
        "inputs": inputs,
        "outputs": results.outputs,
        "preprocess": False,  # the request checks its fields itself, in words of the page
        "concurrency_id": "search",
        "concurrency_limit": MAX_SEARCHES,
        "show_progress": "hidden",
        "trigger_mode": "always_last",
    }


def _changes(view: View) -> tuple[Any, ...]:
    """A view as Gradio takes it."""
    pieces = (gr.skip() if html is None else html for html in view[:3])
    return *pieces, view.visit, gr.skip() if view.hits is None else ""


def _describe_index(searcher: Searcher) -> str:
    info = searcher.corpus.result().retriever.info()
    model = Path(info["model"]).name if Path(info["model"]).is_dir() else info["model"]
    return texts.INDEX.format(**info | {"name": Path(info["path"]).resolve().name, "model": model})


def _functions(page: gr.Blocks) -> Functions:
    """The page's functions for its guard."""
    sizes = {number: len(function.inputs) for number, function in page.fns.items()}
    search = next(function for function in page.fns.values() if function.api_name == "search")
    controls = sum(not control.stateful for control in search.inputs)
    sessions = page._queue.pending_event_ids_session

    def unread(name: str) -> int:
        return len(sessions.get(name, ())) or sum(name in calls for calls in sessions.values())

    return Functions(sizes, frozenset({controls, len(search.inputs)}), unread)


def _bound_memory(page: gr.Blocks) -> None:
    """Bound what Gradio keeps for each visitor. Answers that nobody fetches have no bound of their own in Gradio."""
    queue = page.queue(max_size=MAX_QUEUE)._queue
    queue.pending_messages_per_session.max_size = MAX_SESSIONS
    queue.pending_event_ids_session = LRUCache(MAX_SESSIONS)
    queue.ANALYTICS_MAX_EVENTS = MAX_SESSIONS
