"""The door: what is imported, how long help takes, and what stands on standard error."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest

from benchmarks.door import measure
from modeling_nerret import __version__
from modeling_nerret.adapters import _without_kernel_notice

NERRET = str(Path(sys.executable).with_name("nerret"))
SECONDS, MEGABYTES = 0.5, 60  # of processor time and memory; measured are 0.1 and 14, with a filter 0.4 and 35
TRIES = 4


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--help"], 0, "drug that lowers blood pressure"),
        (["--version"], 0, f"nerret {__version__}"),
        (["fly"], 2, "invalid choice: 'fly'"),
        (["search", "index"], 2, "the following arguments are required: type"),
        (["search", "index", "city", "-k", "0"], 2, "is not a whole number from 1"),
        (["search", "nowhere", "city", "--where", ""], 1, "a --where is empty"),
        (["search", "nowhere", "city"], 1, "is no nerret index"),
        (["demo", "--help"], 0, "default: demo-index"),
        (["export", "--help"], 0, "never by the cosine"),
        (["export", "nowhere", "--format", "qdrant"], 1, "is no nerret index"),
        (["entities", "--help"], 0, "--within sentence"),
        (["search", "--help"], 0, "--html FILE"),
        (["open", "--help"], 0, "--mark TYPE"),
        (["index", "--help"], 0, "--exclude"),
        (["index", "a.txt"], 2, "the following arguments are required"),
        (["entities", "nowhere", "city", "--within", "3"], 1, "name the other one: --with TYPE"),
        (["index", "nowhere.jsonl", "index", "--detector", "magic"], 1, "accepted are probe, given"),
        (["search", "nowhere", "film", "--and", " "], 1, "a type query is a few words"),
        (["serve", "--help"], 0, "--token-file"),
        (["serve", "nowhere"], 1, "is no nerret index"),
        (["serve", "nowhere", "--host", "0.0.0.0"], 1, "--token-file FILE"),
        (["mcp", "nowhere"], 1, "is no nerret index"),
        (["models"], 0, "nerret-minilm"),
        (["train", "--help"], 0, "--data"),
        (["eval", "--no-such-option"], 2, "nerret eval"),
        (["probe", "--help"], 0, "CORPUS"),
        (["calibrate", "--help"], 0, "CHECKPOINT"),
        (["card", "--help"], 0, "CHECKPOINT"),
        (["push"], 2, "nerret push"),
    ],
)
def test_help_and_wrong_arguments_come_at_once(arguments: list[str], code: int, words: str) -> None:
    runs = []
    for _ in range(TRIES):  # on a busy machine even processor time is up to twice what it should be
        exit_code, output, error, seconds, megabytes = measure(NERRET, *arguments)
        assert (exit_code, words in output + error) == (code, True), output + error
        runs.append((seconds < SECONDS and megabytes < MEGABYTES, seconds, megabytes))
        if runs[-1][0]:
            return
    pytest.fail(f"not once under {SECONDS} s and {MEGABYTES} MB: {runs}")


def test_an_index_is_described_without_a_model(tmp_path: Path, tiny_checkpoint: str) -> None:
    script = (
        "import sys, modeling_nerret.index.store, modeling_nerret.index.ranking, modeling_nerret.index.readers.tree;"
        "assert not {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)"
    )
    assert measure(sys.executable, "-c", script)[0] == 0


PYTHON = """
import ctypes, json, os, sys
before = dict(os.environ)
settings = []
library = ctypes.CDLL(None)
class Library:
    def __getattr__(self, name):
        settings.append(name)
        return getattr(library, name)
load = ctypes.CDLL
ctypes.CDLL = lambda name, *rest, **options: Library() if name is None else load(name, *rest, **options)

import modeling_nerret
assert not {"numpy", "torch", "transformers", "lancedb"} & set(sys.modules), "import modeling_nerret is not light"
from transformers import AutoConfig, AutoModel, AutoTokenizer
path, index, path_of_copy = sys.argv[1:]
assert type(AutoConfig.from_pretrained(path)).__name__ == "NerretConfig"
AutoTokenizer.from_pretrained(path)
model = AutoModel.from_pretrained(path)
assert type(model) is modeling_nerret.NerretModel
model.save_pretrained(path_of_copy)
retriever = modeling_nerret.EntityRetriever(index, path)
retriever.add([{"id": "a", "text": "Ada Lovelace met Charles Babbage in London."}])
assert modeling_nerret.EntityRetriever(index).search("city", k=1)[0].id == "a"
assert dict(os.environ) == before, "the environment has changed"
assert "mallopt" not in settings, "the allocator was set"
"""


def test_from_python_nothing_is_printed_and_the_process_stays_as_it_is(tmp_path: Path, tiny_checkpoint: str) -> None:
    arguments = [tiny_checkpoint, str(tmp_path / "index"), str(tmp_path / "copy")]
    exit_code, output, error, _, _ = measure(sys.executable, "-c", PYTHON, *arguments)
    assert (exit_code, output, error) == (0, "", "")


def test_commands_print_only_their_own_lines(tmp_path: Path, tiny_checkpoint: str) -> None:
    corpus, index = tmp_path / "corpus.jsonl", str(tmp_path / "index")
    corpus.write_text(json.dumps({"id": "a", "text": "Ada was born in London."}) + "\n", encoding="utf-8")
    exit_code, output, error, _, _ = measure(NERRET, "index", str(corpus), index, "--model", tiny_checkpoint)
    assert (exit_code, output) == (0, "") and error.count("\n") == 1 and "1 documents added" in error, error
    exit_code, output, error, _, _ = measure(NERRET, "search", index, "city", "--json")
    assert exit_code == 0 and error == "" and json.loads(output)["id"] == "a"
    exit_code, output, error, _, megabytes = measure(NERRET, "info", index)
    assert exit_code == 0 and error == "" and "documents  1" in output and megabytes < 300  # without torch


def test_only_the_notice_of_a_missing_kernel_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("bitsandbytes.backends.cpu.ops")
    with _without_kernel_notice():
        logger.warning("Failed to load CPU gemm_4bit_forward from kernels-community: %s.", "no kernels")
        logger.warning("a real warning")
    logger.warning("gemm_4bit once more")
    assert [record.getMessage() for record in caplog.records] == ["a real warning", "gemm_4bit once more"]


def test_the_client_that_lancedb_would_import_is_whole_for_others() -> None:
    script = (
        "import modeling_nerret.index.store, sys;"
        "assert 'lance_namespace_urllib3_client.api' not in sys.modules, 'it was imported';"
        "import lance_namespace_urllib3_client as client;"
        "from lance_namespace import ListTablesRequest;"
        "assert client.TableApi and client.ListTablesRequest is ListTablesRequest"
    )
    code, output, error, _, _ = measure(sys.executable, "-c", script)
    assert (code, output, error) == (0, "", "")
