"""A causal backbone reads a token before every text, whatever its tokenizer does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import processors
from transformers import AutoTokenizer

from modeling_nerret import GivenSpans, NerretModel
from modeling_nerret.backbones import FAMILIES
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.eval.measure import measure
from modeling_nerret.eval.probe.layers import ProbeSettings, probe_layers
from modeling_nerret.eval.systems.registry import make_system
from modeling_nerret.eval.systems.trial import Trial
from modeling_nerret.eval.tasks.annotations import read_annotations
from modeling_nerret.eval.tasks.task import make_task
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.spans import Span
from modeling_nerret.special_tokens import put_token_first
from modeling_nerret.st_nerret import NerretTransformer
from modeling_nerret.training.checkpoints import load_start
from modeling_nerret.training.recipe_files import from_dict
from modeling_nerret.windows import make_windows
from tests.small_corpus import write_corpus
from tests.tiny import byte_bpe, save_backbone, unigram, wordpiece

CAUSAL = [name for name, family in FAMILIES.items() if family.causal]
QUERIES = ["river", "london"]  # a token each


def _tokenizer(post_processor: Any = None) -> Any:
    """A tokenizer that puts nothing before a text, as those of Qwen and SmolLM2; it has an end-of-text token."""
    tokenizer = unigram()
    tokenizer.backend_tokenizer.post_processor = post_processor
    return tokenizer


def _template(single: str) -> Any:
    return processors.TemplateProcessing(single, special_tokens=[("</s>", 1)])


def _model(folder: Path, family: str, tokenizer: Any = None, pooling: str = "mean") -> NerretModel:
    backbone = save_backbone(folder / "backbone", family, tokenizer or _tokenizer())
    torch.manual_seed(0)
    return NerretModel.from_backbone(backbone, layer=2, pooling=pooling, head_size=24, hidden_size=16)


def _sink(module: Any, inputs: Any, states: torch.Tensor) -> torch.Tensor:
    """Do to the first token's states (batch, tokens, size) what trained models do: make it an attention sink."""
    first = torch.ones_like(states[:, :1])
    return torch.cat([first, states[:, 1:]], dim=1)


@pytest.mark.parametrize("family", CAUSAL)
def test_queries_of_one_token_have_vectors_of_their_own(family: str, tmp_path: Path) -> None:
    model = _model(tmp_path, family)
    model.get_input_embeddings().register_forward_hook(_sink)
    assert (model.config.prefix_tokens, model.config.suffix_tokens) == (1, 0)
    vectors = Encoder(model, _tokenizer(), GivenSpans()).embed_queries(QUERIES)
    module = SentenceTransformer(modules=[NerretTransformer(model, _tokenizer())])
    np.testing.assert_allclose(module.encode(QUERIES), vectors, atol=1e-6)
    assert vectors[0] @ vectors[1] < 0.999


@pytest.mark.parametrize("family", CAUSAL)
def test_the_first_token_moves_no_mention(family: str, tmp_path: Path) -> None:
    model = _model(tmp_path, family, pooling="end")
    text = "ada wrote notes by the river in london " * 12
    spans = tuple(Span(start, start + 6) for start in range(len(text)) if text.startswith("london", start))
    encoder = Encoder(model, _tokenizer(), GivenSpans())
    (result,) = encoder.encode([Document("a", text, mentions=spans)])
    assert [text[start:end] for start, end, _ in result.mentions] == ["london"] * 12
    windows = make_windows(encoder.tokenizer, [text], model.config.max_tokens)
    assert len(windows) > 1 and all(window.ids[0] == 1 and len(window.ids) <= 64 for window in windows)
    for window in windows:
        assert [text[start:end].strip() for start, end in window.offsets[1:]] == [
            piece.removeprefix("▁") for piece in encoder.tokenizer.convert_ids_to_tokens(window.ids[1:])
        ]


def test_every_loader_of_a_backbone_puts_the_token_first(tmp_path: Path) -> None:
    model = _model(tmp_path, "llama")
    model.save_pretrained(tmp_path / "head", head_only=True)
    model.save_pretrained(tmp_path / "whole")
    load_checkpoint(str(tmp_path / "head")).tokenizer.save_pretrained(tmp_path / "whole")
    recipe = from_dict({"backbone": model.config.backbone, "layer": 2, "model": {"head_size": 8, "hidden_size": 8}})
    tokenizers = [
        load_checkpoint(str(tmp_path / "head")).tokenizer,
        load_checkpoint(str(tmp_path / "whole")).tokenizer,
        load_start(recipe, "cpu", tmp_path / "cache").tokenizer,
        AutoTokenizer.from_pretrained(tmp_path / "whole"),
    ]
    assert [tokenizer("river")["input_ids"] for tokenizer in tokenizers] == [[1, 5]] * 4


def test_bare_vectors_have_the_token_too(tmp_path: Path) -> None:
    """The benchmark's systems without a head, and the layer probe, read what the model itself would."""
    task = make_task("small", read_annotations(write_corpus(tmp_path)))
    backbone = save_backbone(tmp_path / "backbone", "llama", _tokenizer())
    result = probe_layers(backbone, task, ProbeSettings(pairs=50))
    save_backbone(tmp_path / "backbone", "llama", _tokenizer(_template("</s> $A")))  # the same with the token
    expected = probe_layers(backbone, task, ProbeSettings(pairs=50))
    assert result == expected
    for system in (f"bare:{backbone}@2@end", f"last:{backbone}"):
        scores = []
        for template in ("</s> $A", "$A"):
            save_backbone(tmp_path / "backbone", "llama", _tokenizer(_template(template)))
            scores.append(measure(Trial(task, "gold"), "bare", make_system(system)).result["macro_r_precision"])
        assert scores[0] == scores[1]


def test_a_stock_tokenizer_saved_beside_a_checkpoint_is_read_with_the_token(tmp_path: Path) -> None:
    model = _model(tmp_path, "llama")
    model.save_pretrained(tmp_path / "whole")
    _tokenizer().save_pretrained(tmp_path / "whole")
    assert load_checkpoint(str(tmp_path / "whole")).tokenizer("river")["input_ids"] == [1, 5]


def test_a_tokenizer_that_lost_its_tokens_is_noticed(tmp_path: Path) -> None:
    model, tokenizer = _model(tmp_path, "bert", wordpiece()), wordpiece()
    model.save_pretrained(tmp_path / "whole")
    tokenizer.backend_tokenizer.post_processor = None
    tokenizer.save_pretrained(tmp_path / "whole")
    with pytest.raises(ValueError, match="gives other tokens here than when it was saved"):
        load_checkpoint(str(tmp_path / "whole"))


def test_a_checkpoint_from_before_keeps_its_tokens(tmp_path: Path) -> None:
    model = _model(tmp_path, "llama")
    model.config.update({"prefix_tokens": 0, "golden_tokens": model.config.golden_tokens[1:]})
    model.save_pretrained(tmp_path / "head", head_only=True)
    assert load_checkpoint(str(tmp_path / "head")).tokenizer("river")["input_ids"] == [5]


@pytest.mark.parametrize("tokenizer", [byte_bpe, wordpiece])
def test_a_token_that_stands_there_already_is_enough(tokenizer: Any) -> None:
    original = tokenizer()
    assert put_token_first(original) is original


def test_what_a_tokenizer_does_besides_stays() -> None:
    original = _tokenizer(processors.Sequence([processors.ByteLevel(trim_offsets=False), _template("$A </s>")]))
    tokenizer = put_token_first(original)
    assert tokenizer("the river")["input_ids"] == [1, 4, 5, 1]
    windows = make_windows(tokenizer, ["the river in london"], 4)
    assert [(window.ids[0], window.ids[-1], len(window.ids)) for window in windows] == [(1, 1, 4)] * 3
    assert put_token_first(tokenizer) is tokenizer
    assert original("the river")["input_ids"] == [4, 5, 1]  # the caller's is as it was


def test_a_tokenizer_without_such_tokens_is_refused_only_for_causal_backbones(tmp_path: Path) -> None:
    tokenizer = wordpiece()
    tokenizer.backend_tokenizer.post_processor = None
    with pytest.raises(ValueError, match=r"has neither bos_token nor eos_token: name one of them in its"):
        _model(tmp_path / "llama", "llama", tokenizer)
    assert _model(tmp_path / "bert", "bert", tokenizer).config.prefix_tokens == 0
