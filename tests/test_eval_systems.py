"""The systems that are compared."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_nerret.eval.measure import measure
from modeling_nerret.eval.systems import sentences
from modeling_nerret.eval.systems.names import PREFIXES
from modeling_nerret.eval.systems.predicted_mentions import predict_mentions
from modeling_nerret.eval.systems.registry import MAKERS, SYSTEMS, make_system
from modeling_nerret.eval.systems.trial import Settings, Trial
from modeling_nerret.eval.tasks.task import Task
from modeling_nerret.spans import Span
from tests.tiny import save_backbone


def test_every_kind_of_name_has_a_maker() -> None:
    assert {*MAKERS, *SYSTEMS} == {"checkpoint", "bm25", "random", *PREFIXES}


def test_a_checkpoint_is_searched_as_a_user_searches_it(task: Task, tiny_checkpoint: str, tmp_path: Path) -> None:
    from modeling_nerret import EntityRetriever

    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    retriever.add(task.documents)
    trial = Trial(task, "predicted", Settings(detector=tiny_checkpoint))
    outcome = measure(trial, "tiny", make_system(tiny_checkpoint), with_mentions=True)
    for number, query in enumerate(task.queries):
        hits = retriever.search(query, k=12)
        assert outcome.rankings[number] == [hit.id for hit in hits]
        best = max(hits[0].mentions, key=lambda mention: mention.score)
        assert outcome.best_mentions[number][hits[0].id][:2] == (best.start, best.end)


def test_bm25_returns_only_documents_with_the_words(task: Task) -> None:
    outcome = measure(Trial(task, "gold"), "bm25", make_system("bm25"))
    assert set(outcome.rankings[2]) == {"d01", "d02", "d04"}  # they contain the word "river"
    assert outcome.short["writer"] == (0, 2)


def test_an_instruction_is_a_prompt_before_the_type(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str | None, str]] = []

    class Model:
        tokenizer = types.SimpleNamespace(eos_token="</s>")

        def encode(self, texts: list[str], prompt: str | None, **settings: Any) -> np.ndarray:
            calls.append((prompt, texts[0]))
            return np.eye(len(texts), 16)

    monkeypatch.setattr(sentences, "_refuse_absent", lambda model: None)
    monkeypatch.setattr(sentences, "_load", lambda *arguments: Model())
    for name in ("any/model@instruct", "intfloat/e5-mistral-7b-instruct@instruct", "nvidia/NV-Embed-v2@instruct"):
        measure(Trial(task, "gold"), name, make_system(f"st:{name}"))
    documents, queries = calls[::2], calls[1::2]
    assert [prompt for prompt, _ in documents] == [None] * 3
    assert [text for _, text in queries] == ["city", "city", "city</s>"]
    assert queries[0][0] == "A sentence that mentions a "
    assert queries[1][0] == queries[2][0]
    assert re.fullmatch(r"Instruct: .*\nQuery: ", str(queries[1][0]))
    assert documents[2][1].endswith("london</s>")


def test_a_model_that_runs_its_own_code_must_be_trusted(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "_refuse_absent", lambda model: None)
    with pytest.raises(
        ValueError, match="runs code from its repository; read it, then allow it with --trust-remote-code"
    ):
        measure(Trial(task, "gold"), "nv", make_system("st:nvidia/NV-Embed-v2"))


def test_gliner_passes_over_every_document_for_every_type(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gliner_config.json").write_text("{}")
    (tmp_path / "model.safetensors").touch()

    class GLiNER:
        @classmethod
        def from_pretrained(cls, name: str) -> GLiNER:
            assert name == str(tmp_path)
            return cls()

        def to(self, device: str) -> GLiNER:
            return self

        def inference(self, texts: list[str], labels: list[str], threshold: float, batch_size: int) -> list[list[dict]]:
            name = {"city": "london", "river": "thames"}.get(labels[0], "nowhere")
            starts = [text.find(name) for text in texts]
            return [[{"start": start, "end": start + 6, "score": 0.9}] if start >= 0 else [] for start in starts]

    module = types.ModuleType("gliner")
    module.GLiNER = GLiNER  # type: ignore[attr-defined]
    module.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "gliner", module)
    outcome = measure(Trial(task, "gold"), "gliner", make_system(f"gliner:{tmp_path}"), with_mentions=True)
    assert outcome.rankings == [["d00", "d02"], [], ["d02"], []]
    assert outcome.best_mentions[2] == {"d02": Span(10, 16)}
    assert outcome.short["person"] == (0, 6)


def test_gliner_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeling_nerret.eval.systems.gliner_passes.importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install '.\[gliner\]'"):
        make_system("gliner:x")


def test_a_token_classifier_predicts_mentions(
    task: Task, tiny_checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    monkeypatch.setattr("modeling_nerret.eval.systems.predicted_mentions.DEFAULT", tiny_checkpoint)
    backbone, folder = save_backbone(tmp_path / "backbone"), tmp_path / "classifier"
    AutoModelForTokenClassification.from_pretrained(backbone, num_labels=3).save_pretrained(folder)
    AutoTokenizer.from_pretrained(backbone).save_pretrained(folder)
    mentions = predict_mentions(task.documents, f"hf:{folder}")
    assert len(mentions) == len(task.documents)
    assert any(mentions)


def test_a_checkpoint_without_a_detector_is_refused(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = types.SimpleNamespace(detector=None)
    monkeypatch.setattr(
        "modeling_nerret.eval.systems.predicted_mentions.load_checkpoint", lambda name, device: checkpoint
    )
    with pytest.raises(ValueError, match="the checkpoint 'mine' has no detector; choose another with --detector"):
        predict_mentions(task.documents, "mine")
