"""The generative detector and GLiNER, with recorded answers and tiny random models."""

from __future__ import annotations

import json
import shutil
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from modeling_nerret import NerretModel
from modeling_nerret.detectors.generative import GenerativeExtractor
from modeling_nerret.detectors.gliner import Gliner, split_long_text
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.forms import WORD
from modeling_nerret.windows import make_windows
from tests.tiny import SIZES, byte_bpe, save_backbone, wordpiece

TEXTS = ["Ada wrote notes.", "The river in Paris was born in London, in the city of the river Ada."]


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("llm")
    torch.manual_seed(0)
    sizes = SIZES | {"max_position_embeddings": 2048, "eos_token_id": 7}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(byte_bpe()), **sizes)).save_pretrained(folder)
    byte_bpe().save_pretrained(folder)
    return str(folder)


def test_recorded_copies_become_spans_of_each_window(language_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor = GenerativeExtractor(language_model, batch_size=2)
    text = "london by the river " * 6
    windows = make_windows(wordpiece(), [text, "Ada"], 16)
    assert len(windows) > 3
    requests: list[str] = []

    def write(texts: list[str]) -> list[str]:
        requests.extend(texts)
        return [text.replace("river", "##River##") for text in texts]

    monkeypatch.setattr(extractor, "write", write)
    proposals = extractor.propose([Document("a", text), Document("b", "Ada")], windows, None)
    assert requests == [window.text[slice(*window.span)] for window in windows]
    rivers = {start for start in range(len(text)) if text.startswith("river", start)}
    assert {span.start for spans in proposals[:-1] for span in spans} == rivers
    assert all(text[span.start : span.end] == "river" for spans in proposals[:-1] for span in spans)
    assert proposals[-1] == []


@pytest.mark.parametrize("chat", [False, True])
def test_padding_changes_no_answer_and_prompts_are_not_part_of_it(language_model: str, chat: bool) -> None:
    extractor = GenerativeExtractor(language_model)
    if chat:
        extractor.tokenizer.chat_template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<bot>"
    together = extractor.write(TEXTS)
    alone = [answer for text in TEXTS for answer in extractor.write([text])]
    shortest = min(len(answer) for answer in alone)
    assert shortest > 0  # a random model writes until it must stop, which depends on the longest text of its batch
    assert [answer[:shortest] for answer in together] == [answer[:shortest] for answer in alone]
    assert not any("Text:" in answer or "Copy" in answer for answer in together)


def test_a_random_model_invents_nothing(language_model: str, tmp_path: Path) -> None:
    model = NerretModel.from_backbone(save_backbone(tmp_path / "b"), layer=2, head_size=8, hidden_size=8)
    encoder = Encoder(model, wordpiece(), GenerativeExtractor(language_model))
    for encoding in encoder.encode(Document(text, text) for text in TEXTS):
        assert all(encoding.document.text[start:end].strip() for start, end, _ in encoding.mentions)


def test_a_prompt_without_a_place_for_the_text(language_model: str) -> None:
    with pytest.raises(ValueError, match=r"'Mark the entities\.' must contain \{text\}"):
        GenerativeExtractor(language_model, prompt="Mark the entities.")


class _Gliner:
    """The part of GLiNER's interface that the detector uses. Every capitalised word is an entity of two types."""

    config = SimpleNamespace(max_len=6)

    @classmethod
    def from_pretrained(cls, name: str) -> _Gliner:
        return cls()

    def to(self, device: str) -> _Gliner:
        return self

    def eval(self) -> _Gliner:
        return self

    def inference(self, texts: list[str], types: list[str], threshold: float, batch_size: int) -> list[list[dict]]:
        assert all(len(text.split()) <= self.config.max_len for text in texts) and batch_size == 8
        return [
            [
                {"start": start, "end": start + len(word), "text": word, "label": label, "score": score}
                for word in text.split()
                if word[0].isupper() and (start := text.index(word)) >= 0
                for label, score in ((types[0], threshold), (types[1], 0.9))
            ]
            for text in texts
        ]


@pytest.fixture
def gliner(tmp_path: Path) -> Path:
    """A folder with the files that a GLiNER checkpoint has."""
    (tmp_path / "gliner_config.json").write_text('{"model_name": "any/encoder", "encoder_config": {}}')
    (tmp_path / "model.safetensors").touch()
    return tmp_path


def test_gliners_entities_are_spans_of_the_whole_text(gliner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gliner", SimpleNamespace(GLiNER=_Gliner))
    text = "the river in London was born in Paris and Ada wrote notes"
    windows = make_windows(wordpiece(), [text, "in the city"], 20)
    proposals = Gliner(str(gliner)).propose([Document("a", text), Document("b", "in the city")], windows, None)
    spans = sorted({span for window_spans in proposals for span in window_spans})
    assert [text[start:end] for start, end, _ in spans] == ["London", "Paris", "Ada"]
    assert {span.score for span in spans} == {0.9} and proposals[-1] == []


def test_a_long_text_is_split_after_sentences() -> None:
    text = "One two three. Four, five six! " * 5
    parts = split_long_text(text, 4, len(text), 9)
    assert parts[0][0] == 4 and parts[-1][1] == len(text)
    assert all(part[1] == successor[0] for part, successor in pairwise(parts))
    assert all(text[end - 1] in ".!" for _, end in parts[:-1])
    assert all(len(WORD.findall(text, start, end)) <= 9 for start, end in parts)


def test_without_gliner_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gliner", None)
    with pytest.raises(ImportError, match=r"pip install '.\[gliner\]'"):
        Gliner("any/name")


def test_settings_for_generation_of_a_checkpoint_do_not_change_the_copy(language_model: str, tmp_path: Path) -> None:
    folder = shutil.copytree(language_model, tmp_path / "llm")
    answers = GenerativeExtractor(str(folder)).write(TEXTS)
    settings = {"repetition_penalty": 9.0, "bad_words_ids": [[3]], "stop_strings": ["a"], "max_time": 0.0}
    (folder / "generation_config.json").write_text(json.dumps(settings | {"eos_token_id": 7}))
    assert GenerativeExtractor(str(folder)).write(TEXTS) == answers


@pytest.mark.parametrize(
    "template", ["{{ 1/0 }}", "{% raise %}", "{% include '/etc/passwd' %}", "{{ ''.__class__.__mro__ }}"]
)
def test_a_chat_template_that_fails_is_told_when_it_is_loaded(
    template: str, language_model: str, tmp_path: Path
) -> None:
    folder = shutil.copytree(language_model, tmp_path / "llm")
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(ValueError, match=r"the chat template of .*chat_template\.jinja.* fails"):
        GenerativeExtractor(str(folder))
