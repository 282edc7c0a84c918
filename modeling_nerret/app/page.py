"""The app: ask an index in the browser. `nerret app` and the demo Space show it."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

try:
    import gradio as gr
except ImportError as error:
    raise ImportError("the app needs Gradio: pip install 'nerret[app]'") from error

from ..demo import QUERIES, demo_corpus
from ..detection import GivenSpans
from ..documents import Document, in_groups
from ..index.readers import read_corpus
from ..index.retriever import MODES, EntityRetriever, index_model
from ..pretrained.checkpoints import DEFAULT
from .hits import show_hits, show_message
from .mention_map import FEWEST, MentionMap

DEMO, PASTED = "Demo corpus", "Your own text"
MOST_CHARACTERS, MOST_DOCUMENTS = 50_000, 500  # of pasted text: seconds of work
GROUP_CHARACTERS, GROUP_DOCUMENTS = 5_000, 50  # of pasted text between two reports of progress
ON_MAP = 2_000  # mentions
MOST_HITS = 50
CUTOFFS = {"hybrid": 2.0, "vector": 1.0, "document": 1.0, "lexical": 20.0}  # the highest cut-off of each mode
KEPT = 3600  # seconds that a pasted text stays indexed after its last search

ABOUT = """<div class="head"><h1>nerret</h1>
<p>Finds every document that mentions an entity of a type, also where the type’s word occurs nowhere. {}</p></div>"""
PASTE_HINT = (
    f"Blank lines part documents; without any, every line is one. At most {MOST_DOCUMENTS} documents and "
    f"{MOST_CHARACTERS:,} characters. The text is indexed with the first search and forgotten afterwards."
)
MODE_HINT = "hybrid: all of them; vector: mentions; document: whole texts; lexical: words"
WELCOME = ("Which entities?", "Type a type and press Enter, or choose one of the examples.")
SANS, MONO = [gr.themes.Font("sans-serif")], [gr.themes.Font("monospace")]  # Gradio's own would come from a network
COLOURS = {  # text of Gradio's own is too pale on light ground, and white on its buttons too
    **dict.fromkeys(["button_primary_background_fill", "button_primary_background_fill_dark"], "*primary_700"),
    **dict.fromkeys(
        ["button_primary_background_fill_hover", "button_primary_background_fill_hover_dark"], "*primary_800"
    ),
    **dict.fromkeys(["block_info_text_color", "block_label_text_color", "block_title_text_color"], "*neutral_600"),
    **dict.fromkeys(["body_text_color_subdued", "input_placeholder_color"], "*neutral_500"),
    **dict.fromkeys(["body_text_color_subdued_dark", "input_placeholder_color_dark"], "*neutral_400"),
    **dict.fromkeys(["block_info_text_color_dark", "block_title_text_color_dark"], "*neutral_300"),
}
ANNOUNCE = "() => document.getElementById('message')?.setAttribute('aria-live', 'polite')"  # to screen readers

Shown = tuple[Any, Any, Any, Any]  # message, hits, map, and the visitor's own corpus


@dataclass(frozen=True, eq=False)
class Corpus:
    """What can be searched; `text` is what was pasted, if it was."""

    retriever: EntityRetriever
    text: str | None = None

    @cached_property
    def mention_map(self) -> MentionMap | None:
        """The map of its mentions, as they were when it was first asked for; `None` if they are too few."""
        texts, vectors = self.retriever.sample(ON_MAP)
        return MentionMap.of(texts, vectors) if len(texts) >= FEWEST else None


class Searcher:
    """Answers the app's searches.

    Args:
        index: an index folder; `None`: the demo corpus, and texts that visitors paste.
        model: the model for the demo corpus and pasted texts.

    Raises:
        ValueError: the path is no index, or the index was made with another model.
        OSError: there is no such model.
    """

    def __init__(self, index: str | Path | None = None, model: str = DEFAULT):
        self._folder = tempfile.TemporaryDirectory(prefix="nerret-app-")
        self.main: Future[Corpus] = Future()
        if index is None:
            self.main = ThreadPoolExecutor(1).submit(self._open_demo, model)  # the page is there meanwhile
        else:
            self.main.set_result(Corpus(EntityRetriever(index, index_model(index) or model, GivenSpans())))

    def search(
        self, query: str, source: str, pasted: str, mode: str, k: int, cutoff: float, own: Corpus | None
    ) -> Iterator[Shown]:
        """What to show for a search, step by step: message, hits, map (all HTML), and the visitor's own corpus."""
        try:
            if not query.strip():
                yield _say("Type a type first:", "a few words such as “dinosaur”, “politician” or “medicine”.", own)
                return
            if not self.main.done():
                yield _say(
                    "Getting ready:", "the model is read and the demo corpus indexed, which takes seconds.", own, "busy"
                )
            corpus = self.main.result()
            if source == PASTED:
                own = yield from self._index(pasted, own)
                corpus = own
            yield _answer(corpus, query, mode, int(k), cutoff, own)
        except (ValueError, OSError, RuntimeError) as error:
            yield _say("That did not work:", f"{error}.", own, "problem")

    def forget(self, own: Corpus | None) -> None:
        """Remove what a visitor pasted."""
        if own is not None:
            shutil.rmtree(own.retriever.path, ignore_errors=True)

    def _open_demo(self, model: str) -> Corpus:
        retriever = EntityRetriever(Path(self._folder.name) / "demo", model)
        retriever.add(record for record in read_corpus(demo_corpus()) if isinstance(record, Document))
        return Corpus(retriever)

    def _index(self, pasted: str, own: Corpus | None) -> Generator[Shown, None, Corpus]:
        """Index what a visitor pasted, unless `own` is just that; returns the corpus."""
        if own is not None and own.text == pasted:
            return own
        documents = split_documents(pasted)
        retriever = EntityRetriever(tempfile.mkdtemp(dir=self._folder.name), self.main.result().retriever.checkpoint)
        for group in in_groups(documents, lambda document: len(document.text), GROUP_CHARACTERS, GROUP_DOCUMENTS):
            yield _say("Indexing your text:", f"{len(retriever)} of {len(documents)} documents done.", own, "busy")
            retriever.add(group)
        self.forget(own)
        return Corpus(retriever, pasted)


def build(index: str | Path | None = None, model: str = DEFAULT) -> gr.Blocks:
    """The app's page, to be shown by `launch`.

    Args:
        index: an index folder; `None`: the demo corpus, and texts that visitors paste.
        model: the model for the demo corpus and pasted texts.

    Raises:
        ValueError: the path is no index, or the index was made with another model.
        OSError: there is no such model.
    """
    searcher = Searcher(index, model)
    with gr.Blocks(title="nerret", analytics_enabled=False) as page:
        gr.HTML(ABOUT.format("" if index is None else _about_index(searcher)))
        with gr.Row(elem_id="ask"):
            query = gr.Textbox(
                label="Type",
                placeholder="such as volcano",
                max_length=300,
                autofocus=True,
                elem_id="query",
            )
            find = gr.Button("Search", variant="primary", min_width=100, elem_id="find")
        with gr.Row(visible=index is None, elem_id="examples"):
            gr.HTML('<span class="lead">Try</span>')
            examples = [gr.Button(example, size="sm") for example in QUERIES]
        choices = [(f"{DEMO}: {_count_lines(demo_corpus())} short texts", DEMO), (PASTED, PASTED)]
        source = gr.Radio(choices, value=DEMO, label="Search in", visible=index is None, elem_id="source")
        pasted = gr.Textbox(label=PASTED, info=PASTE_HINT, lines=6, max_lines=12, visible=False, elem_id="pasted")
        with gr.Accordion("Options: mode, number, cut-off", open=False, elem_id="options"), gr.Row():
            mode = gr.Radio(MODES, value=MODES[0], label="Mode", info=MODE_HINT, min_width=260)
            k = gr.Slider(1, MOST_HITS, 10, step=1, label="Documents", info="how many at most", min_width=220)
            cutoff = gr.Slider(
                0, CUTOFFS[MODES[0]], 0, step=0.01, label="Cut-off", info="least score; 0 is none", min_width=220
            )
        message = gr.HTML(show_message(*WELCOME), elem_id="message")
        with gr.Row():
            with gr.Column(scale=3, min_width=300):
                hits = gr.HTML(elem_id="hits")
            with gr.Column(scale=2, min_width=300):
                drawn = gr.HTML(elem_id="map")
        own = gr.State(None, time_to_live=KEPT, delete_callback=searcher.forget)

        search: dict[str, Any] = {
            "fn": searcher.search,
            "inputs": [query, source, pasted, mode, k, cutoff, own],
            "outputs": [message, hits, drawn, own],
            "show_progress": "hidden",
        }
        quick: dict[str, Any] = {"queue": False, "api_visibility": "private", "show_progress": "hidden"}
        triggers = [query.submit, find.click, k.input, cutoff.input]
        gr.on(triggers, **search, api_name="search", trigger_mode="always_last")
        changed = mode.input(lambda mode: gr.Slider(maximum=CUTOFFS[mode], value=0), mode, cutoff, **quick)
        changed.then(**search, api_visibility="private")
        source.change(lambda source: gr.Textbox(visible=source == PASTED), source, pasted, **quick)
        for example in examples:
            clicked = example.click(lambda words: (words, DEMO), example, [query, source], **quick)
            clicked.then(**search, api_visibility="private")
        page.load(js=ANNOUNCE)
    return page


def launch(page: gr.Blocks, **options: Any) -> str:
    """Show a page of `build`; returns its address at once. `options` are those of Gradio's `launch`."""
    theme = gr.themes.Default(primary_hue="teal", neutral_hue="stone", font=SANS, font_mono=MONO).set(**COLOURS)
    looks: dict[str, Any] = {"theme": theme, "css_paths": Path(__file__).with_name("app.css"), "footer_links": []}
    closed: dict[str, Any] = {
        "share": False,
        "ssr_mode": False,
        "pwa": False,
        "enable_monitoring": False,
        "run_history": False,
    }
    return page.launch(**looks, **closed, quiet=True, prevent_thread_lock=True, **options)[1]


def run(index: str | None, port: int | None, browser: bool) -> None:
    """Show the app on this computer, for nobody else, until Ctrl-C."""
    page = build(index)
    address = launch(page, server_name="127.0.0.1", server_port=port, inbrowser=browser)
    print(f"nerret: {address} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    page.block_thread()


def _say(title: str, text: str, own: Corpus | None, kind: str = "hint") -> Shown:
    """A message in the place of hits, or above those of the last search while the next is `"busy"`."""
    rest = (gr.skip(), gr.skip()) if kind == "busy" else ("", "")
    return show_message(title, text, kind), *rest, own


def _answer(corpus: Corpus, query: str, mode: str, k: int, cutoff: float, own: Corpus | None) -> Shown:
    began = time.perf_counter()
    retriever = corpus.retriever
    hits = retriever.search(query, k, mode=mode, min_score=cutoff or None)
    if not hits:
        return _say("No document found.", _why_nothing(retriever, query, mode), own)
    seconds = time.perf_counter() - began
    found = "1 document" if len(hits) == 1 else f"{len(hits)} documents"
    words = f"for “{' '.join(query.split())}”, best first, in {seconds:.2f}\u00a0s. "
    words += "A score is a similarity, not a probability."
    vector = retriever.encoder.embed_queries([query])[0]
    drawn = corpus.mention_map.svg(query, vector) if corpus.mention_map else ""
    return show_message(found, words, "found"), show_hits(hits), drawn, own


def _why_nothing(retriever: EntityRetriever, query: str, mode: str) -> str:
    best = retriever.search(query, 1, mode=mode)
    if best:
        return f"The best one’s score is {best[0].score:.2f}: choose a lower cut-off."
    if mode == "lexical":
        return "Lexical mode finds only documents in which the type’s own words stand: choose hybrid mode."
    return "There are no mentions in these documents: add some that name people, places or things."


def _about_index(searcher: Searcher) -> str:
    info = searcher.main.result().retriever.info()
    return escape(
        f"Here: {info['path']}, {info['documents']:,} documents, {info['mentions']:,} mentions, {info['model']}."
    )


def _count_lines(path: str) -> int:
    return len(Path(path).read_bytes().splitlines())


def split_documents(text: str) -> list[Document]:
    r"""Documents of a pasted text: its paragraphs if it has blank lines, else its lines.

    Raises:
        ValueError: there is no text, or more than the app takes.

    Example:
        >>> [document.text for document in split_documents("Oslo in May.\nRain.\n\nBergen.")]
        ['Oslo in May.\nRain.', 'Bergen.']
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"the text has {len(text):,} characters; this page takes {MOST_CHARACTERS:,}. "
            "For more, index a file with the command nerret index and open it with nerret app"
        )
    lines = "\n".join(text.splitlines()).strip()
    parts = [part.strip() for part in re.split(r"\n\s*\n", lines)]
    kind = "paragraph"
    if len(parts) == 1:
        parts, kind = [line.strip() for line in lines.split("\n")], "line"
    if len(parts) > MOST_DOCUMENTS:
        raise ValueError(f"the text has {len(parts):,} documents, one a {kind}; this page takes {MOST_DOCUMENTS}")
    if not parts[0]:
        raise ValueError("there is no text to search; paste some into the box, or choose the demo corpus")
    return [Document.from_dict({"id": f"{kind} {number}", "text": part}) for number, part in enumerate(parts, 1)]
