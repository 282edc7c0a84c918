"""Hub repositories: they load without the package, in every way that their cards show."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel
from transformers.dynamic_module_utils import get_imports

from modeling_nerret import GivenSpans
from modeling_nerret.documents import Document
from modeling_nerret.encoding import Encoder
from modeling_nerret.hub_card.native import for_both_generations, write_native
from modeling_nerret.hub_card.repository import compare, write_custom
from modeling_nerret.hub_card.sources import ROOT, root_imports, travelling_files
from modeling_nerret.manifest import MANIFEST
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint
from tests.tiny import byte_bpe, save_backbone, save_checkpoint, unigram, wordpiece

TEXT = "Ada wrote notes in London, the city by the river."
MENTION = {"text": TEXT, "start": 19, "end": 25}
QUERY = "the city"
QUERIES = [QUERY, "river", "city in the notes, born by Ada and Paris"]
STRANGER = Path(__file__).parent / "stranger.py"
ENTRIES = ("modeling_nerret", "st_nerret", "encoding")  # for transformers, sentence-transformers and handler.py


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    folder = tmp_path_factory.mktemp("checkpoints")
    poolings = {"bert": "mean", "llama": "end"}
    return {
        family: load_checkpoint(save_checkpoint(folder / family, family, pooling=pooling))
        for family, pooling in poolings.items()
    }


@pytest.fixture(scope="module")
def repositories(checkpoints: dict[str, Checkpoint], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both forms of both checkpoints: `bert-custom`, `bert-native`, and so on."""
    folder = tmp_path_factory.mktemp("repositories")
    for family, checkpoint in checkpoints.items():
        write_custom(checkpoint, folder / f"{family}-custom")
        write_native(checkpoint, folder / f"{family}-native")
    return folder


@pytest.fixture(scope="module")
def stranger(repositories: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Each repository's vectors in a process without package, network and keyboard."""
    folder = tmp_path_factory.mktemp("stranger")
    inputs, vectors = folder / "inputs.json", folder / "vectors.json"
    inputs.write_text(json.dumps({"query": QUERY, "mention": MENTION}))
    paths = [str(repositories / name) for name in ("bert-custom", "bert-native", "llama-native")]
    process = subprocess.run(
        [sys.executable, STRANGER, inputs, vectors, *paths],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return {Path(path).name: ways for path, ways in json.loads(vectors.read_text()).items()}


def _expected(checkpoint: Checkpoint) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the query and of the mention, as the index computes them."""
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, GivenSpans())
    document = Document.from_dict({"id": "a", "text": TEXT, "mentions": [{"start": 19, "end": 25}]}, spans=True)
    return encoder.embed_queries([QUERY])[0], next(iter(encoder.encode([document]))).vectors[0]


@pytest.mark.slow
def test_every_way_to_load_the_code_gives_the_checkpoints_vectors(
    checkpoints: dict[str, Checkpoint], stranger: dict[str, dict[str, Any]]
) -> None:
    query, mention = _expected(checkpoints["bert"])
    vectors = dict(stranger["bert-custom"])
    del vectors["refusals"]
    assert len(vectors) == 11
    for way, vector in vectors.items():
        expected = mention if way in ("mention", "encode document", "saved, mention") else query
        np.testing.assert_allclose(vector, expected, atol=1e-6, err_msg=way)


@pytest.mark.slow
def test_without_trust_the_libraries_refuse_and_do_not_ask(stranger: dict[str, dict[str, Any]]) -> None:
    refusals = stranger["bert-custom"]["refusals"]
    assert len(refusals) == 3 and all("trust_remote_code=True" in message for message in refusals)


@pytest.mark.slow
def test_native_queries_have_the_checkpoints_vectors(
    checkpoints: dict[str, Checkpoint], stranger: dict[str, dict[str, Any]]
) -> None:
    for family, checkpoint in checkpoints.items():
        query, _ = _expected(checkpoint)
        for way in ("encode", "batch", "saved"):
            np.testing.assert_allclose(stranger[f"{family}-native"][way], query, atol=1e-6, err_msg=f"{family} {way}")


@pytest.mark.slow
def test_native_mentions_of_a_causal_backbone_are_texts_up_to_their_end(
    checkpoints: dict[str, Checkpoint], stranger: dict[str, dict[str, Any]]
) -> None:
    _, mention = _expected(checkpoints["llama"])
    np.testing.assert_allclose(stranger["llama-native"]["mention"], mention, atol=1e-6)


def test_native_repositories_name_only_stock_classes_and_hold_no_code(repositories: Path) -> None:
    for name in ("bert-native", "llama-native"):
        modules = json.loads((repositories / name / "modules.json").read_text())
        assert all(module["type"].startswith("sentence_transformers.models.") for module in modules)
        assert not list((repositories / name).rglob("*.py"))
        config = json.loads((repositories / name / "config.json").read_text())
        assert "auto_map" not in config and config["num_hidden_layers"] == 2 and config["torch_dtype"] == "float32"


def test_no_path_of_this_machine_is_written(repositories: Path, checkpoints: dict[str, Checkpoint]) -> None:
    folder = str(Path(checkpoints["bert"].name).parent.parent)
    for path in repositories.rglob("*.json"):
        assert folder not in path.read_text(), path


@pytest.mark.parametrize(
    ("module", "package"),
    [("st_nerret.NerretTransformer", "transformers_modules"), ("modeling_nerret.st_nerret.NerretTransformer", "")],
)
def test_published_names_load_beside_the_package(
    module: str, package: str, repositories: Path, checkpoints: dict[str, Checkpoint], tmp_path: Path
) -> None:
    folder = tmp_path / "published"
    shutil.copytree(repositories / "bert-custom", folder)
    (folder / MANIFEST).unlink()
    # written out here, because these names stand in files that were published
    (folder / "modules.json").write_text(json.dumps([{"idx": 0, "name": "0", "path": "", "type": module}]))
    config = json.loads((folder / "config.json").read_text())
    names = {"AutoConfig": "configuration_nerret.NerretConfig", "AutoModel": "modeling_nerret.NerretModel"}
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": names}))
    query, mention = _expected(checkpoints["bert"])
    encoder = SentenceTransformer(str(folder), trust_remote_code=True, device="cpu")
    assert type(encoder[0]).__module__.startswith(package) and type(encoder[0]).__name__ == "NerretTransformer"
    np.testing.assert_allclose(encoder.encode([QUERY, MENTION]), [query, mention], atol=1e-6)
    tokens = encoder.tokenizer(QUERY, return_tensors="pt")
    for trust in (True, False):
        model = AutoModel.from_pretrained(folder, trust_remote_code=trust)
        assert isinstance(model, NerretModel)  # of the package, which transformers prefers to the repository's code
        with torch.no_grad():
            np.testing.assert_allclose(model(**tokens).embeddings[0], query, atol=1e-6)


@pytest.mark.parametrize(("family", "tokenizer"), [("qwen3", byte_bpe), ("distilbert", unigram), ("mpnet", wordpiece)])
def test_native_mean_leaves_out_special_tokens_of_any_tokenizer(
    family: str, tokenizer: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint = _checkpoint(tmp_path, family, tokenizer(), pooling="mean", head_activation="tanh")
    capfd.readouterr()
    write_native(checkpoint, tmp_path / "native")
    assert compare(checkpoint, tmp_path / "native", QUERIES) < 1e-6
    assert capfd.readouterr().err == ""  # no progress bars
    # without the module of weights the vectors differ
    (tmp_path / "native" / "1_WordWeights").rename(tmp_path / "weights")
    modules = json.loads((tmp_path / "native" / "modules.json").read_text())
    modules = [module for module in modules if "Weights" not in module["path"]]
    (tmp_path / "native" / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ValueError, match="gives other vectors than the checkpoint"):
        compare(checkpoint, tmp_path / "native", QUERIES)


@pytest.mark.parametrize(
    ("family", "tokenizer", "pooling", "message"),
    [
        ("bert", byte_bpe, "end", "which reads in both directions"),
        ("llama", unigram, "end", "puts a token after the text"),
        ("olmo2", byte_bpe, "mean", "cannot do without norm.weight"),
        ("gemma3_text", byte_bpe, "mean", "count positions in different ways"),
    ],
)
def test_native_refuses_what_stock_modules_cannot_give(
    family: str, tokenizer: Any, pooling: str, message: str, tmp_path: Path
) -> None:
    checkpoint = _checkpoint(tmp_path, family, tokenizer(), pooling=pooling)
    with pytest.raises(ValueError, match=message):
        write_native(checkpoint, tmp_path / "native")


def test_config_of_a_long_context_llama_has_the_fields_of_transformers_4() -> None:
    scaling = {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}
    config = for_both_generations({"dtype": "bfloat16", "rope_parameters": scaling | {"rope_theta": 5e5}})
    assert config == {"torch_dtype": "bfloat16", "rope_theta": 5e5, "rope_scaling": scaling}


def test_what_travels_is_what_is_in_the_root() -> None:
    assert _files_needed_by(*ENTRIES) == set(travelling_files()) == {path.stem for path in ROOT.glob("[!_]*.py")}


def _files_needed_by(*names: str) -> set[str]:
    """The named files of the root and all that they import, one through another."""
    needs, queue = set(names), list(names)
    while queue:
        imports = set(root_imports(ROOT / f"{queue.pop()}.py")) - needs
        needs |= imports
        queue += imports
    return needs


def test_code_of_a_repository_imports_only_what_loading_needs(repositories: Path) -> None:
    files = {path.stem for path in (repositories / "bert-custom").glob("*.py")}
    assert files == {*travelling_files(), "handler"}
    libraries = {"torch", "transformers", "sentence_transformers", "huggingface_hub", "safetensors", "numpy"}
    for path in (repositories / "bert-custom").glob("*.py"):  # imports outside `try` must work for all who load it
        foreign = set(get_imports(path)) - set(sys.stdlib_module_names) - libraries
        assert not foreign, (path.name, foreign)


@pytest.mark.parametrize(
    "line",
    [
        "from .index import store",
        "from .index.store import Store",
        "from . import spans",
        "from ..spans import Span",
        "import modeling_nerret.spans",
        "from modeling_nerret.spans import Span",
    ],
)
def test_imports_that_would_not_travel_are_refused(line: str, tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text(f"from .spans import Span\n\ndef load():\n    {line}\n")
    with pytest.raises(ValueError, match=r"file\.py, line 4: import files of the root only"):
        root_imports(tmp_path / "file.py")


def _checkpoint(folder: Path, family: str, tokenizer: Any, **config: Any) -> Checkpoint:
    backbone = save_backbone(folder / "backbone", family, tokenizer)
    model = NerretModel.from_backbone(backbone, layer=2, head_size=24, hidden_size=16, **config)
    return Checkpoint("tiny", "", model, tokenizer, None)


def test_a_document_head_travels_with_the_code_and_changes_no_query(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path, "bert", wordpiece(), pooling="mean", document_size=8)
    write_custom(checkpoint, tmp_path / "custom")
    copies = NerretModel.from_pretrained(tmp_path / "custom").state_dict()
    weights = checkpoint.model.state_dict()
    assert any(name.startswith("document_head.") for name in weights) and copies.keys() == weights.keys()
    assert all(torch.equal(copies[name], weight) for name, weight in weights.items())
    write_native(checkpoint, tmp_path / "native")
    assert compare(checkpoint, tmp_path / "native", QUERIES) < 1e-6
