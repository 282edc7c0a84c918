"""Full-text search: one form for texts that look alike, and a sentence where the engine finds nothing."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_nerret.index.engine import FTS, lancedb
from modeling_nerret.index.words import LONGEST, STOP_WORDS, search_form, unsearchable, words

ORDINARY = ["Ana Pérez in Zürich", "Ελλάδα και Άθήνα", "йод и вода", "한국어 서울", "O'Brien's C++", "naïve £5 “q” ™"]
INVISIBLE = [*"\u00ad\u034f\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202e\u2060\u2066\u2069\ufe0f\ufeff\U000e0101"]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_its_own_form_and_that_of_its_decomposition(text: str) -> None:
    assert search_form(text) == text
    assert search_form(unicodedata.normalize("NFD", text)) == text


@pytest.mark.parametrize("letter", INVISIBLE)
def test_what_is_invisible_cuts_no_word(letter: str) -> None:
    assert search_form(f"to Lis{letter}bon{letter} and{letter * 2}{letter}Faro") == "to Lisbon andFaro"
    assert words(f"{letter}Lis{letter}bon's") == ["Lisbon", "s"]


def test_marks_that_no_letter_absorbs_cut_no_word() -> None:
    assert search_form("q\u0302uux t\u0336e\u0336x\u0336t") == "quux text"
    assert words("हिन्दी") == [search_form("हिन्दी")] == ["हिनदी"]


def test_spaces_of_no_width_keep_words_apart_where_they_are_the_only_spaces() -> None:
    assert words("ភាសា\u200bខ្មែរ") == [search_form("ភាសា"), search_form("ខ្មែរ")]


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("ae\u0301\u0323\u200b각ᄀ\u1161\u094d")))
def test_the_form_is_stable_and_the_same_for_equivalent_texts(text: str) -> None:
    form = search_form(text)
    assert search_form(form) == form
    assert {search_form(unicodedata.normalize(name, text)) for name in ("NFC", "NFD")} == {form}


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("東京 tower", "full-text search cannot cut Chinese into words: it finds '東京' only between spaces"),
        ("タワー", "cannot cut Japanese into words: it finds 'タワー'"),
        ("กรุงเทพ", "cannot cut Thai into words"),
        ("ລາວ", "cannot cut Lao into words"),
        ("ភាសា ខ្មែរ", "cannot cut Khmer into words"),
        ("မြန်မာ", "cannot cut Burmese into words"),
        ("བོད", "cannot cut Tibetan into words"),
        ("東京タワー x", "cannot cut Japanese and Chinese into words"),
        ("rod " + "x" * 40, "leaves out words of more than 39 bytes, such as 'xxxxxxxxxxxxxxxxxxxx...'"),
        ("й" * 20, "leaves out words of more than 39 bytes"),
        ("The WHO", "leaves out words as common as 'The', and the query has no others"),
        ("😀 ++", "looks for words, and '😀 ++' has none"),
        ("\u200b", "has none"),
    ],
)
def test_a_query_that_the_engine_cannot_serve_is_told(query: str, sentence: str) -> None:
    assert sentence in (unsearchable(query) or "")


@pytest.mark.parametrize("query", [*ORDINARY, "drug that lowers blood pressure", "x" * 39, "हिन्दी", "Lis\u00adbon"])
def test_other_queries_have_no_sentence(query: str) -> None:
    assert unsearchable(query) is None


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A full-text index over texts in their search form."""
    texts = ["Lis\u00adbon", "Juan Pe\u0301rez", "東京タワー", "हिन्दी भाषा", "й" * 20, "я" * 19, "x" * 40, "y" * 39]
    texts += sorted(STOP_WORDS)
    rows = pa.table({"number": range(len(texts)), "text": [search_form(text) for text in texts]})
    path: Path = tmp_path_factory.mktemp("words")
    table = lancedb.connect(path).create_table("texts", rows)
    table.create_index("text", config=FTS())
    return lambda query: table.search(" ".join(words(query)), query_type="fts").to_arrow()["number"].to_pylist()


def test_the_engine_finds_words_in_either_form_and_across_soft_hyphens(engine: Any) -> None:
    assert engine("Lisbon") == engine("Lis\u00adbon") == [0] and engine("bon") == []
    assert engine("Pérez") == engine("Pe\u0301rez") == engine("perez") == [1]
    assert engine("हिन्दी") == [3]


def test_the_engine_is_as_the_sentences_say(engine: Any) -> None:
    assert engine("東京") == []
    assert engine("й" * 20) == engine("x" * (LONGEST + 1)) == []
    assert engine("я" * 19) == [5] and engine("y" * LONGEST) == [7]
    assert [word for word in sorted(STOP_WORDS) if engine(word)] == []
