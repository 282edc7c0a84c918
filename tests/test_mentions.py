"""What can be a mention: the same for every detector."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.reliability.texts import span_faults
from modeling_nerret import GivenSpans, MentionProbe, NerretModel
from modeling_nerret.detection import ProbeConfig, words_of
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.forms import WORD
from modeling_nerret.mentions import LONGEST, MOST_WORDS, accept, possible
from modeling_nerret.spans import Span
from modeling_nerret.windows import Window, make_windows
from tests.test_forms import UNUSUAL
from tests.tiny import save_backbone, wordpiece

SEPARATORS = [
    *("\n\n", "\r\n\r\n", "\r\r", "\n \t\n", "\n\u200b\n", "\n\ufeff \r\n", "\x85\x85", "\u2028\u2028", "\n\n\n\n"),
    *("\n  \n", "\n\0\n", "\n\x1b\r\n", "\n\u2800\u2800\n", "\n\u3164\n\uffa0"),
    *("\t", "\f", "\v", "\x1c", "\x1d", "\x1e", "\x1f", "\u2029", " \t ", "\n\f"),
    *("😀", " 👩🏽\u200d🚀 ", "🇵🇹🇪🇸", "❤️", "1️⃣"),
]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_proposal_across_a_break_becomes_its_parts(separator: str) -> None:
    text = f"Ana Ruiz{separator}Jo Ek{separator}."
    mentions = accept(text, [Span(0, len(text), 0.5)])
    assert [text[start:end] for start, end, _ in mentions] == ["Ana Ruiz", "Jo Ek"]
    assert {span.score for span in mentions} == {0.5}


@pytest.mark.parametrize("separator", [" ", "\n", "\r\n", "\r", "\x85", "\u2028", "\xa0", "  \n  ", "\u200b"])
def test_a_name_goes_on_after_a_single_line_end(separator: str) -> None:
    text = f"Ana{separator}Ruiz"
    assert accept(text, [Span(0, len(text))]) == [Span(0, len(text))]


@pytest.mark.parametrize(
    ("text", "start", "end", "mention"),
    [
        (" Ada \n", 0, 6, "Ada"),
        ("\ufeff\u202aAda\u202c\u200b", 0, 7, "Ada"),
        ("\x07\u2800Ada\u3164\0", 0, 7, "Ada"),
        ("Jose\u0301 left", 0, 4, "Jose\u0301"),
        ("Pe\u0301rez", 2, 6, "e\u0301rez"),
        ("हिन्दी", 0, 1, "हि"),
        ("☿", 0, 1, "☿"),
    ],
)
def test_edges_of_mentions(text: str, start: int, end: int, mention: str) -> None:
    assert [text[span.start : span.end] for span in accept(text, [Span(start, end)])] == [mention]


@pytest.mark.parametrize(
    "text", ["x" * (LONGEST + 1), "a " * (MOST_WORDS + 1), "\u200b\u200b", " \n ", "\u0301", "😀😀"]
)
def test_what_is_no_mention(text: str) -> None:
    assert accept(text, [Span(0, len(text))]) == []


def test_a_proposal_outside_of_the_text_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"the detector proposes \[0, 4\) of a text of 3 characters"):
        accept("Ada", [Span(0, 4)])


@settings(max_examples=400, deadline=None)
@given(text=UNUSUAL, data=st.data())
def test_accepted_mentions_keep_all_promises(text: str, data: st.DataObject) -> None:
    place = st.integers(0, len(text))
    pairs = data.draw(st.lists(st.tuples(place, place).map(sorted), max_size=5))
    check(text, accept(text, [Span(start, end) for start, end in pairs if start < end]))


def check(text: str, mentions: Sequence[Span]) -> None:
    """Assert what holds of every detector's mentions."""
    assert list(span_faults(text, mentions)) == []


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        (" Ada", 0, 4),
        ("A\n\nB", 0, 4),
        ("A😀", 0, 2),
        ("e\u0301", 0, 1),
        ("e\u0301", 1, 2),
        ("x" * 201, 0, 201),
        ("A", 0, 2),
    ],
)
def test_the_campaign_sees_broken_promises(text: str, start: int, end: int) -> None:
    assert list(span_faults(text, [Span(start, end)]))


def test_the_probe_may_join_only_words_of_a_passage() -> None:
    text = "a b\n\nc 😀 d\te"
    words = np.array([match.span() for match in WORD.finditer(text)])  # a b c 😀 d e
    spans = {(first, extra) for first, extra in zip(*np.nonzero(possible(text, words, 3)), strict=True)}
    assert spans == {(0, 0), (0, 1), (1, 0), (2, 0), (4, 0), (5, 0)}
    assert possible("a" * 201 + " b", np.array([[0, 201], [202, 203]]), 2).tolist() == [[False, False], [True, False]]


class WholeText:
    """A detector that takes each window for one mention."""

    reads_states = False

    def propose(
        self, documents: Sequence[Document], windows: Sequence[Window], states: torch.Tensor | None
    ) -> list[list[Span]]:
        """The windows' spans."""
        return [[Span(*window.span)] for window in windows]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> NerretModel:
    folder = save_backbone(tmp_path_factory.mktemp("bert"))
    return NerretModel.from_backbone(folder, layer=2, head_size=8, hidden_size=8)


@pytest.fixture(scope="module")
def eager_probe() -> MentionProbe:
    """A random probe that proposes as much as it may."""
    torch.manual_seed(0)
    return MentionProbe(ProbeConfig(32, size=8, threshold=0.0)).eval()


@settings(max_examples=150, deadline=None)
@given(text=UNUSUAL.filter(str.strip))
def test_every_detector_keeps_all_promises(text: str, model: NerretModel, eager_probe: MentionProbe) -> None:
    for detector in (eager_probe, WholeText()):
        (result,) = Encoder(model, wordpiece(), detector).encode([Document("a", text)])
        assert result.document.text == text and len(result.vectors) == len(result.mentions)
        check(text, result.mentions)


def test_names_on_lines_of_their_own_are_names_of_their_own(model: NerretModel, eager_probe: MentionProbe) -> None:
    text = "ada\n\nlondon\tparis\n\nriver"
    for detector in (eager_probe, WholeText()):
        (result,) = Encoder(model, wordpiece(), detector).encode([Document("a", text)])
        assert [text[start:end] for start, end, _ in result.mentions] == ["ada", "london", "paris", "river"]


def test_given_spans_stay_as_they_are(model: NerretModel) -> None:
    spans = (Span(0, 11), Span(3, 5))
    document = Document("a", "ada\n\nlondon " + "x" * 300, mentions=(*spans, Span(0, 312)))
    (result,) = Encoder(model, wordpiece(), GivenSpans()).encode([document])
    assert set(result.mentions) == {Span(0, 11), Span(0, 312)}  # no token covers a blank line


def test_vectors_do_not_change_with_soft_hyphens_or_decomposition(model: NerretModel) -> None:
    documents = [Document("a", "the Pe\u0301rez wrote Lon\u00addon", mentions=(Span(4, 10), Span(17, 24)))]
    documents += [Document("b", "the P\u00e9rez wrote London", mentions=(Span(4, 9), Span(16, 22)))]
    unusual, plain = Encoder(model, wordpiece(), GivenSpans()).encode(documents)
    assert unusual.vectors.tobytes() == plain.vectors.tobytes()


def test_a_separator_counts_as_a_word_only_if_the_model_reads_it() -> None:
    (window,) = make_windows(wordpiece(), ["the river\n\nada was born. \n\n paris"], 50)
    words = [window.text[start:end] for start, end in words_of(window)[:, :2]]
    assert words == ["the", "river", "\n\n", "ada", "was", "born", ".", "paris"]


@pytest.mark.parametrize("unit", ["x", ".", "→", "\n", "😀", "\u0301", "\u200b", "a\u200b", "a→", "東", "\ta"])
def test_no_text_hangs(unit: str, model: NerretModel, eager_probe: MentionProbe) -> None:
    text = "ada " + unit * (20_000 // len(unit)) + " ada"
    start = time.perf_counter()
    (result,) = Encoder(model, wordpiece(), WholeText()).encode([Document("a", text)])
    check(text, result.mentions)
    (window, *_) = make_windows(wordpiece(), [text], 512)
    assert len(words_of(window)) < 16 * 512
    assert time.perf_counter() - start < 10
