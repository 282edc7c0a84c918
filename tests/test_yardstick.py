"""The yardstick: what it holds out is never asked for and never read, and a checkpoint is measured on it."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import yardstick as benchmark
from modeling_nerret.spans import Span
from modeling_nerret.training.data import yardstick
from modeling_nerret.training.data.annotated import Annotated
from modeling_nerret.training.data.corpus import read_corpus_types
from modeling_nerret.training.data.own_sets import corpus_source
from modeling_nerret.training.data.source import Source

DIGEST = "05475093751567a9c308f236f31b79b84a73b823631b22d1860f8c0f2f0e8e60"


@pytest.fixture(scope="module")
def corpus() -> Source:
    return corpus_source(1.0)


def test_the_list_is_the_one_that_was_drawn() -> None:
    assert hashlib.sha256(yardstick.FILE.read_bytes()).hexdigest() == DIGEST
    assert len(yardstick.yardstick_types()) >= 150


def test_no_type_is_asked_for_by_any_wording_and_no_text_is_read(corpus: Source) -> None:
    part, types = yardstick.training_part(corpus), read_corpus_types()
    queries = {phrase.casefold() for phrases in part.wordings.values() for phrase in phrases}
    for name in yardstick.yardstick_types() & types.keys():
        assert queries.isdisjoint(map(str.casefold, [*types[name].wordings, types[name].definition]))
    labels = {name for text in part.texts for names in text.mentions.values() for name in names}
    assert labels == part.wordings.keys() and "poet" not in labels and "writer" in labels
    texts = {text.text for text in yardstick.measured_part(corpus)}
    assert texts and texts.isdisjoint(text.text for text in part.texts)
    assert 0.9 < len(part.texts) / len(corpus.texts) < 1 and part.related_types.keys() <= labels


def test_mentions_and_doubts_stay_without_the_type() -> None:
    span = Span(0, 5)
    text = Annotated("a", "Keats wrote odes.", {span: ("poet", "writer")}, {span: frozenset({"poets", "person"})})
    source = Source("kinds", 1.0, [text], {"poet": ["poet"], "poets": ["a bard"], "writer": ["writer"]})
    (rest,) = yardstick.training_part(source).texts
    assert rest.mentions == {span: ("writer",)} and rest.perhaps == {span: frozenset({"person"})}
    assert yardstick.withheld_types(source) == {"poet", "poets"}
    with pytest.raises(ValueError, match=r"kinds: the yardstick leaves nothing to train on"):
        yardstick.training_part(replace(source, texts=[replace(text, mentions={span: ("poet",)})]))


def test_r_precision_and_auc_leave_doubtful_mentions_out() -> None:
    def mention(*types: str, perhaps: str = "") -> benchmark.Mention:
        return benchmark.Mention("x", frozenset(types), frozenset([perhaps] if perhaps else []))

    mentions = [mention("city"), mention(), mention("city"), mention(perhaps="city"), mention("river")]
    scores = np.array([0.9, 0.8, 0.7, 1.0, 0.1])
    assert benchmark.type_scores(scores, mentions, "city") == (0.5, 0.75)


def test_the_command_prints_a_row_of_bare_vectors_and_one_for_each_checkpoint(
    tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names, text = ("poet", "writer", "river"), "Keats, Mary Shelley, Thames"
    spans = [Span(0, 5), Span(7, 19), Span(21, 27)]
    texts = [
        Annotated(str(number), f"{text} {number}", {span: (name,) for span, name in zip(spans, names, strict=True)})
        for number in range(200)
    ]
    source = Source("corpus", 1.0, texts, {name: [name] for name in names})
    monkeypatch.setattr(benchmark, "corpus_source", lambda weight: source)
    monkeypatch.setattr(benchmark, "MOST", 1.0)
    benchmark.main([tiny_checkpoint])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows[2:]] == ["| bare", f"| {tiny_checkpoint}"]
    assert rows[3][2] == "1, 2" and all(len(row) == len(benchmark.COLUMNS) for row in rows[2:])
