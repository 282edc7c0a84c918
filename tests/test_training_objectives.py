"""The paper's triplets, shortened vectors, and types that are no negatives of each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modeling_nerret.configuration_nerret import NerretConfig
from modeling_nerret.modeling_nerret import NerretHead
from modeling_nerret.spans import Span
from modeling_nerret.training.batches.pool import Pool
from modeling_nerret.training.batches.triplets import TripletBatches, hard_rows, limit_instances
from modeling_nerret.training.batches.types import TypeBatches
from modeling_nerret.training.data.annotated import Annotated
from modeling_nerret.training.recipe_files import resolve
from modeling_nerret.training.recipes import HeadSection
from modeling_nerret.training.stages.fitting import Schedule, fit
from modeling_nerret.training.stages.head import ContrastLoss, TripletLoss
from modeling_nerret.training.stages.losses import triplet

SENTENCES = [
    ("the river Thames is long", "river"),
    ("a bridge over the river was built by Brunel", "engineer"),
    ("Rubens painted it", "painter"),
    ("the painter and the river: Turner", "painter"),
    ("Danube", "river"),
    ("nothing to see but Elgar", "composer"),
]


def _pool() -> tuple[Pool, list[Annotated], list[str]]:
    names = sorted({name for _, name in SENTENCES})
    texts = [Annotated(str(row), text, {Span(0, 1): (name,)}) for row, (text, name) in enumerate(SENTENCES)]
    labels = [frozenset({names.index(name)}) for _, name in SENTENCES]
    vectors = np.arange(len(labels), dtype=np.float32)[:, None]
    phrases = -np.arange(len(names), dtype=np.float32)[:, None]
    owners = np.arange(len(texts))
    return Pool("p", 1.0, vectors, labels, phrases, [[row] for row in range(len(names))], owners=owners), texts, names


def test_hard_negatives_stand_in_sentences_of_other_types_with_the_type_s_word() -> None:
    pool, texts, names = _pool()
    hard = hard_rows(pool, texts, names, sentences=5)
    assert set(hard[names.index("river")].tolist()) == {1, 3}  # not 0, which has a river
    assert names.index("composer") not in hard  # its word stands nowhere
    assert hard_rows(pool, texts, names, sentences=1)[names.index("river")].tolist() in ([1], [3])


def test_triplets_are_true_and_so_many_of_them_hard() -> None:
    pool, texts, names = _pool()
    hard = hard_rows(pool, texts, names, sentences=5)
    batches = TripletBatches([limit_instances(pool, 1, seed=0)], [hard], HeadSection(batch=10, hard=0.2), seed=0)
    instances = {number: set() for number in range(len(names))}
    for number in range(50):
        batch = batches[number]
        type_ = int(-batch["type"][0, 0])
        positives, negatives = batch["positives"][:, 0].int().tolist(), batch["negatives"][:, 0].int().tolist()
        assert all(type_ in pool.labels[row] for row in positives)
        assert not any(type_ in pool.labels[row] for row in negatives) and len(negatives) == 10
        if type_ == names.index("river"):
            assert set(negatives[:2]) == {1, 3}
        instances[type_] |= set(positives)
    assert all(len(rows) == 1 for rows in instances.values())  # one instance of each type


def _head(width: int = 16) -> NerretHead:
    torch.manual_seed(0)
    return NerretHead(NerretConfig(value_size=8, head_size=32, hidden_size=width, dropout=0.0))


def test_the_paper_s_loss_is_triplet_plus_the_weighted_hardest() -> None:
    head = _head()
    module = TripletLoss(head, HeadSection(hardest=(1.0, 0.5), steps=11))
    torch.manual_seed(1)
    type_, positives, negatives = torch.randn(1, 8), torch.randn(5, 8), torch.randn(5, 8)
    with torch.no_grad():
        anchor = head(type_).expand(5, -1)
        distances = 1 - torch.cosine_similarity(anchor, head(negatives))
        nearest = head(negatives)[distances.argmin()].expand(5, -1)
        for number, weight in ((0, 1.0), (10, 0.5)):
            loss = module(type_, positives, negatives, torch.tensor([number]))["loss"]
            plain = triplet(anchor, head(positives), head(negatives), 0.5)
            expected = plain + weight * triplet(anchor, head(positives), nearest, 0.5)
            assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_the_paper_s_recipe_is_the_paper_s() -> None:
    recipe = resolve("paper-triplet")
    head = recipe.head
    assert (recipe.layer, recipe.pooling, recipe.model) == (
        17,
        "end",
        {"head_size": 500, "hidden_size": 500, "dropout": 0.1, "head_activation": "silu"},
    )
    assert (head.objective, head.margin, head.rate, head.batch) == ("triplet", 0.5, 2e-6, 50)
    assert (head.hard, head.instances, head.decay, head.schedule) == (0.1, 100, 0.0, "constant")


def _clusters(seed: int) -> Pool:
    """Thirty types, each a cloud of mentions around a centre."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(0).normal(size=(30, 8))
    labels = [frozenset({row % 30}) for row in range(600)]
    mentions = np.stack([centres[row % 30] + random.normal(size=8) * 0.7 for row in range(600)]).astype(np.float32)
    return Pool("c", 1.0, mentions, labels, centres.astype(np.float32), [[row] for row in range(30)])


def test_vectors_that_were_trained_to_be_cut_lose_little(tmp_path) -> None:
    def share_right(head: NerretHead, size: int) -> float:
        pool = _clusters(1)
        with torch.no_grad():
            mentions, types = (head(torch.from_numpy(rows))[:, :size] for rows in (pool.mentions, pool.phrases))
            scores = torch.nn.functional.normalize(mentions, dim=-1) @ torch.nn.functional.normalize(types, dim=-1).T
        return float(np.mean([int(best) in types for best, types in zip(scores.argmax(1), pool.labels, strict=True)]))

    shares = {}
    for sizes in ((), (4,)):
        section = HeadSection(matryoshka=sizes, types=30, per_type=4)
        head = _head()
        schedule = Schedule(steps=80, rate=1e-2, device="cpu")
        fit(ContrastLoss(head, section), TypeBatches([_clusters(0)], section, 0), tmp_path / str(sizes), schedule)
        shares[sizes] = share_right(head, 16), share_right(head, 4)
    assert shares[4,][1] > shares[()][1] + 0.05  # cut to a quarter, trained for it or not
    assert shares[4,][0] > shares[()][0] - 0.05  # and whole vectors do not pay for it
    with pytest.raises(ValueError, match="sizes are whole numbers between 0 and 16"):
        ContrastLoss(_head(), HeadSection(matryoshka=(16,)))


def test_each_option_of_the_contrast_changes_the_loss_by_what_it_says() -> None:
    pool = _clusters(0)
    pool.related_types = {number: frozenset({(number + 1) % 30}) for number in range(30)}
    batch = TypeBatches([pool], HeadSection(types=30, per_type=2), 0)[0]
    sections = (HeadSection(mask_related=True), HeadSection(), HeadSection(mention_weight=0.5))
    losses = [ContrastLoss(_head(), section)(**batch)["loss"].item() for section in sections]
    assert losses == sorted(losses) and len(set(losses)) == 3  # fewer negatives, as they are, and a further term
