"""Lexical search: texts that look alike have equal terms, every script is cut, and only common words are left out."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_nerret import EntityRetriever
from modeling_nerret.index.store import Store
from modeling_nerret.index.terms import COMMON, LONGEST, bm25, terms_of
from tests.test_store import SIZE, document_with_vectors, fill

TEXTS = {
    "accents": "Juan Pérez met Łukasz in Malmö near the Straße",
    "invisible": "Lis\u00adbon and Fa\u200bro",
    "han": "大宮駅のエミー・ネーターは数学者であり続けた",
    "thai": "กรุงเทพมหานครเป็นเมืองหลวง",
    "indic": "हिन्दी भाषा",
    "korean": "그는 서울에서 살았다",
    "long": "x" * 300 + " end",
    "code": "C++ in foo_bar, file.txt, covid-19, 1,905 and O'Brien's",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store.create(tmp_path_factory.mktemp("terms") / "index", SIZE, model="m", fingerprint="f")
    fill(store, *(document_with_vectors(name, text) for name, text in TEXTS.items()))
    return store


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("Pérez", "accents"),
        ("PEREZ", "accents"),
        ("lukasz", "accents"),
        ("strasse", "accents"),
        ("Lisbon", "invisible"),
        ("Fa\u200dro", "invisible"),
        ("数学者", "han"),
        ("駅", "han"),
        ("ネーター", "han"),
        ("เมือง", "thai"),
        ("हिन्दी", "indic"),
        ("서울", "korean"),
        ("x" * 300, "long"),
        ("foo", "code"),
        ("covid", "code"),
        ("c", "code"),
        ("O'Brien", "code"),
    ],
)
def test_a_word_is_found_however_it_is_written(store: Store, query: str, name: str, form: str) -> None:
    snapshot = store.snapshot()
    scores = snapshot.matching(unicodedata.normalize(form, query), 10)
    assert list(snapshot.ids(sorted(scores)).values()) == [name]


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("ae\u0301\u0323\u200b각ᄀ\u1161数の")))
def test_equivalent_texts_have_the_same_terms(text: str) -> None:
    terms = terms_of(text)
    assert terms_of(unicodedata.normalize("NFD", text)) == terms_of(unicodedata.normalize("NFC", text)) == terms
    assert all(term and " " not in term and len(term) <= 2 * LONGEST for term in terms)


def test_only_the_commonest_words_are_left_out() -> None:
    assert terms_of("The who and IT") == [] and terms_of("Numbers 1 and x") == ["number", "1", "x"]
    assert len(COMMON) < 80


def test_a_query_of_common_words_alone_is_told(tmp_path: Path, tiny_checkpoint: str) -> None:
    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    retriever.add([{"id": "a", "text": "Ada in London"}])
    with pytest.raises(ValueError, match="'The who' has no word that can be searched"):
        retriever.search("The who", mode="lexical")
    assert retriever.search("The who")


def test_scores_are_those_of_the_formula(store: Store) -> None:
    snapshot = store.snapshot()
    (score,) = snapshot.matching("perez", 10).values()
    lengths = [len(terms_of(text)) for text in TEXTS.values()]
    expected = bm25(np.array([[1]]), np.array(lengths[:1]), np.array([1]), len(lengths), sum(lengths))
    assert score == pytest.approx(expected[0])
