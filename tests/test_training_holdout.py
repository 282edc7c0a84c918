"""What is held out is not trained on, and is measured rightly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from modeling_nerret import NerretModel
from modeling_nerret.detection import GivenSpans
from modeling_nerret.encoding import Encoder
from modeling_nerret.spans import Span
from modeling_nerret.training.batches.pool import Pool
from modeling_nerret.training.batches.types import TypeBatches
from modeling_nerret.training.data.annotated import Annotated
from modeling_nerret.training.data.source import Source
from modeling_nerret.training.recipes import HeadSection, HeldOutSection
from modeling_nerret.training.stages.head import hold_out_mentions
from modeling_nerret.training.stages.holdout import (
    HeldOut,
    HeldOutTexts,
    choose_held_out,
    hold_out_texts,
    measure_ranking,
    split_texts,
)
from tests.tiny import save_backbone, wordpiece

FIFTH = HeldOutSection(types=0.2, entities=0.2)


def _source(mentions: int = 1200, types: int = 120) -> Source:
    """A text a mention, of entities with six mentions each; every mention has its own type and the type "all"."""
    texts = []
    for number in range(mentions):
        name = f"Entity {number // 6}"
        texts.append(Annotated(str(number), name, {Span(0, len(name)): ("all", f"type {number % types}")}))
    return Source("s", 1.0, texts, {name: [name] for name in ("all", *(f"type {kind}" for kind in range(types)))})


def _pool(source: Source) -> Pool:
    """Its pool, with vectors that say which mention, and which type, they are of."""
    numbers = {name: number for number, name in enumerate(source.wordings)}
    labels = [frozenset(numbers[name] for types in text.mentions.values() for name in types) for text in source.texts]
    spans = [span for text in source.texts for span in text.mentions]
    vectors = np.arange(len(labels), dtype=np.float32)[:, None]
    phrases, wordings = -np.arange(len(numbers), dtype=np.float32)[:, None], [[row] for row in range(len(numbers))]
    return Pool("s", 1.0, vectors, labels, phrases, wordings, owners=np.arange(len(labels)), spans=spans)


def test_nothing_that_is_held_out_is_drawn() -> None:
    source = _source()
    pool = _pool(source)
    rest, held_out = hold_out_mentions(pool, source, FIFTH)
    types = {int(-value) for value in held_out["types"].types[:, 0]}
    names = {source.texts[int(row)].text for row in held_out["entities"].mentions[:, 0]}
    assert types and names and 0 not in types  # every mention has type 0: it is too frequent
    batches = TypeBatches([rest], HeadSection(types=16, per_type=4, balance=0.5), seed=0)
    for number in range(60):
        batch = batches[number]
        assert types.isdisjoint((-batch["types"][:, 0]).int().tolist())
        for row in batch["mentions"][:, 0].int().tolist():
            assert source.texts[row].text not in names and types.isdisjoint(pool.labels[row])


def test_broad_types_are_never_held_out() -> None:
    source = _source()
    shares = HeldOutSection(types=1.0)
    assert "type 1" in choose_held_out(source, shares).types
    assert "type 1" not in choose_held_out(replace(source, broad=frozenset({"type 1"})), shares).types


def test_all_mentions_are_trained_on_or_held_out_and_the_split_stays() -> None:
    source = _source()
    pool = _pool(source)
    rest, held_out = hold_out_mentions(pool, source, FIFTH)
    assert len(rest.typed_rows) + len(held_out["types"].mentions) == len(source.texts)
    repetition, _ = hold_out_mentions(pool, source, FIFTH)
    assert repetition.labels == rest.labels
    whole, nobody = hold_out_mentions(pool, source, HeldOutSection())
    assert whole.labels == pool.labels and nobody == {}


def test_head_and_adapter_hold_out_the_same() -> None:
    source = _source()
    head, _ = hold_out_mentions(_pool(source), source, FIFTH)
    joint, held_out = hold_out_texts(source, FIFTH)
    assert [source.texts[row].id for row in head.typed_rows] == [text.id for text in joint.texts]
    labels = {name for text in joint.texts for types in text.mentions.values() for name in types}
    assert labels.isdisjoint(choose_held_out(source, FIFTH).types)
    assert len(held_out.owners) + len(joint.texts) == len(source.texts)


def test_texts_are_split_completely_and_repeatably() -> None:
    texts = _source(12, 2).texts
    rest, held_out = split_texts(texts, 0.5, seed=1)
    assert len(held_out) == 6 and sorted([*rest, *held_out], key=lambda text: int(text.id)) == texts
    assert split_texts(texts, 0.5, seed=1) == (rest, held_out) != split_texts(texts, 0.5, seed=2)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> NerretModel:
    folder = save_backbone(tmp_path_factory.mktemp("held_out") / "backbone")
    return NerretModel.from_backbone(folder, 2, pooling="mean", head_size=24, hidden_size=16)


def test_held_out_texts_are_ranked_by_the_model_as_it_is(model: NerretModel) -> None:
    names = {"ada": "person", "london": "city", "paris": "city", "river": "thing", "born": "thing"}
    texts = [Annotated(name, f"the {name} was", {Span(4, 4 + len(name)): (kind,)}) for name, kind in names.items()]
    source = Source("s", 1.0, texts, {name: [name] for name in ("city", "person", "thing")})
    held_out = HeldOutTexts(source, HeldOut(frozenset({"city"}), 1.0))
    encoder = Encoder(model, wordpiece(), GivenSpans())
    numbers = held_out.measure(encoder, 0.05)
    vectors = np.concatenate([document.vectors for document in encoder.encode(held_out.documents)])
    expected = {}
    for name in ("city", "person", "thing"):
        right = {row for row, kind in enumerate(names.values()) if kind == name}
        order = np.argsort(-(encoder.embed_queries([name]) @ vectors.T)[0])
        expected[name] = len(right & set(order[: len(right)].tolist())) / len(right)
    assert numbers["types"]["r_precision"] == pytest.approx(expected["city"])
    assert numbers["entities"]["r_precision"] == pytest.approx((expected["person"] + expected["thing"]) / 2)


def test_a_held_out_mention_without_a_token_stays_in_the_ranking(model: NerretModel) -> None:
    texts = [
        Annotated("a", "the river was", {Span(4, 9): ("thing",)}),
        Annotated("b", "\u200b", {Span(0, 1): ("city",)}),
    ]
    source = Source("s", 1.0, texts, {"city": ["city"], "thing": ["thing"]})
    held_out = HeldOutTexts(source, HeldOut(frozenset({"city", "thing"}), 0.0))
    encoder = Encoder(model, wordpiece(), GivenSpans())
    river = next(iter(encoder.encode(held_out.documents))).vectors[0]
    city, thing = (encoder.embed_queries(["city", "thing"]) @ river).tolist()
    expected = ((city < 0) + (thing > 0)) / 2  # its cosine is 0
    assert held_out.measure(encoder, 0.05)["types"]["r_precision"] == pytest.approx(expected)


def test_holding_everything_out_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is left to train on"):
        hold_out_texts(_source(12, 2), HeldOutSection(entities=1.0))


def test_measurements_equal_those_counted_by_hand() -> None:
    torch.manual_seed(0)
    types, mentions = (torch.nn.functional.normalize(torch.randn(rows, 4), dim=-1) for rows in (7, 30))
    matches = torch.rand(7, 30) < 0.2
    matches[:, 0] = True
    numbers = measure_ranking(types, mentions, matches)
    expected, ranks = [], []
    for row, right in zip(types, matches, strict=True):
        scores = torch.cosine_similarity(row[None], mentions)
        order = scores.argsort(descending=True).tolist()
        relevant = set(right.nonzero()[:, 0].tolist())
        expected.append(len(set(order[: len(relevant)]) & relevant) / len(relevant))
        ranks.append(1 / (1 + min(order.index(row) for row in relevant)))
    assert numbers["r_precision"] == pytest.approx(np.mean(expected), rel=1e-6)
    assert numbers["mrr"] == pytest.approx(np.mean(ranks), rel=1e-6)
