"""Batch size, order, padding side and the window's place change no vector beyond rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_nerret import GivenSpans, NerretModel
from modeling_nerret.backbones import FAMILIES
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.spans import Span, windows_by_context
from modeling_nerret.windows import make_windows
from tests.tiny import byte_bpe, save_backbone, wordpiece

CAUSAL = [name for name, family in FAMILIES.items() if family.causal]
CLOSE = 1e-5  # cosine distance


@pytest.fixture(scope="module", params=FAMILIES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NerretModel:
    folder = save_backbone(tmp_path_factory.mktemp("numerics"), request.param, _tokenizer(request.param))
    torch.manual_seed(0)
    return NerretModel.from_backbone(folder, layer=3, pooling="mean", head_size=24, hidden_size=16)


def _tokenizer(family: str) -> object:
    return byte_bpe() if family in CAUSAL else wordpiece()


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float((1 - (one * other).sum(-1)).max())


def _documents() -> list[Document]:
    random = np.random.default_rng(0)
    words = ["the", "river", "london", "notes", "ada", "paris"]
    texts = [" ".join(random.choice(words, random.integers(1, 9))) for _ in range(64)]
    return [
        Document(str(n), text, mentions=(Span(0, 3), Span(len(text) - 3, len(text)))) for n, text in enumerate(texts)
    ]


def _vectors(model: NerretModel, documents: list[Document], batch_tokens: int) -> dict[str, np.ndarray]:
    encoder = Encoder(model, _tokenizer(model.backbone.config.model_type), GivenSpans(), batch_tokens)
    return {one.document.id: one.vectors for one in encoder.encode(documents)}


def test_batch_size_and_order(model: NerretModel) -> None:
    documents = _documents()
    alone = _vectors(model, documents, batch_tokens=1)
    shuffled = [documents[at] for at in np.random.default_rng(1).permutation(len(documents))]
    for some, batch_tokens in ((documents, 10_000), (documents[::-1], 300), (shuffled, 1_000)):
        other = _vectors(model, some, batch_tokens)
        assert max(_distance(alone[name], other[name]) for name in alone) < CLOSE


def test_padding_side_and_width(model: NerretModel) -> None:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, 60, (1, 9), generator=generator)
    expected = model(ids).embeddings
    for before, after in ((0, 1), (0, 40), (1, 0), (40, 0), (7, 7)):
        padded = torch.nn.functional.pad(ids, (before, after))
        mask = torch.nn.functional.pad(torch.ones_like(ids), (before, after))
        others = torch.nn.functional.pad(torch.randint(4, 60, (1, padded.shape[1]), generator=generator), (0, 0, 1, 0))
        batch, masks = torch.maximum(others, torch.cat([padded, padded])), torch.cat([mask, torch.ones_like(mask)])
        batch[0] = padded[0]
        assert _distance(model(batch, masks).embeddings[:1].detach().numpy(), expected.detach().numpy()) < CLOSE


def test_a_windows_place_in_its_text(model: NerretModel) -> None:
    """A mention in a long text has the vector that its window alone gives, wherever that window stands."""
    tokenizer = _tokenizer(model.backbone.config.model_type)
    text = "the river by london in notes " * 12
    windows = make_windows(tokenizer, [text], model.config.max_tokens)
    assert len(windows) > 1
    starts = [at for at in range(len(text)) if text.startswith("london", at)]
    document = Document("a", text, mentions=tuple(Span(at, at + 6) for at in starts))
    (encoded,) = Encoder(model, tokenizer, GivenSpans()).encode([document])
    assert [span.start for span in encoded.mentions] == starts
    covers = [window.span for window in windows]
    for (start, end, _), vector in zip(encoded.mentions, encoded.vectors, strict=True):
        left, right = covers[windows_by_context(covers, start, end, model.causal)[0]]
        alone = Document("b", text[left:right], mentions=(Span(start - left, end - left),))
        assert _distance(vector, next(iter(Encoder(model, tokenizer, GivenSpans()).encode([alone]))).vectors[0]) < CLOSE


def test_tokens_after_the_last_mention_are_not_run(model: NerretModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a causal backbone: the same vectors from fewer tokens; elsewhere every token is needed."""
    ran = []
    inner = model.hidden_states
    monkeypatch.setattr(model, "hidden_states", lambda ids, mask: ran.append(int(mask.sum())) or inner(ids, mask))
    text = "ada wrote notes in london by the river"
    documents = [Document("a", text, mentions=(Span(0, 3), Span(4, 9))), Document("b", "no mention here")]
    (first, second) = _vectors(model, documents, 10_000).values()
    assert len(second) == 0
    tokenizer = _tokenizer(model.backbone.config.model_type)
    encoded = tokenizer(text, return_offsets_mapping=True)
    whole = len(encoded["input_ids"])
    assert ran == [
        max(at + 1 for at, (start, end) in enumerate(encoded["offset_mapping"]) if start < 9 and end > start)
        if model.causal
        else whole
    ]
    full = inner(torch.tensor([encoded["input_ids"]]), None)
    spans = []
    for start, end in ((0, 3), (4, 9)):
        cover = [at for at, (a, b) in enumerate(encoded["offset_mapping"]) if a < end and b > start and a < b]
        spans.append((0, cover[0], cover[-1] + 1))
    assert _distance(first, model.embed(full, torch.tensor(spans)).detach().numpy()) < CLOSE


def test_detector_that_reads_states_gives_the_same_as_its_spans_given(tmp_path: Path) -> None:
    """Both ways through the encoder, before and after the forward pass, meet in the same vectors."""
    from modeling_nerret.pretrained.checkpoints import load_checkpoint
    from tests.tiny import save_checkpoint

    loaded = load_checkpoint(save_checkpoint(tmp_path, "llama", pooling="end"))
    assert loaded.detector is not None
    texts = ["ada wrote notes in london", "the river by the city in paris"]
    read = list(Encoder(loaded.model, loaded.tokenizer, loaded.detector).encode(Document(t, t) for t in texts))
    assert any(one.mentions for one in read)
    again = [Document(one.document.id, one.document.text, mentions=tuple(one.mentions)) for one in read]
    for one, other in zip(read, Encoder(loaded.model, loaded.tokenizer, GivenSpans()).encode(again), strict=True):
        assert one.mentions == other.mentions
        assert not len(one.vectors) or _distance(one.vectors, other.vectors) < CLOSE
