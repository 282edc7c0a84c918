"""The cache of value vectors: once, whole, and never another model's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import modeling_nerret.training.batches.features as features
from modeling_nerret.detection import MentionProbe, ProbeConfig
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.spans import Span
from modeling_nerret.training.batches.features import FeatureCache, Rows, value_vectors, word_states
from modeling_nerret.training.batches.words import read_words
from modeling_nerret.training.data.annotated import Annotated
from modeling_nerret.training.data.source import Source
from modeling_nerret.training.stages.detector import measure_probe
from tests.tiny import save_backbone, wordpiece

TEXTS = [
    Annotated(str(number), f"ada was born in {['london', 'paris', 'rome'][number % 3]} {number}", {Span(0, 3): ("p",)})
    for number in range(9)
]
TEXTS += [Annotated("two", "paris and london", {Span(0, 5): ("c",), Span(10, 16): ("c",), Span(5, 6): ("lost",)})]


@pytest.fixture
def model(tmp_path: Path) -> NerretModel:
    return NerretModel.from_backbone(save_backbone(tmp_path / "b"), layer=2, pooling="mean", head_size=8, hidden_size=8)


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "CHUNK", 4)


def test_the_cache_gives_what_the_model_gives(model: NerretModel, tmp_path: Path) -> None:
    mentions = FeatureCache(model, wordpiece(), tmp_path / "cache").mentions(TEXTS, "texts")
    direct = value_vectors(model, wordpiece(), [(text.text, list(text.mentions)) for text in TEXTS])
    assert list(zip(mentions.owners.tolist(), mentions.spans, strict=True)) == list(direct)
    assert np.allclose(mentions.vectors[np.arange(len(mentions.spans))], np.stack(list(direct.values())), atol=2e-3)
    assert mentions.unmapped == 1  # white space has no token


def test_a_killed_run_goes_on_where_it_was(model: NerretModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = FeatureCache(model, wordpiece(), tmp_path / "whole").mentions(TEXTS, "texts")
    calls = []

    def killed(*arguments: object) -> dict:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return value_vectors(*arguments)

    monkeypatch.setattr(features, "value_vectors", killed)
    cache = FeatureCache(model, wordpiece(), tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt):
        cache.mentions(TEXTS, "texts")
    (folder,) = (tmp_path / "cache").iterdir()
    (folder / "000002.123.partial").write_bytes(b"half a file")  # as a killed writer leaves it
    mentions = cache.mentions(TEXTS, "texts")
    assert len(calls) == 4  # two files before it was killed, the third begun twice
    cache.mentions(TEXTS, "texts")
    assert len(calls) == 4  # nothing is computed again
    rows = np.arange(len(mentions.spans))
    assert np.array_equal(mentions.vectors[rows], whole.vectors[rows]) and mentions.spans == whole.spans


def test_other_weights_layer_or_pooling_are_other_vectors(model: NerretModel, tmp_path: Path) -> None:
    used_tokenizer = wordpiece()
    used_tokenizer("ada", truncation=True, max_length=8, padding="max_length")
    keys = {FeatureCache(model, wordpiece(), tmp_path).key, FeatureCache(model, used_tokenizer, tmp_path).key}
    assert len(keys) == 1
    model.config.pooling = "end"
    keys.add(FeatureCache(model, wordpiece(), tmp_path).key)
    with torch.no_grad():  # as a merged adapter changes them, under the same name and SHA-256 of the files
        next(model.backbone.parameters())[0, 0] += 1
    keys.add(FeatureCache(model, wordpiece(), tmp_path).key)
    keys.add(FeatureCache(model.bfloat16(), wordpiece(), tmp_path).key)
    assert len(keys) == 4


def test_states_of_words_are_those_of_the_model(model: NerretModel, tmp_path: Path) -> None:
    texts = [*TEXTS[:5], Annotated("", "  ", {}), *TEXTS[5:]]
    for _ in range(2):  # made, then read
        words = FeatureCache(model, wordpiece(), tmp_path).words(texts, "texts")
        direct = word_states(model, wordpiece(), [text.text for text in texts])
        owners = [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
        assert [states.owner for states in words] == [states.owner for states in direct] == owners
        for states, expected in zip(words, direct, strict=True):
            text = texts[states.owner].text
            assert [text[start:end] for start, end in states.places] == text.split()
            assert np.allclose(states.first, expected.first, atol=2e-3)
            assert np.allclose(states.last, expected.last, atol=2e-3)
            assert np.array_equal(states.shapes, expected.shapes)


def test_rows_of_several_pieces() -> None:
    matrix = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float16)
    rows = Rows([matrix[:4], matrix[4:4], matrix[4:5], matrix[5:]])
    numbers = [9, 0, 4, 4, 3]
    assert len(rows) == 10 and np.array_equal(rows[numbers], matrix[numbers].astype(np.float32))


def test_what_a_probe_is_measured_on_does_not_depend_on_its_neighbours(model: NerretModel, tmp_path: Path) -> None:
    torch.manual_seed(0)
    probe = MentionProbe(ProbeConfig(32, size=8, max_words=3, threshold=0.3))  # proposes nearly everything
    long = Annotated("long", "ada was born in london and wrote notes in the city of paris", {Span(0, 3): ("p",)})
    cache = FeatureCache(model, wordpiece(), tmp_path / "cache")
    texts = read_words(cache, [long, *TEXTS], 3, Source("texts", 1.0, [], {}))
    together, alone = measure_probe(probe, texts, size=len(texts)), measure_probe(probe, texts, size=1)
    assert alone["proposals_per_mention"] > 0
    for name in ("precision", "recall", "proposals_per_mention"):
        assert together[name] == pytest.approx(alone[name]), name
