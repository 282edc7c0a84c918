"""The endpoint's handler, called as a server calls it, in a repository without the package."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.hub_card.sources import copy_sources
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint

CARD = Path(__file__).parent.parent / "hub_card"
TEXT = "Ada Lovelace was born in London, the city."
ADA, LONDON = {"start": 0, "end": 12}, {"start": 25, "end": 31}


@pytest.fixture(scope="module")
def repository(tiny_checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with the package's files and the handler beside it."""
    folder = tmp_path_factory.mktemp("handler") / "repository"
    shutil.copytree(tiny_checkpoint, folder)
    copy_sources(folder)
    shutil.copyfile(CARD / "handler.py", folder / "handler.py")
    return folder


def _handler(folder: Path) -> Any:
    """The folder's handler, made as inference servers make it."""
    spec: Any = importlib.util.spec_from_file_location("handler.EndpointHandler", folder / "handler.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EndpointHandler(str(folder))


@pytest.fixture(scope="module")
def handler(repository: Path) -> Any:
    return _handler(repository)


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint: str) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint)


def _distance(vector: list[float], expected: np.ndarray) -> float:
    return float(np.abs(np.asarray(vector, dtype=np.float32) - expected).max())


def _of_model(checkpoint: Checkpoint, text: str, start: int, end: int) -> np.ndarray:
    """The model's own vector of a mention."""
    tokens = checkpoint.tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    offsets = tokens["offset_mapping"][0].tolist()
    positions = [position for position, (left, right) in enumerate(offsets) if left < end and right > start]
    spans = torch.tensor([[0, positions[0], positions[-1] + 1]])
    with torch.no_grad():
        return checkpoint.model(tokens["input_ids"], tokens["attention_mask"], spans=spans).embeddings[0].numpy()


def test_type_queries(handler: Any, checkpoint: Checkpoint) -> None:
    answers = handler({"inputs": ["city", "river in london"]})
    for answer, query in zip(answers, ("city", "river in london"), strict=True):
        assert _distance(answer["vector"], _of_model(checkpoint, query, 0, len(query))) < 1e-6
    assert handler({"inputs": "city"}).keys() == {"vector"}
    assert np.allclose(np.linalg.norm(answers[0]["vector"]), 1)


def test_mentions_in_their_text(handler: Any, checkpoint: Checkpoint) -> None:
    london = handler({"inputs": {"text": TEXT, **LONDON}})
    assert (london["text"], london["windows"], london["characters"]) == ("London", 1, len(TEXT))
    assert _distance(london["vector"], _of_model(checkpoint, TEXT, 25, 31)) < 1e-6
    mentions = handler({"inputs": [{"text": TEXT, "mentions": [LONDON, ADA]}]})[0]["mentions"]
    assert [mention["text"] for mention in mentions] == ["London", "Ada Lovelace"]  # in the order of the request
    assert "score" not in mentions[0] and _distance(mentions[0]["vector"], np.asarray(london["vector"])) < 1e-6


def test_mentions_of_a_text_are_found(handler: Any, checkpoint: Checkpoint) -> None:
    answer = handler({"inputs": {"text": TEXT}})
    assert checkpoint.detector is not None
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector)
    expected = next(iter(encoder.encode([Document("a", TEXT)])))
    assert expected.mentions
    for mention, span, vector in zip(answer["mentions"], expected.mentions, expected.vectors, strict=True):
        assert (mention["start"], mention["end"], mention["score"]) == tuple(span)
        assert mention["text"] == TEXT[span.start : span.end] and _distance(mention["vector"], vector) < 1e-6


def test_long_texts_are_read_in_windows_and_the_answer_says_so(handler: Any) -> None:
    text = "the river in the city " * 40 + "London"
    answer = handler({"inputs": [{"text": text, "start": len(text) - 6, "end": len(text)}, {"text": TEXT}]})
    assert answer[0]["windows"] > 1 and answer[0]["characters"] == len(text) and answer[0]["text"] == "London"
    assert answer[1]["windows"] == 1


def test_vectors_without_normalisation(handler: Any) -> None:
    for item in ("city", {"text": TEXT, **ADA}):
        unit, raw = (
            handler({"inputs": item, "parameters": {"normalize": normalize}})["vector"] for normalize in (True, False)
        )
        assert abs(np.linalg.norm(raw) - 1) > 1e-3
        assert _distance(unit, np.asarray(raw) / np.linalg.norm(raw)) < 1e-6
        assert handler({"inputs": item})["vector"] == unit  # the default, also after a request without


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("  ", "a type query is a few words"),
        ("city " * 80, "a type query is over 64 tokens"),
        ("city " * 20_000, "a text has at most 50,000 characters, not 100,000; send its parts"),
        ("a \ud800", "a type query is not valid Unicode at character 2"),
        ({"text": "Ada \udfff"}, "is not valid Unicode at character 4"),
        ({"text": TEXT * 2_000}, "a text has at most 50,000 characters"),
        ({"text": TEXT, "start": 0.0, "end": 3}, 'a mention is {"start": ..., "end": ...}'),
        ({"text": TEXT, "start": math.nan, "end": 3}, 'a mention is {"start": ..., "end": ...}'),
        ({"text": TEXT, "start": False, "end": True}, "are whole numbers, not true or false"),
        ({"text": TEXT, "start": 0, "end": 10**30}, "needed is 0 <= start < end <= 42"),
        ({"text": TEXT, "start": 0, "end": 3, "label": "person"}, "accepted is a type query"),
        ([], "accepted is a type query"),
        (True, "accepted is a type query"),
        (7, "accepted is a type query"),
        (None, "accepted is a type query"),
        ({"text": TEXT, "start": 30, "end": 99}, "a text of 42 characters: needed is 0 <= start < end <= 42"),
        ({"text": TEXT, "start": 0}, "accepted is a type query"),
        ({"text": TEXT, "mentions": []}, "is empty; leave it out"),
        ({"text": TEXT, "mentions": [{"begin": 3}]}, 'a mention is {"start": ..., "end": ...}'),
        ({"text": TEXT, "mentions": 3}, "mentions are a list, not int"),
        ({"text": ""}, "has an empty text"),
        ({"text": 3}, 'needs a "text", a string'),
        ({"texts": [TEXT]}, "accepted is a type query"),
    ],
)
def test_an_input_that_is_wrong_spoils_no_other(wrong: Any, message: str, handler: Any) -> None:
    answers = handler({"inputs": ["city", wrong, {"text": TEXT, **ADA}]})
    assert message in answers[1]["error"] and answers[1].keys() == {"error"}
    assert answers[0] == handler({"inputs": "city"}) and "vector" in answers[2]


def test_what_fails_in_the_model_spoils_no_other(
    handler: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = handler.code("encoding").Encoder
    expected = handler({"inputs": ["city", {"text": TEXT, **ADA}]})
    embed, encode = encoder.embed_queries, encoder.encode

    def embed_some(self: Any, queries: list[str]) -> np.ndarray:
        if "secret" in queries:
            raise RuntimeError("CUDA out of memory at /srv/secret")
        return embed(self, queries) * (np.nan if queries == ["nan"] else 1)

    def encode_some(self: Any, documents: Any) -> Any:
        documents = list(documents)
        if any("secret" in document.text for document in documents):
            raise TypeError("no such thing")
        return encode(self, documents)

    monkeypatch.setattr(encoder, "embed_queries", embed_some)
    monkeypatch.setattr(encoder, "encode", encode_some)
    inputs = ["city", "secret", {"text": "a secret in London", **ADA}, {"text": TEXT, **ADA}]
    answers = handler({"inputs": inputs})
    assert [answers[0], answers[3]] == expected
    for answer in answers[1:3]:
        assert answer == {"error": "the model failed on this input; the server's log says why"}
    assert "out of memory" in caplog.text
    assert "not finite" in handler({"inputs": "nan"})["error"]


def test_a_mention_without_a_token_spoils_no_other(handler: Any) -> None:
    text = "Ada\u200b\u200b"  # the tokenizer drops the two at the end
    mentions = handler({"inputs": {"text": text, "mentions": [{"start": 3, "end": 5}, {"start": 0, "end": 3}]}})[
        "mentions"
    ]
    assert "no token" in mentions[0]["error"] and "vector" in mentions[1]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "a request is"),
        ([], "a request is"),
        ({"inputs": "city", "parameters": {"truncate": True}}, 'accepted is {"normalize": true or false}'),
        ({"inputs": "city", "parameters": {"normalize": "yes"}}, "accepted are true and false"),
        ({"inputs": "city", "parameters": [1]}, "parameters are [1]"),
        ({"inputs": "city", "parameters": []}, "parameters are []"),
        ({"inputs": "city", "parameters": {"normalize": None}}, "accepted are true and false"),
        ({"inputs": ["city"] * 1_025}, "at most 1,024 inputs, not 1,025; send several requests"),
        ({"inputs": [{"text": TEXT * 1_000}] * 5}, "at most 200,000 characters, not 210,000"),
        ({"inputs": {"text": TEXT, "mentions": [ADA] * 5_001}}, "at most 5,000 mentions, not 5,001"),
    ],
)
def test_a_request_that_is_wrong_as_a_whole(body: Any, message: str, handler: Any) -> None:
    answer = handler(body)
    assert message in answer["error"] and answer.keys() == {"error"}


def test_no_inputs_are_no_answers_and_many_fit(handler: Any) -> None:
    assert handler({"inputs": []}) == []
    assert len(handler({"inputs": ["city"] * 150})) == 150


def test_a_model_without_a_detector_says_so(repository: Path, tmp_path: Path) -> None:
    shutil.copytree(repository, tmp_path / "bare")
    for name in ("detector.json", "detector.safetensors", "checksums.json"):
        (tmp_path / "bare" / name).unlink()
    answers = _handler(tmp_path / "bare")({"inputs": [{"text": TEXT}, {"text": TEXT, **ADA}]})
    assert "has no detector" in answers[0]["error"] and "vector" in answers[1]


SERVER = """
import importlib.util, json, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "modeling_nerret":
            raise ModuleNotFoundError(name)
FOLDER = sys.argv[1]
sys.meta_path.insert(0, Absent())
sys.path.insert(0, FOLDER)  # as the inference toolkit does
spec = importlib.util.spec_from_file_location("handler.EndpointHandler", FOLDER + "/handler.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
answer = module.EndpointHandler(FOLDER)(json.loads(sys.argv[2]))
print(json.dumps(answer))
"""


@pytest.mark.slow
def test_runs_without_the_package_and_offline(repository: Path, handler: Any, tmp_path: Path) -> None:
    body = {"inputs": ["city", {"text": TEXT}, {"text": TEXT, **ADA}]}
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-I", "-c", SERVER, str(repository), json.dumps(body)]
    process = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment, cwd="/"
    )
    assert process.returncode == 0, process.stderr
    _assert_close(json.loads(process.stdout), handler(body))


def _assert_close(answer: Any, expected: Any) -> None:
    """Assert that two answers are equal, numbers to 1e-6."""
    if isinstance(expected, dict):
        assert answer.keys() == expected.keys()
        answer, expected = list(answer.values()), [expected[name] for name in answer]
    if isinstance(expected, list):
        for item, expected_item in zip(answer, expected, strict=True):
            _assert_close(item, expected_item)
    else:
        assert answer == (pytest.approx(expected, abs=1e-6) if isinstance(expected, float) else expected)
