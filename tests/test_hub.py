"""Repositories of the Hub: they load where the package is not installed, in every way that their cards promise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers.dynamic_module_utils import get_imports

from modeling_nerret.hub_card.native import for_both_generations, write_native
from modeling_nerret.hub_card.repository import compare, write_custom
from modeling_nerret.hub_card.sources import needed_files
from modeling_nerret import GivenSpans
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.modeling_nerret import NerretModel
from tests.tiny import byte_bpe, save_backbone, save_checkpoint, unigram, wordpiece

TEXT = "Ada wrote notes in London, the city by the river."
MENTION = {"text": TEXT, "start": 19, "end": 25}
QUERY = "the city"
QUERIES = [QUERY, "river", "city in the notes, born by Ada and Paris"]
STRANGER = Path(__file__).parent / "stranger.py"


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    folder = tmp_path_factory.mktemp("made")
    poolings = {"bert": "mean", "llama": "end"}
    return {
        family: load_checkpoint(save_checkpoint(folder / family, family, pooling=pooling))
        for family, pooling in poolings.items()
    }


@pytest.fixture(scope="module")
def built(checkpoints: dict[str, Checkpoint], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both forms of both checkpoints: `bert-custom`, `bert-native`, and so on."""
    folder = tmp_path_factory.mktemp("built")
    for family, checkpoint in checkpoints.items():
        write_custom(checkpoint, folder / f"{family}-custom")
        write_native(checkpoint, folder / f"{family}-native")
    return folder


@pytest.fixture(scope="module")
def found(built: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What a process without package, network and keyboard got from each repository."""
    folder = tmp_path_factory.mktemp("stranger")
    given, answers = folder / "given.json", folder / "found.json"
    given.write_text(json.dumps({"query": QUERY, "mention": MENTION}))
    repositories = [str(built / name) for name in ("bert-custom", "bert-native", "llama-native")]
    done = subprocess.run(
        [sys.executable, STRANGER, given, answers, *repositories],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {Path(name).name: vectors for name, vectors in json.loads(answers.read_text()).items()}


def _expected(checkpoint: Checkpoint) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the query and of the mention, as the index computes them."""
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, GivenSpans())
    document = Document.from_dict({"id": "a", "text": TEXT, "mentions": [{"start": 19, "end": 25}]})
    return encoder.embed_queries([QUERY])[0], next(iter(encoder.encode([document]))).vectors[0]


def test_with_code_every_door_gives_the_originals_vectors(
    checkpoints: dict[str, Checkpoint], found: dict[str, dict[str, Any]]
) -> None:
    query, mention = _expected(checkpoints["bert"])
    vectors = dict(found["bert-custom"])
    del vectors["refusals"]
    assert len(vectors) == 11
    for door, vector in vectors.items():
        expected = mention if door in ("mention", "encode document", "saved, mention") else query
        np.testing.assert_allclose(vector, expected, atol=1e-6, err_msg=door)


def test_without_trust_the_libraries_refuse_and_ask_nothing(found: dict[str, dict[str, Any]]) -> None:
    refusals = found["bert-custom"]["refusals"]
    assert len(refusals) == 3 and all("trust_remote_code=True" in one for one in refusals)


def test_native_queries_are_the_originals_vectors(
    checkpoints: dict[str, Checkpoint], found: dict[str, dict[str, Any]]
) -> None:
    for family, checkpoint in checkpoints.items():
        query, _ = _expected(checkpoint)
        for way in ("encode", "batch", "saved"):
            np.testing.assert_allclose(found[f"{family}-native"][way], query, atol=1e-6, err_msg=f"{family} {way}")


def test_native_mentions_are_texts_up_to_their_end_where_tokens_see_only_what_is_before(
    checkpoints: dict[str, Checkpoint], found: dict[str, dict[str, Any]]
) -> None:
    _, mention = _expected(checkpoints["llama"])
    np.testing.assert_allclose(found["llama-native"]["mention"], mention, atol=1e-6)


def test_native_repositories_name_only_stock_classes_and_hold_no_code(built: Path) -> None:
    for name in ("bert-native", "llama-native"):
        modules = json.loads((built / name / "modules.json").read_text())
        assert all(one["type"].startswith("sentence_transformers.models.") for one in modules)
        assert not list((built / name).rglob("*.py"))
        config = json.loads((built / name / "config.json").read_text())
        assert "auto_map" not in config and config["num_hidden_layers"] == 2 and config["torch_dtype"] == "float32"


def test_no_path_of_this_machine_is_written(built: Path, checkpoints: dict[str, Checkpoint]) -> None:
    made = str(Path(checkpoints["bert"].name).parent.parent)
    for path in built.rglob("*.json"):
        assert made not in path.read_text(), path


@pytest.mark.parametrize(("family", "tokenizer"), [("qwen3", byte_bpe), ("distilbert", unigram), ("mpnet", wordpiece)])
def test_native_mean_leaves_out_special_tokens_of_any_tokenizer(family: str, tokenizer: Any, tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path, family, tokenizer(), pooling="mean", head_activation="tanh")
    write_native(checkpoint, tmp_path / "native")
    assert compare(checkpoint, tmp_path / "native", QUERIES) < 1e-6
    # the weights are what makes it so
    (tmp_path / "native" / "1_WordWeights").rename(tmp_path / "weights")
    modules = [
        one for one in json.loads((tmp_path / "native" / "modules.json").read_text()) if "Weights" not in one["path"]
    ]
    (tmp_path / "native" / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ValueError, match="gives other vectors than the checkpoint"):
        compare(checkpoint, tmp_path / "native", QUERIES)


@pytest.mark.parametrize(
    ("family", "tokenizer", "pooling", "message"),
    [
        ("bert", byte_bpe, "end", "which reads in both directions"),
        ("llama", unigram, "end", "puts a token after the text"),
        ("olmo2", byte_bpe, "mean", "cannot do without norm.weight"),
        ("gemma3_text", byte_bpe, "mean", "counts positions in other ways"),
    ],
)
def test_native_refuses_what_stock_modules_cannot_give(
    family: str, tokenizer: Any, pooling: str, message: str, tmp_path: Path
) -> None:
    checkpoint = _checkpoint(tmp_path, family, tokenizer(), pooling=pooling)
    with pytest.raises(ValueError, match=message):
        write_native(checkpoint, tmp_path / "native")


def test_config_of_a_long_context_llama_in_the_words_of_transformers_4() -> None:
    scaling = {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}
    written = for_both_generations({"dtype": "bfloat16", "rope_parameters": scaling | {"rope_theta": 5e5}})
    assert written == {"torch_dtype": "bfloat16", "rope_theta": 5e5, "rope_scaling": scaling}


def test_sources_import_each_other_only(built: Path) -> None:
    assert {f"{name}.py" for name in needed_files()} <= {path.name for path in (built / "bert-custom").glob("*.py")}
    assert not {"retriever", "store", "cli", "checkpoints"} & set(needed_files())
    needed = {"torch", "transformers", "sentence_transformers", "huggingface_hub", "safetensors", "numpy"}
    for path in (built / "bert-custom").glob(
        "*.py"
    ):  # what is imported outside `try` must be there for all who load it
        foreign = set(get_imports(path)) - set(sys.stdlib_module_names) - needed
        assert not foreign, (path.name, foreign)


def _checkpoint(folder: Path, family: str, tokenizer: Any, **config: Any) -> Checkpoint:
    backbone = save_backbone(folder / "backbone", family, tokenizer)
    model = NerretModel.from_backbone(backbone, layer=2, head_size=24, hidden_size=16, **config)
    return Checkpoint("made", "", model, tokenizer, None)


def test_a_document_head_travels_with_the_code_and_changes_no_query(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path, "bert", wordpiece(), pooling="mean", document_size=8)
    write_custom(checkpoint, tmp_path / "custom")
    written = NerretModel.from_pretrained(tmp_path / "custom").state_dict()
    own = checkpoint.model.state_dict()
    assert any(name.startswith("document_head.") for name in own) and written.keys() == own.keys()
    assert all(torch.equal(written[name], weight) for name, weight in own.items())
    write_native(checkpoint, tmp_path / "native")
    assert compare(checkpoint, tmp_path / "native", QUERIES) < 1e-6
