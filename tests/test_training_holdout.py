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
from tests.tiny import save_backbone, wordpiece
from modeling_nerret.training.data import Annotated, Source
from modeling_nerret.training.head import hold_out
from modeling_nerret.training.holdout import Apart, HeldOutTexts, choose, hold_out_texts, measure
from modeling_nerret.training.sampling import Pool, TypeBatches


def _source(mentions: int = 1200, types: int = 120) -> Source:
    """A text a mention, of entities with six mentions each; every mention has its own type and the type "all"."""
    texts = []
    for at in range(mentions):
        name = f"Entity {at // 6}"
        texts.append(Annotated(str(at), name, {Span(0, len(name)): ("all", f"type {at % types}")}))
    return Source("s", 1.0, texts, {name: [name] for name in ("all", *(f"type {at}" for at in range(types)))})


def _pool(source: Source) -> Pool:
    """Its pool, with vectors that say which mention, and which type, they are of."""
    numbers = {name: number for number, name in enumerate(source.wordings)}
    labels = [frozenset(numbers[name] for own in text.mentions.values() for name in own) for text in source.texts]
    spans = [span for text in source.texts for span in text.mentions]
    vectors = np.arange(len(labels), dtype=np.float32)[:, None]
    phrases, wordings = -np.arange(len(numbers), dtype=np.float32)[:, None], [[at] for at in range(len(numbers))]
    return Pool("s", 1.0, vectors, labels, phrases, wordings, owners=np.arange(len(labels)), spans=spans)


def test_nothing_that_is_held_out_is_drawn() -> None:
    source = _source()
    pool = _pool(source)
    rest, held = hold_out(pool, source, types=0.2, entities=0.2)
    unseen_types = {int(-value) for value in held["types"].types[:, 0]}
    unseen_names = {source.texts[int(row)].text for row in held["entities"].mentions[:, 0]}
    assert unseen_types and unseen_names and 0 not in unseen_types  # every mention has type 0: it is too frequent
    batches = TypeBatches([rest], types=16, per_type=4, balance=0.5, seed=0)
    for number in range(60):
        batch = batches[number]
        assert unseen_types.isdisjoint((-batch["types"][:, 0]).int().tolist())
        for row in batch["mentions"][:, 0].int().tolist():
            assert source.texts[row].text not in unseen_names and unseen_types.isdisjoint(pool.labels[row])


def test_broad_types_are_never_held_out() -> None:
    source = _source()
    assert "type 1" in choose(source, types=1.0, entities=0.0).types
    assert "type 1" not in choose(replace(source, broad=frozenset({"type 1"})), types=1.0, entities=0.0).types


def test_all_mentions_are_trained_on_or_held_out_and_the_split_stays() -> None:
    source = _source()
    pool = _pool(source)
    rest, held = hold_out(pool, source, types=0.2, entities=0.2)
    assert len(rest.labelled) + len(held["types"].mentions) == len(source.texts)
    again, _ = hold_out(pool, source, types=0.2, entities=0.2)
    assert again.labels == rest.labels
    whole, nothing = hold_out(pool, source, types=0.0, entities=0.0)
    assert whole.labels == pool.labels and nothing == {}


def test_head_and_adapter_hold_out_the_same() -> None:
    source = _source()
    head, _ = hold_out(_pool(source), source, types=0.2, entities=0.2)
    joint, held = hold_out_texts(source, types=0.2, entities=0.2)
    assert [source.texts[row].id for row in head.labelled] == [text.id for text in joint.texts]
    apart = choose(source, 0.2, 0.2)
    assert {name for text in joint.texts for own in text.mentions.values() for name in own}.isdisjoint(apart.types)
    assert len(held.owners) + len(joint.texts) == len(source.texts)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> NerretModel:
    folder = save_backbone(tmp_path_factory.mktemp("held") / "backbone")
    return NerretModel.from_backbone(folder, 2, pooling="mean", head_size=24, hidden_size=16)


def test_held_out_texts_are_ranked_by_the_model_as_it_is(model: NerretModel) -> None:
    names = {"ada": "person", "london": "city", "paris": "city", "river": "thing", "born": "thing"}
    texts = [Annotated(name, f"the {name} was", {Span(4, 4 + len(name)): (kind,)}) for name, kind in names.items()]
    source = Source("s", 1.0, texts, {name: [name] for name in ("city", "person", "thing")})
    held, encoder = HeldOutTexts(source, Apart(frozenset({"city"}), 1.0)), Encoder(model, wordpiece(), GivenSpans())
    found = held.measure(encoder, 0.05)
    vectors = np.concatenate([one.vectors for one in encoder.encode(held.documents)])
    expected = {}
    for name in ("city", "person", "thing"):
        right = {at for at, kind in enumerate(names.values()) if kind == name}
        order = np.argsort(-(encoder.embed_queries([name]) @ vectors.T)[0])
        expected[name] = len(right & set(order[: len(right)].tolist())) / len(right)
    assert found["types"]["r_precision"] == pytest.approx(expected["city"])
    assert found["entities"]["r_precision"] == pytest.approx((expected["person"] + expected["thing"]) / 2)


def test_a_held_out_mention_without_a_token_stays_in_the_ranking(model: NerretModel) -> None:
    texts = [
        Annotated("a", "the river was", {Span(4, 9): ("thing",)}),
        Annotated("b", "\u200b", {Span(0, 1): ("city",)}),
    ]
    source = Source("s", 1.0, texts, {"city": ["city"], "thing": ["thing"]})
    held, encoder = (
        HeldOutTexts(source, Apart(frozenset({"city", "thing"}), 0.0)),
        Encoder(model, wordpiece(), GivenSpans()),
    )
    river = next(iter(encoder.encode(held.documents))).vectors[0]
    city, thing = (encoder.embed_queries(["city", "thing"]) @ river).tolist()
    expected = ((city < 0) + (thing > 0)) / 2  # its cosine is 0
    assert held.measure(encoder, 0.05)["types"]["r_precision"] == pytest.approx(expected)


def test_holding_everything_out_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is left to train on"):
        hold_out_texts(_source(12, 2), 0.0, 1.0)


def test_measurements_equal_those_counted_by_hand() -> None:
    torch.manual_seed(0)
    types, mentions = (torch.nn.functional.normalize(torch.randn(rows, 4), dim=-1) for rows in (7, 30))
    matches = torch.rand(7, 30) < 0.2
    matches[:, 0] = True
    found = measure(types, mentions, matches)
    expected, ranks = [], []
    for row, right in zip(types, matches, strict=True):
        scores = torch.cosine_similarity(row[None], mentions)
        order = [str(at) for at in scores.argsort(descending=True).tolist()]
        relevant = {str(at) for at in right.nonzero()[:, 0].tolist()}
        expected.append(len(set(order[: len(relevant)]) & relevant) / len(relevant))
        ranks.append(1 / (1 + min(order.index(one) for one in relevant)))
    assert found["r_precision"] == pytest.approx(np.mean(expected), rel=1e-6)
    assert found["mrr"] == pytest.approx(np.mean(ranks), rel=1e-6)
