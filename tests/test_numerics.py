"""Batch size, order, padding and the place of a window change no vector beyond rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_nerret import GivenSpans, NerretModel
from modeling_nerret.backbones import FAMILIES
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.spans import Span, windows_by_context
from modeling_nerret.windows import make_windows
from tests.tiny import byte_bpe, save_backbone, save_checkpoint, wordpiece

CAUSAL = [name for name, family in FAMILIES.items() if family.causal]
CLOSE = 1e-5  # cosine distance


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NerretModel:
    folder = save_backbone(tmp_path_factory.mktemp("numerics"), request.param, _tokenizer(request.param))
    torch.manual_seed(0)
    return NerretModel.from_backbone(folder, layer=3, pooling="mean", head_size=24, hidden_size=16)


def _tokenizer(family: str) -> object:
    return byte_bpe() if family in CAUSAL else wordpiece()


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    return float((1 - (first * second).sum(-1)).max())


def _documents() -> list[Document]:
    random = np.random.default_rng(0)
    words = ["the", "river", "london", "notes", "ada", "paris"]
    texts = [" ".join(random.choice(words, random.integers(1, 9))) for _ in range(64)]
    return [
        Document(str(number), text, mentions=(Span(0, 3), Span(len(text) - 3, len(text))))
        for number, text in enumerate(texts)
    ]


def _vectors(model: NerretModel, documents: list[Document], batch_tokens: int) -> dict[str, np.ndarray]:
    encoder = Encoder(model, _tokenizer(model.backbone.config.model_type), GivenSpans(), batch_tokens)
    return {result.document.id: result.vectors for result in encoder.encode(documents)}


def test_batch_size_and_order_change_no_vector(model: NerretModel) -> None:
    documents = _documents()
    expected = _vectors(model, documents, batch_tokens=1)
    random_order = [documents[number] for number in np.random.default_rng(1).permutation(len(documents))]
    for corpus, batch_tokens in ((documents, 10_000), (documents[::-1], 300), (random_order, 1_000)):
        vectors = _vectors(model, corpus, batch_tokens)
        assert max(_distance(expected[name], vectors[name]) for name in expected) < CLOSE


def test_padding_side_and_width_change_no_vector(model: NerretModel) -> None:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, 60, (1, 9), generator=generator)
    expected = model(ids).embeddings
    for before, after in ((0, 1), (0, 40), (1, 0), (40, 0), (7, 7)):
        padded_ids = torch.nn.functional.pad(ids, (before, after))
        mask = torch.nn.functional.pad(torch.ones_like(ids), (before, after))
        neighbour = torch.randint(4, 60, padded_ids.shape, generator=generator)  # another row of the same batch
        batch, masks = torch.cat([padded_ids, neighbour]), torch.cat([mask, torch.ones_like(mask)])
        assert _distance(model(batch, masks).embeddings[:1].detach().numpy(), expected.detach().numpy()) < CLOSE


def test_the_place_of_a_window_changes_no_vector(model: NerretModel) -> None:
    """A mention in a long text has the same vector as in its window alone, wherever that window is."""
    tokenizer = _tokenizer(model.backbone.config.model_type)
    text = "the river by london in notes " * 12
    windows = make_windows(tokenizer, [text], model.config.max_tokens)
    assert len(windows) > 1
    starts = [start for start in range(len(text)) if text.startswith("london", start)]
    document = Document("a", text, mentions=tuple(Span(start, start + 6) for start in starts))
    (result,) = Encoder(model, tokenizer, GivenSpans()).encode([document])
    assert [span.start for span in result.mentions] == starts
    covers = [window.span for window in windows]
    for (start, end, _), vector in zip(result.mentions, result.vectors, strict=True):
        left, right = covers[windows_by_context(covers, start, end, model.causal)[0]]
        excerpt = Document("b", text[left:right], mentions=(Span(start - left, end - left),))
        (expected,) = Encoder(model, tokenizer, GivenSpans()).encode([excerpt])
        assert _distance(vector, expected.vectors[0]) < CLOSE


def test_tokens_after_the_last_mention_are_not_run(model: NerretModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A causal backbone gives the same vectors from fewer tokens; any other backbone needs every token."""
    token_counts = []
    forward = model.hidden_states

    def count_and_forward(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        token_counts.append(int(mask.sum()))
        return forward(ids, mask)

    monkeypatch.setattr(model, "hidden_states", count_and_forward)
    text = "ada wrote notes in london by the river"
    documents = [Document("a", text, mentions=(Span(0, 3), Span(4, 9))), Document("b", "no mention here")]
    (first, second) = _vectors(model, documents, 10_000).values()
    assert len(second) == 0
    tokenizer = _tokenizer(model.backbone.config.model_type)
    tokens = tokenizer(text, return_offsets_mapping=True)
    offsets = tokens["offset_mapping"]
    last = max(index for index, (left, right) in enumerate(offsets) if left < 9 and right > left)
    assert token_counts == [last + 1 if model.causal else len(offsets)]
    states = forward(torch.tensor([tokens["input_ids"]]), None)  # (1, tokens, width)
    spans = []
    for start, end in ((0, 3), (4, 9)):
        cover = [index for index, (left, right) in enumerate(offsets) if left < end and right > max(start, left)]
        spans.append((0, cover[0], cover[-1] + 1))
    assert _distance(first, model.embed(states, torch.tensor(spans)).detach().numpy()) < CLOSE


def test_mentions_given_as_spans_have_the_vectors_of_detected_ones(tmp_path: Path) -> None:
    """The vectors do not depend on whether mentions are known before or after the forward pass."""
    checkpoint = load_checkpoint(save_checkpoint(tmp_path, "llama", pooling="end"))
    assert checkpoint.detector is not None
    texts = ["ada wrote notes in london", "the river by the city in paris"]
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector)
    expected = list(encoder.encode(Document(text, text) for text in texts))
    assert any(result.mentions for result in expected)
    documents = [
        Document(result.document.id, result.document.text, mentions=tuple(result.mentions)) for result in expected
    ]
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, GivenSpans())
    for result, reference in zip(encoder.encode(documents), expected, strict=True):
        assert result.mentions == reference.mentions
        assert not len(result.vectors) or _distance(result.vectors, reference.vectors) < CLOSE
