"""Marked copies: every mention that occurs in the text gets its place, and nothing else becomes a mention."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_nerret.detectors.marks import align_marks, parse_marks

TEXT = "Ada Lovelace met Babbage in London. Later Ada wrote to Charles Babbage, in London."


def _mentions(text: str, copy: str) -> list[str]:
    return [text[start:end] for start, end, _ in align_marks(text, copy)]


def _starts(text: str, copy: str) -> list[int]:
    return [start for start, _, _ in align_marks(text, copy)]


@pytest.mark.parametrize(
    ("copy", "expected"),
    [
        # an exact copy: the second mention of a name keeps its own place
        (
            "Ada Lovelace met Babbage in London. Later ##Ada## wrote to ##Charles Babbage##, in ##London##.",
            [42, 55, 75],
        ),
        # dropped words, an altered word, an added sentence
        (
            "Ada met ##Babbage##. Afterwards ##Ada## wrote to ##Charles Babbage##, in ##London##! The end.",
            [17, 42, 55, 75],
        ),
        # a list instead of a copy, in another order: each mention goes to its first free place
        ("##London##\n##London##\n##Ada##", [0, 28, 75]),
        # altered inside the marks: not in the text, so no mention
        ("##Ada Lovelase## met ##Babbage## in ##Paris##.", [17]),
        # other case, accents and quotes
        ("##ADA LOVELACE## met ##Bábbage## in London.", [0, 17]),
        # a mark that never closes, and one that never opened
        ("##Ada Lovelace met ##Babbage## in London## later", [0, 17]),
        ("Ada## Lovelace met ##Babbage in London.", []),
        ("", []),
        ("####", []),
        ("I cannot help with that.", []),
    ],
)
def test_recorded_answers(copy: str, expected: list[int]) -> None:
    assert _starts(TEXT, copy) == expected


@pytest.mark.parametrize(
    ("text", "copy", "expected"),
    [
        ("the University of Paris", "the ##University of ##Paris####", ["University of Paris", "Paris"]),
        ("New York City", "##New ##York## City##", ["New York City", "York"]),
        ("AB met", "##A####B## met", ["A", "B"]),
        ("他在東京見到田中。", "他在##東京##見到##田中##。", ["東京", "田中"]),
        ("فاز محمد صلاح في لندن", "فاز ##محمد صلاح## في ##لندن##", ["محمد صلاح", "لندن"]),
        ("😀 Ada\r\n\tLovelace", "😀 ##Ada Lovelace##", ["Ada\r\n\tLovelace"]),
        ("Café é", "##Cafe\u0301## é", ["Café"]),
        ("# Title\n## Ada ##", "# Title\n## ##Ada## ##", ["Ada"]),
        ("uses C# daily", "uses ##C### daily", ["C#"]),
        ("see #ada now", "see ###ada## now", ["#ada"]),
        ("“Ada” (Lovelace)", '"##Ada##" (##Lovelace##)', ["Ada", "Lovelace"]),
        ("Ada's notes", "##Ada##'s notes", ["Ada"]),
        ("unbelievable", "un##believ##able", ["believ"]),
    ],
)
def test_odd_texts(text: str, copy: str, expected: list[str]) -> None:
    assert _mentions(text, copy) == expected


WORDS = st.sampled_from(
    ["Ada", "Lovelace", "in", "London", "met", "東京", "محمد", "é", "C3", "o'clock", ".", ",", "😀"]
)


@settings(max_examples=150, deadline=None)
@given(words=st.lists(st.tuples(WORDS, st.booleans()), min_size=1, max_size=30))
def test_an_exact_copy_gives_back_every_mention(words: list[tuple[str, bool]]) -> None:
    text, copy, expected = "", "", []
    for word, is_mention in words:
        if is_mention and any(map(str.isalnum, word)):
            expected.append((len(text), len(text) + len(word)))
            copy += f"##{word}## "
        else:
            copy += word + " "
        text += word + " "
    assert [span[:2] for span in align_marks(text, copy)] == expected


PIECES = st.sampled_from(
    ["##", "#", "###", "####", " ", "\n", "Ada", "ada", "London", "in", "Paris", "(", ".", "東", "é", "e\u0301"]
)


@settings(max_examples=300, deadline=None)
@given(
    text=st.lists(PIECES, max_size=25).map("".join),
    copy=st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60),
)
def test_nothing_is_invented(text: str, copy: str) -> None:
    plain, mentions = parse_marks(copy)
    copied_names = {_plain(plain[start:end]) for start, end in mentions}
    spans = align_marks(text, copy)
    assert spans == sorted(set(spans)) and len(spans) <= len(mentions)
    for start, end, _ in spans:
        assert 0 <= start < end <= len(text) and text[start:end].strip() == text[start:end]
        assert _plain(text[start:end]) in copied_names


def _plain(mention: str) -> str:
    """Letters and digits in lower case, without accents and white space."""
    letters = unicodedata.normalize("NFKD", mention).casefold()
    return "".join(letter for letter in letters if letter.isalnum())
