"""The cache of value vectors: once, whole, and never another model's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import modeling_nerret.training.features as features
from modeling_nerret.detection import MentionProbe, ProbeConfig
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.spans import Span
from tests.tiny import save_backbone, wordpiece
from modeling_nerret.training.data import Annotated
from modeling_nerret.training.detector import measure_probe, read_words
from modeling_nerret.training.features import FeatureCache, Rows, value_vectors, word_states

TEXTS = [
    Annotated(str(at), f"ada was born in {['london', 'paris', 'rome'][at % 3]} {at}", {Span(0, 3): ("p",)})
    for at in range(9)
]
TEXTS += [Annotated("two", "paris and london", {Span(0, 5): ("c",), Span(10, 16): ("c",), Span(5, 6): ("lost",)})]


@pytest.fixture
def model(tmp_path: Path) -> NerretModel:
    return NerretModel.from_backbone(save_backbone(tmp_path / "b"), layer=2, pooling="mean", head_size=8, hidden_size=8)


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "CHUNK", 4)


def test_the_cache_gives_what_the_model_gives(model: NerretModel, tmp_path: Path) -> None:
    found = FeatureCache(model, wordpiece(), tmp_path / "cache").mentions(TEXTS, "texts")
    direct = value_vectors(model, wordpiece(), [(text.text, list(text.mentions)) for text in TEXTS])
    assert list(zip(found.owners.tolist(), found.spans, strict=True)) == list(direct)
    assert np.allclose(found.vectors[np.arange(len(found.spans))], np.stack(list(direct.values())), atol=2e-3)
    assert found.lost == 1  # white space has no token


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
    found = cache.mentions(TEXTS, "texts")
    assert len(calls) == 4  # two files before it was killed, the third begun twice
    cache.mentions(TEXTS, "texts")
    assert len(calls) == 4  # nothing is computed again
    rows = np.arange(len(found.spans))
    assert np.array_equal(found.vectors[rows], whole.vectors[rows]) and found.spans == whole.spans


def test_other_weights_layer_or_pooling_are_other_vectors(model: NerretModel, tmp_path: Path) -> None:
    used = wordpiece()
    used("ada", truncation=True, max_length=8, padding="max_length")
    keys = {FeatureCache(model, wordpiece(), tmp_path).key, FeatureCache(model, used, tmp_path).key}
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
        found = FeatureCache(model, wordpiece(), tmp_path).words(texts, "texts")
        direct = word_states(model, wordpiece(), [text.text for text in texts])
        assert [one.owner for one in found] == [one.owner for one in direct] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
        for one, other in zip(found, direct, strict=True):
            words = [texts[one.owner].text[start:end] for start, end in one.places]
            assert words == texts[one.owner].text.split()
            assert np.allclose(one.first, other.first, atol=2e-3) and np.allclose(one.last, other.last, atol=2e-3)
            assert np.array_equal(one.shapes, other.shapes)


def test_rows_of_several_pieces() -> None:
    matrix = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float16)
    rows = Rows([matrix[:4], matrix[4:4], matrix[4:5], matrix[5:]])
    wanted = [9, 0, 4, 4, 3]
    assert len(rows) == 10 and np.array_equal(rows[wanted], matrix[wanted].astype(np.float32))


def test_what_a_probe_is_measured_on_does_not_depend_on_its_neighbours(model: NerretModel, tmp_path: Path) -> None:
    torch.manual_seed(0)
    probe = MentionProbe(ProbeConfig(32, size=8, max_words=3, threshold=0.3))  # proposes nearly everything
    long = Annotated("long", "ada was born in london and wrote notes in the city of paris", {Span(0, 3): ("p",)})
    cache = FeatureCache(model, wordpiece(), tmp_path / "cache")
    texts = read_words(cache, [long, *TEXTS], 3, "texts")
    together, alone = measure_probe(probe, texts, size=len(texts)), measure_probe(probe, texts, size=1)
    assert alone["proposals_per_mention"] > 0
    for name in ("precision", "recall", "proposals_per_mention"):
        assert together[name] == pytest.approx(alone[name]), name
