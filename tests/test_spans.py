"""From characters to tokens: no mention is lost, and `text[start:end]` is always the mention."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modeling_nerret import GivenSpans, NerretModel
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder, Report
from modeling_nerret.spans import Span, check_span, windows_by_context
from modeling_nerret.windows import Sightings, batches, make_windows, stack
from tests.tiny import byte_bpe, save_backbone, unigram, wordpiece

TOKENIZERS = {"wordpiece": wordpiece(), "byte_bpe": byte_bpe(), "unigram": unigram()}
UGLY = "Ada\tmet\r\nthe  river, ＬＯＮＤＯＮ 😀 é e\u0301 東京 שלום\u200f مرحبا\x00 end"


@pytest.mark.parametrize("name", TOKENIZERS)
def test_every_visible_character_of_ugly_text_has_a_token(name: str) -> None:
    (window,) = make_windows(TOKENIZERS[name], [UGLY], 500)
    for position, letter in enumerate(UGLY):
        if letter.isalnum():
            first, last = window.token_span(position, position + 1)
            starts, ends = window.offsets[first:last].T
            assert starts.min() <= position < ends.max()


@pytest.mark.parametrize("name", TOKENIZERS)
def test_surrounding_white_space_changes_nothing(name: str) -> None:
    text = "the river  Ada  wrote"
    (window,) = make_windows(TOKENIZERS[name], [text], 500)
    start = text.index("Ada")
    assert window.token_span(start - 2, start + 5) == window.token_span(start, start + 3)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_window_with_only_the_spaces_of_a_mention_is_skipped(name: str) -> None:
    text = "ada0000" + " " * 12
    sightings = Sightings(make_windows(TOKENIZERS[name], [text], 8), causal=False)
    best = sightings.best(0, Span(0, len(text)))
    assert best is not None
    window, _ = best
    assert window.span[0] < 7 and not sightings.unmapped


def test_span_inside_a_token_takes_the_whole_token() -> None:
    (window,) = make_windows(TOKENIZERS["wordpiece"], ["london"], 500)
    assert window.token_span(2, 4) == (1, 2)


def test_characters_that_vanish_have_no_token() -> None:
    (window,) = make_windows(TOKENIZERS["wordpiece"], ["ada \x07\x07 paris"], 500)
    assert window.token_span(4, 6) is None


TEXTS = st.text(st.sampled_from("ab é東😀\t\r\n.,-Ωش\u0301\x07"), min_size=1, max_size=120)


@settings(max_examples=60, deadline=None)
@given(text=TEXTS, name=st.sampled_from(sorted(TOKENIZERS)), data=st.data())
def test_any_span_is_covered_by_its_tokens_or_has_none(text: str, name: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    windows = make_windows(TOKENIZERS[name], [text], 16)
    assert windows[0].span[0] == 0 and windows[-1].span[1] == len(text)
    best = windows_by_context([window.span for window in windows], start, end, causal=False)[0]
    tokens = windows[best].token_span(start, end)
    if tokens is not None:
        offsets = windows[best].offsets[slice(*tokens)]
        assert ((offsets[:, 0] < end) & (offsets[:, 1] > start))[[0, -1]].all()


@settings(max_examples=60, deadline=None)
@given(length=st.integers(1, 300), causal=st.booleans(), data=st.data())
def test_a_short_mention_is_whole_in_its_window(length: int, causal: bool, data: st.DataObject) -> None:
    windows = [(begin, min(begin + 32, length)) for begin in range(0, max(length - 4, 1), 28)]
    start = data.draw(st.integers(0, length - 1))
    end = data.draw(st.integers(start + 1, min(start + 4, length)))
    left, right = windows[windows_by_context(windows, start, end, causal)[0]]
    assert left <= start and end <= right


MODELS = {"wordpiece": "bert", "byte_bpe": "llama", "unigram": "xlm-roberta"}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Encoder]:
    by_name = {}
    for name, family in MODELS.items():
        folder = save_backbone(tmp_path_factory.mktemp(name), family, TOKENIZERS[name])
        model = NerretModel.from_backbone(folder, layer=1, max_tokens=12, head_size=8, hidden_size=8)
        by_name[name] = Encoder(model, TOKENIZERS[name], GivenSpans())
    return by_name


LETTERS = st.sampled_from(
    "aAbé東京😀👩\u200d👧ñ\u0301ÅΩшשלוםمرحبا\u200f\u202eﬁＡ½ \t\r\n\xa0\u3000.,-'#0\x00\x07\x7f\ufeff\ufffd"
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(text=st.text(LETTERS, min_size=1, max_size=80) | st.text(min_size=1, max_size=30), data=st.data())
def test_every_mention_is_embedded_or_counted(encoders: dict[str, Encoder], text: str, data: st.DataObject) -> None:
    assume(text.strip() and _is_unicode(text))
    place = st.integers(0, len(text))
    pairs = data.draw(st.lists(st.tuples(place, place).map(sorted), max_size=6))
    spans = [Span(start, end) for start, end in pairs if text[start:end].strip()]
    for encoder in encoders.values():
        report = Report()
        (result,) = encoder.encode([Document("a", text, mentions=tuple(spans))], report)
        assert (report.documents, report.characters, report.mentions) == (1, len(text), len(result.mentions))
        assert report.mentions + report.unmapped == len(set(spans))
        assert result.mentions == sorted(set(result.mentions)) and set(result.mentions) <= set(spans)
        assert result.vectors.shape == (len(result.mentions), 8)
        assert np.allclose(np.linalg.norm(result.vectors, axis=1), 1, atol=1e-5)
        # Only characters that a tokenizer drops have no token
        assert all(set(map(_kind, text[start:end])) <= DROPPED for start, end, _ in set(spans) - set(result.mentions))


# Unicode categories that tokenizers drop: control, format, unassigned, private, space, combining marks
DROPPED = {"Cc", "Cf", "Cn", "Co", "Zs", "Zl", "Zp", "Mn"}


def _kind(letter: str) -> str:
    return "Cc" if letter == "\ufffd" else unicodedata.category(letter)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def test_windows_overlap_and_offsets_stay_global() -> None:
    text = " ".join(["london", "river", "paris"] * 20)
    windows = make_windows(TOKENIZERS["wordpiece"], [text], 16)
    assert len(windows) > 3 and [window.number for window in windows] == list(range(len(windows)))
    for first, second in pairwise(windows):
        assert second.span[0] < first.span[1]
    for window in windows:
        start, end = window.offsets[1]
        assert text[start:end] in ("london", "river", "paris")


def test_batches_hold_every_window_once_within_the_budget() -> None:
    windows = make_windows(TOKENIZERS["wordpiece"], ["ada " * number for number in range(1, 40)], 64)
    groups = list(batches(windows, 100))
    assert sorted(window.owner for batch in groups for window in batch) == list(range(39))
    assert all(stack(batch)[0].numel() <= 100 for batch in groups)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (3, 3, "0 <= start < end <= 9"),
        (-1, 2, "needed is"),
        (0, 10, "9 characters"),
        ("0", 1, "whole numbers"),
        (3, 4, "white space"),
    ],
)
def test_bad_spans_are_refused_with_the_range(start: int, end: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_span("ada paris", start, end)
