"""The form in which models read texts, and the words of texts: whole, whatever invisible characters stand in them."""

from __future__ import annotations

import re
import time
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modeling_nerret.forms import WORD, _edits, form_of
from modeling_nerret.windows import make_windows
from tests.tiny import byte_bpe, unigram, wordpiece

TOKENIZERS = {"wordpiece": wordpiece(), "byte_bpe": byte_bpe(), "unigram": unigram()}
INVISIBLE = [*"\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufe0f\ufeff\U000e0101"]
PLAIN = [
    "Ada met\nBabbage.\n\nThey wrote.",
    "Ana Pérez in Zürich ☿ C♯ 30 °C → x™",
    "東京 한국어 हिन्दी",
    "می\u200cخواهم",
]
UNITS = [
    "a",
    "é",
    "e\u0301",
    "\u0301",
    "\u0301\u0323",
    "\u200b",
    "a\u200b",
    "\ufe0f",
    "😀",
    "😀\u200d",
    "😀a",
    "1\ufe0f\u20e3",
]
UNITS += ["\n", "\n\u200b", "\n\x85\u2028 ", "\t", "\ta", ".", "→", "→\ufe0f", "\u1100", "\u1100\u1161\u11a8", " ", "ก็"]
UNUSUAL = st.text(
    st.sampled_from(
        "aB1_é東か각ᄀ\u1161\u11a8ก\u0e31ि\u0301\u0323\u3099 \n\r\t\f\x85\u2028\u2029.,#*'\u00ad\u200b\u200d"
    )
    | st.sampled_from("\ufe0f\u20e3😀👩🏽🚀❤♀🇵🇹\U000e0067→☿\ufeff")
    | st.characters(exclude_categories=["Cs"]),
    max_size=30,
)


@pytest.mark.parametrize("text", PLAIN)
def test_an_ordinary_text_is_its_own_form(text: str) -> None:
    form = form_of(text)
    assert form.text == text and form.starts is None


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Pe\u0301rez q\u0302", "Pérez q\u0302"),
        (unicodedata.normalize("NFD", "각이 が"), "각이 が"),
        ("\u212b, \u2126, \ufa70 and \u0340", "\u00c5, \u03a9, \u4e26 and \u0300"),  # letters that have another code
        ("\ufeffAna \u202aBo\u202c", "Ana Bo"),
        ("Ana Ruiz \n\t\n\nJo Ek", "Ana Ruiz  ; Jo Ek"),
        ("Ana\tLisbon\r\n\r\nJo", "Ana ; Lisbon ; Jo"),
        ("Ana\fBo\vJo\x1cEk\u2029Mia", "Ana ; Bo ; Jo ; Ek ; Mia"),
        ("Ana Ruiz\n  \nJo Ek", "Ana Ruiz ; Jo Ek"),
        ("Ana\n\0\nBo\n\u2800\nJo\n\x1b \n\u3164Ek", "Ana ; Bo ; Jo ; Ek"),
        ("\tIt rained.\n\n\tThe sun shone.\n\n", "\tIt rained.\n\n\tThe sun shone.\n\n"),
        ("Lisbon😀 👩🏽\u200d🚀Ana 1️⃣Bo ❤️", "Lisbon ;   ; Ana  ; Bo  ; "),
        ("😀", "😀"),
    ],
)
def test_forms(text: str, form: str) -> None:
    assert form_of(text).text == form


@pytest.mark.parametrize("letter", INVISIBLE)
@pytest.mark.parametrize("name", TOKENIZERS)
def test_an_invisible_character_in_a_word_changes_no_token(name: str, letter: str) -> None:
    (window,) = make_windows(TOKENIZERS[name], [f"the Lon{letter}don river"], 50)
    (plain,) = make_windows(TOKENIZERS[name], ["the London river"], 50)
    assert window.ids == plain.ids
    assert window.text == f"the Lon{letter}don river"
    assert window.token_span(4, 11) == plain.token_span(4, 10)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_composed_and_decomposed_letters_give_the_same_tokens(name: str) -> None:
    text = "Juan Pérez in Málaga"
    decomposition = unicodedata.normalize("NFD", text)
    (window,), (plain,) = (make_windows(TOKENIZERS[name], [version], 90) for version in (decomposition, text))
    assert window.ids == plain.ids
    assert window.token_span(5, 11) == plain.token_span(5, 10)


def test_every_letter_of_a_form_is_composed() -> None:
    letters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    variants = [letter for letter in letters if unicodedata.normalize("NFC", letter) != letter]
    compositions = [unicodedata.normalize("NFC", letter) for letter in variants]
    assert [form_of(letter).text for letter in variants] == compositions


@settings(max_examples=400, deadline=None)
@given(text=UNUSUAL)
@example(text="0\x1f\ufa70")
def test_every_place_of_a_form_stands_for_one_of_the_text(text: str) -> None:
    form = form_of(text)
    if form.starts is None or form.ends is None:
        assert form.text == text
        return
    assert len(form.text) == len(form.starts) == len(form.ends)
    assert (np.diff(form.starts) >= 0).all() and (np.diff(form.ends) >= 0).all()
    assert (form.starts <= form.ends).all() and form.ends.max(initial=0) <= len(text)
    for letter, start, end in zip(form.text, form.starts, form.ends, strict=True):
        if letter not in " ;":
            assert unicodedata.normalize("NFC", text[start:end]).find(letter) >= 0


@settings(max_examples=400, deadline=None)
@given(text=st.text(st.sampled_from("aB. \r\n\t"), max_size=12))
def test_forms_are_the_same_without_the_short_cut_for_plain_text(text: str) -> None:
    assert form_of(text).text != text or not list(_edits(text))


@settings(max_examples=400, deadline=None)
@given(text=UNUSUAL)
def test_words_are_the_same_without_the_short_cut_for_plain_text(text: str) -> None:
    general = re.compile(WORD.pattern.partition(r"\Z)|")[2])
    assert [match.span() for match in WORD.finditer(text)] == [match.span() for match in general.finditer(text)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Lis\u00adbon", ["Lis\u00adbon"]),
        ("\u200bLis\u200bbon\u200b", ["Lis\u200bbon"]),
        ("Pe\u0301rez's", ["Pe\u0301rez", "'", "s"]),
        ("हिन्दी", ["हिन्दी"]),
        ("か\u3099東", ["か\u3099", "東"]),
        ("Ana👩🏽\u200d🚀Bo", ["Ana", "👩🏽\u200d🚀", "Bo"]),
        ("🇵🇹Porto 1️⃣Lisbon", ["🇵🇹", "Porto", "1️⃣", "Lisbon"]),
        ("C♯, Mercury ☿", ["C", "♯", ",", "Mercury", "☿"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [match.group() for match in WORD.finditer(text)] == words


@pytest.mark.parametrize("unit", UNITS)
def test_the_time_for_forms_and_words_grows_with_the_text_alone(unit: str) -> None:
    text = "Ana" + unit * (50_000 // len(unit))
    start = time.perf_counter()
    form_of(text)
    sum(1 for _ in WORD.finditer(text))
    assert time.perf_counter() - start < 2  # quadratic time would be minutes


@pytest.mark.parametrize("name", TOKENIZERS)
def test_half_of_a_surrogate_pair_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^a text is not valid Unicode: its character 4 is half of a surrogate pair"):
        make_windows(TOKENIZERS[name], ["Ada", "Ada \ud83d"], 50)
