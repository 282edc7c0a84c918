"""The commands `nerret card` and `nerret push`: the card, the summary and the upload, to a Hub that only records."""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from huggingface_hub import CommitOperationAdd, HfApi, ModelCard
from huggingface_hub.repocard import metadata_load
from huggingface_hub.repocard_data import model_index_to_eval_results

from modeling_nerret import cli
from modeling_nerret.hub_card import card, eval_results, licences, sources
from modeling_nerret.hub_card import native as native_form
from modeling_nerret.hub_card import push as upload
from modeling_nerret.hub_card import results as results_module
from modeling_nerret.hub_card.build import read_recipes
from modeling_nerret.hub_card.card import EXAMPLES, score_examples, widget
from modeling_nerret.hub_card.licences import check_name, licence_of, training_sets
from modeling_nerret.hub_card.push import TAG
from modeling_nerret.hub_card.repository import REQUIREMENTS
from modeling_nerret.hub_card.results import table
from modeling_nerret.modeling_nerret import NerretModel
from modeling_nerret.pretrained.calibration import Calibration
from modeling_nerret.pretrained.checkpoints import load_checkpoint
from modeling_nerret.pretrained.type_names import TypeNames
from modeling_nerret.training.data.open_sets import mention_sets, open_sets

RECIPE = {"head": {"sets": [{"name": "corpus", "weight": 1.0}]}, "detector": {"sets": [{"name": "wnut17"}]}, "seed": 0}
CALIBRATION = Calibration(8.0, -4.0, 1.0, (-3.0, 0.0, 0.0, 0.0), (0.0,) * 17)
SYSTEMS = {"made": (0.8, 0.2), "made@vector": (0.7, 0.1), "bm25": (0.1, 0.6)}


def _result(system: str, spans: str) -> dict[str, Any]:
    values = dict(zip(("city", "river"), SYSTEMS[system], strict=True))
    return {
        "system": system,
        "spans": spans,
        "corpus": "fewnerd",
        "n_documents": 120,
        "n_types": 2,
        "macro_r_precision": sum(values.values()) / 2,
        "per_type": {
            name: {"r": 5, "r_precision": value, "average_precision": value} for name, value in values.items()
        },
        "seconds": 3.0,
    }


@pytest.fixture(scope="module")
def inputs(tiny_checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A checkpoint with its recipe, and results of three systems."""
    folder = tmp_path_factory.mktemp("inputs")
    checkpoint = folder / "made"
    shutil.copytree(tiny_checkpoint, checkpoint)
    TypeNames(["city"], [[]], np.ones((1, 16))).save(checkpoint)
    CALIBRATION.save(checkpoint)
    (checkpoint / "recipe.json").write_text(json.dumps(RECIPE))
    config = json.loads((checkpoint / "config.json").read_text()) | {"phrase_weight": 0.8}
    (checkpoint / "config.json").write_text(json.dumps(config))
    (checkpoint / "checksums.json").unlink(missing_ok=True)
    results = folder / "results.json"
    results.write_text(json.dumps([_result(system, spans) for spans in ("gold", "predicted") for system in SYSTEMS]))
    return SimpleNamespace(checkpoint=checkpoint, results=results)


def _card(inputs: SimpleNamespace, out: Path, *options: str) -> int:
    return cli.main(["card", str(inputs.checkpoint), str(out), "--license", "apache-2.0", *options])


@pytest.fixture(scope="module")
def repository(inputs: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("repository") / "nerret-made"
    options = ["--results", str(inputs.results), "--system", "made", "--benchmark", "fewnerd=someone/typed:fewnerd"]
    assert _card(inputs, out, *options) == 0
    return out


@pytest.fixture(scope="module")
def native(inputs: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("native") / "nerret-made"
    assert _card(inputs, out, "--native") == 0
    return out


def test_metadata_is_what_the_hub_reads(repository: Path, native: Path) -> None:
    data = metadata_load(repository / "README.md")
    assert data is not None
    assert (data["library_name"], data["pipeline_tag"], data["license"]) == (
        "transformers",
        "feature-extraction",
        "apache-2.0",
    )
    name, results = model_index_to_eval_results(data["model-index"])
    assert name == "nerret-made" and [result.metric_value for result in results] == [0.5, 0.5]
    assert {result.dataset_type for result in results} == {"DFKI-SLT/few-nerd"}
    data = metadata_load(native / "README.md")
    assert data is not None and "model-index" not in data
    assert (data["library_name"], data["pipeline_tag"]) == ("sentence-transformers", "sentence-similarity")


@pytest.mark.parametrize("is_native", [True, False])
def test_examples_are_true(is_native: bool) -> None:
    examples = score_examples(load_checkpoint("nerret-minilm"), is_native)
    assert len(examples) >= 3 and {example.query for example in examples} <= EXAMPLES.keys()
    for entry in widget(examples, is_native):
        scores = [output["score"] for output in entry["output"]]
        assert scores[0] > 0.5 > max(scores[1:])
        assert not is_native or [output["label"] for output in entry["output"]] == entry["sentences"]


@pytest.mark.parametrize("form", ["repository", "native"])
def test_snippets_run_as_they_stand(
    form: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder: Path = request.getfixturevalue(form)
    (tmp_path / folder.name).symlink_to(folder)  # so that the name in the card is the repository
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert len(snippets) == (3 if form == "repository" else 1)
    for snippet in snippets:
        names: dict[str, Any] = {}
        exec(snippet, names)
        if "vectors" in names:
            assert names["vectors"].shape == (2, 16)


def test_card_states_results_losses_data_and_licences(repository: Path, native: Path) -> None:
    text = ModelCard.load(repository / "README.md").content
    assert "| this model, hybrid search | **0.500** | **0.500** |" in text
    assert "behind the best of the other systems on 1 of 2 types, most on river 0.20 (against 0.60 of BM25)" in text
    assert "| corpus | CC0-1.0 |" in text and "| wnut17 | CC BY 4.0 | WNUT 17, social media | detector |" in text
    assert "![R-Precision per type, Few-NERD](figures/fewnerd-types.png)" in text
    assert (repository / "figures/fewnerd-types.png").read_bytes().startswith(b"\x89PNG")
    assert "{{" not in text.replace("{{NER}", "") and "{%" not in text
    length = "shorter if it may be no name"
    assert length in text and length not in (native / "README.md").read_text()
    assert "made without measured results" in (native / "README.md").read_text()


def test_names_of_types_and_calibration_travel_with_the_checkpoint(repository: Path) -> None:
    checkpoint = load_checkpoint(str(repository))
    assert checkpoint.type_names is not None and checkpoint.type_names.names == ("city",)
    assert checkpoint.calibration == CALIBRATION


def test_results_of_registered_benchmarks(repository: Path, native: Path) -> None:
    text = (repository / ".eval_results" / "fewnerd.yaml").read_text()
    assert "id: someone/typed" in text and "task_id: fewnerd" in text and "value: 0.5" in text
    assert not (native / ".eval_results").exists()


def test_table_orders_own_systems_first_and_leaves_gaps() -> None:
    results = [_result("bm25", "gold"), _result("made", "gold"), _result("made", "predicted")]
    assert table(results, "made").splitlines()[2:] == [
        "| this model, hybrid search | **0.500** | **0.500** |",
        "| BM25 | 0.350 |  |",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--results", "{results}"], "is not among the measured systems"),
        (["--results", "{config}"], "holds no results"),
        (["--results", "{number}"], "holds no results"),
        (["--results", "{folder}"], "is no regular file"),
        (["--results", "/dev/zero"], "is no regular file"),
        (["--notes", "/dev/zero"], "is no regular file"),
        (["--dry-run"], "give --push"),
        (["--push", "nobody", "--dry-run"], "write owner/name"),
        (["--native", "--benchmark", "fewnerd=a/b:c"], "to the form with code"),
        (["--benchmark", "fewnerd=a/b:c"], "no result of"),
    ],
)
def test_bad_usage_is_explained(
    options: list[str], message: str, inputs: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"results": inputs.results, "config": inputs.checkpoint / "detector.json"}
    names |= {"number": tmp_path / "number.json", "folder": tmp_path}
    names["number"].write_text(json.dumps([_result("bm25", "gold") | {"system": 5}]))
    assert _card(inputs, tmp_path / "out", *[option.format(**names) for option in options]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [("--benchmark=fewnerd", "write CORPUS=OWNER/DATASET:TASK"), ("--training-set=mine", "is not NAME=LICENCE")],
)
def test_an_option_of_another_form_is_bad_usage(
    option: str, message: str, inputs: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        _card(inputs, tmp_path / "out", option)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["card_command", "push_command"])
def test_help_loads_no_libraries(command: str) -> None:
    script = (
        f"import argparse, sys; from modeling_nerret.hub_card import {command} as command; "
        "parser = argparse.ArgumentParser(); command.add_arguments(parser); print(parser.format_help()); "
        "print('loaded:', {'torch', 'transformers', 'numpy', 'huggingface_hub'} & set(sys.modules))"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "examples:\n  nerret " in process.stdout and process.stdout.endswith("loaded: set()\n"), process.stderr


def test_a_folder_that_holds_something_is_left_alone(
    inputs: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.txt").write_text("mine")
    assert _card(inputs, tmp_path) == 1 and "exists already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["own.txt"]


def test_licences_are_known_or_asked_for() -> None:
    assert licence_of("sentence-transformers/all-MiniLM-L6-v2") == "apache-2.0"
    assert licence_of("meta-llama/Llama-3.1-8B") == "llama3.1"
    assert licence_of("HuggingFaceTB/SmolLM2-135M-Instruct") == "apache-2.0"
    with pytest.raises(ValueError, match="give --license"):
        licence_of("someone/else")
    with pytest.raises(ValueError, match="must begin with 'Llama'"):
        check_name("llama3.1", "me/nerret-llama-3.1-8b")
    recipe = {"head": {"sets": [{"name": "corpus"}, {"name": "mine.jsonl"}]}}
    with pytest.raises(ValueError, match=r"trained on mine\.jsonl, .* give --training-set 'mine\.jsonl=LICENCE'"):
        training_sets([recipe])
    sets = training_sets([recipe], {"mine.jsonl": "CC0-1.0"})
    assert [entry.licence for entry in sets] == ["CC0-1.0", "CC0-1.0"]


def test_sets_whose_texts_have_open_types_are_named_with_their_licences() -> None:
    sets = {entry.name: entry for entry in training_sets([{"head": {"sets": [{"name": "open"}]}}])}
    assert set(sets) == {"open", *open_sets()} and sets["wikigold"].licence == "CC BY 4.0"
    assert all(entry.parts == ["head"] and entry.licence for entry in sets.values())
    names = {entry.name for entry in training_sets([{"joint": {"sets": [{"name": "mentions"}]}}])}
    assert names == {"mentions", *mention_sets()} and "extracts" in names


def test_training_sets_of_the_initial_checkpoint_are_named(inputs: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "config.json").touch()
    (tmp_path / "recipe.json").write_text(
        json.dumps({"init": str(inputs.checkpoint), "head": {"sets": [{"name": "btc"}]}})
    )
    sets = training_sets(read_recipes(str(tmp_path)))
    parts = {entry.name: entry.parts for entry in sets}
    assert parts == {"btc": ["head"], "corpus": ["head"], "wnut17": ["detector"]}


@pytest.mark.parametrize("module", [card, eval_results, licences, native_form, results_module, sources])
def test_examples_in_docstrings(module: Any) -> None:
    outcome = doctest.testmod(module)
    assert outcome.attempted and not outcome.failed


class FakeHub:
    """Stands in for HfApi and records the calls."""

    def __init__(self, private: bool = True, tags: tuple[str, ...] = ()):
        self.private, self.tags = private, tags
        self.calls: list[tuple[str, str, Any]] = []

    def create_repo(self, repository: str, **options: Any) -> None:
        self.calls.append(("create", repository, options))

    def repo_info(self, repository: str, **options: Any) -> Any:
        return SimpleNamespace(private=self.private)

    def list_repo_refs(self, repository: str, **options: Any) -> Any:
        return SimpleNamespace(tags=[SimpleNamespace(name=tag) for tag in self.tags])

    def create_commit(self, repository: str, operations: list[CommitOperationAdd], **options: Any) -> Any:
        self.calls.append(("commit", repository, {operation.path_in_repo for operation in operations}))
        return SimpleNamespace(oid="abc", commit_url="https://hub/commit/abc")

    def create_tag(self, repository: str, **options: Any) -> None:
        self.calls.append(("tag", repository, options))


def test_push_is_one_commit_and_a_tag(repository: Path) -> None:
    hub = FakeHub()
    assert upload.push(repository, "me/made", private=True, api=hub) == "https://hub/commit/abc"
    (create, commit, tag) = hub.calls
    assert create == ("create", "me/made", {"repo_type": "model", "private": True, "exist_ok": True})
    assert {"README.md", "model.safetensors", ".eval_results/fewnerd.yaml", "st_nerret.py"} <= commit[2]
    assert tag == ("tag", "me/made", {"tag": TAG, "revision": "abc", "repo_type": "model"})


def test_spaces_are_pushed_without_what_python_leaves_behind() -> None:
    hub = FakeHub()
    upload.push(Path(__file__).parents[1] / "eval" / "r_precision", "me/r_precision", "space", api=hub)
    assert hub.calls[0][2]["space_sdk"] == "gradio"
    assert hub.calls[1][2] == {"README.md", "app.py", "r_precision.py", "requirements.txt"}


SECRETS = (
    ".env", ".netrc", ".git-credentials", ".aws/credentials", ".ssh/id_rsa", ".cache/huggingface/token", "id_rsa",
    "token", "token.json", "tokens.txt", "hf_token.txt", "server.pem", "server.key", "credentials.json",
    "my-credentials.json", "client_secret.json", "secrets.py", "api-key.txt", "service_account.json", "kaggle.json",
    "passwords.txt", "adapter/.env", "adapter/private_key.json", ".eval_results/secrets.yaml", ".eval_results/.env",
    "weights.bin", "model.pkl", "data.csv", "notes.yaml", "my_token.json", "hub-tokens.txt", "secrets/a.json",
    "tokens/a.txt",
)  # fmt: skip
CONTENTS = {
    "notes.txt": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "project-1.json": '{"private_key": "-----BEGIN PRIVATE KEY-----"}',
    "app.py": f"login('hf_{'a' * 34}')",
    "a.py": f"github_pat_{'a' * 40}",
    "b.py": f"glpat-{'a' * 20}",
    "c.txt": "xoxb-123456789012-abcdef",
    "d.json": '{"aws_secret_access_key": "abcdefgh"}',
    "e.py": "password = 'correct horse'",
    "f.txt": "x" * 3_000_000 + f" hf_{'a' * 34}",
}
NEEDS = (
    "README.md", "LICENSE", ".gitattributes", "config.json", "tokenizer.json", "tokenizer.model",
    "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "model.safetensors",
    "model.safetensors.index.json", "merges.txt", "chat_template.jinja", "handler.py", "adapter/adapter_config.json",
    ".eval_results/fewnerd.yaml", "plot.png",
)  # fmt: skip


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    """A folder with a repository, and with much that is none of the Hub's business."""
    folder, home = tmp_path / "mixture", tmp_path / "home"
    texts = dict.fromkeys((*SECRETS, *NEEDS), "text") | CONTENTS
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    home.mkdir()
    (home / "diary.md").write_text("secret")
    (folder / "link.md").symlink_to(home / "diary.md")
    (folder / "inner.md").symlink_to(folder / "README.md")
    (folder / "dangling.md").symlink_to(home / "nothing.md")
    (folder / "home").symlink_to(home)
    (folder / "loop").symlink_to(folder)
    os.mkfifo(folder / "pipe.json")
    (folder / "a\x1b[31m.md").write_text("red")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "handler.py").write_text("")
    return folder


def test_only_what_a_repository_needs_is_uploaded(mixture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hub = FakeHub()
    upload.push(mixture, "me/made", api=hub)
    assert hub.calls[1][2] == set(NEEDS)
    assert cli.main(["push", str(mixture), "me/made", "--dry-run"]) == 0
    output = capsys.readouterr()
    assert [line.split()[-1] for line in output.out.splitlines()[1:-1]] == sorted(NEEDS, key=Path)
    for name in ("'.env' (a hidden name)", "'link.md' (a link)", "'home' (a link)", "'pipe.json' (no ordinary file)"):
        assert f"left out: {name}\n" in output.err
    assert "'id_rsa' (a name that secrets have)" in output.err and "'app.py' (it holds what looks" in output.err
    assert "'data.csv' (a kind of file that" in output.err and "\x1b" not in output.err


def test_a_linked_readme_makes_no_repository(tmp_path: Path) -> None:
    (tmp_path / "text.md").write_text("text")
    (tmp_path / "README.md").symlink_to(tmp_path / "text.md")
    with pytest.raises(OSError, match=r"holds no README\.md, or it is no ordinary file"):
        upload.push(tmp_path, "me/made", api=FakeHub())


def test_nothing_is_written_through_a_link(inputs: SimpleNamespace, tmp_path: Path) -> None:
    for target in (tmp_path / "folder", tmp_path / "nothing"):
        (tmp_path / "out").unlink(missing_ok=True)
        (tmp_path / "out").symlink_to(target)
        (tmp_path / "folder").mkdir(exist_ok=True)
        assert _card(inputs, tmp_path / "out") == 1
        assert not target.exists() or list(target.iterdir()) == []


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ('{"init": "SELF"}', "names itself as its own start"),
        ('{"average": ["SELF"]}', "names itself as its own start"),
        ('{"average": [3]}', "must be a list of names"),
        ("[1]", "holds a JSON list, not an object"),
        ("null", "holds a JSON NoneType, not an object"),
        ("{", "is not valid JSON"),
    ],
)
def test_a_recipe_that_is_none_is_refused(recipe: str, message: str, tiny_checkpoint: str, tmp_path: Path) -> None:
    folder = tmp_path / "made"
    shutil.copytree(tiny_checkpoint, folder)
    (folder / "recipe.json").write_text(recipe.replace("SELF", str(folder)))
    with pytest.raises((ValueError, OSError), match=message):
        read_recipes(str(folder))


@pytest.mark.parametrize(
    ("hub", "message"), [(FakeHub(private=False), "is public"), (FakeHub(tags=(TAG,)), "raise the version")]
)
def test_nothing_is_uploaded_to_a_public_or_tagged_repository(hub: FakeHub, message: str, repository: Path) -> None:
    with pytest.raises(ValueError, match=message):
        upload.push(repository, "me/made", private=True, api=hub)
    assert [call[0] for call in hub.calls] == ["create"]


def test_an_error_of_the_hub_is_one_line(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("no\nroute")  # stands for the exceptions of any transport library

    monkeypatch.setattr(HfApi, "create_repo", fail)
    assert cli.main(["push", str(repository), "me/made"]) == 1
    assert capsys.readouterr().err == "nerret: no route\n"


def test_dry_run_lists_every_file_and_asks_no_network(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(upload, "HfApi", None)
    assert cli.main(["push", str(repository), "me/made", "--private", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"would upload to the private model me/made, one commit, tag {TAG}:"
    files = {path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()}
    assert {line.split()[-1] for line in lines[1:-1]} == files


def test_push_to_hub_of_the_model_itself(tiny_checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "uploaded"

    def commit(api: HfApi, repo_id: str, operations: list[CommitOperationAdd], **options: Any) -> Any:
        for operation in operations:
            target = folder / operation.path_in_repo
            target.parent.mkdir(parents=True, exist_ok=True)
            with operation.as_file() as content:
                target.write_bytes(content.read())
        return SimpleNamespace(commit_url="https://hub/commit/abc")

    monkeypatch.setattr(HfApi, "create_repo", lambda api, repo_id, **options: SimpleNamespace(repo_id=repo_id))
    monkeypatch.setattr(HfApi, "create_commit", commit)
    monkeypatch.setattr("transformers.utils.hub.create_and_tag_model_card", lambda *_, **options: ModelCard("new"))
    model = NerretModel.from_pretrained(tiny_checkpoint)
    model.push_to_hub("me/made")
    copy = NerretModel.from_pretrained(folder)
    assert copy.config.golden_vector == model.config.golden_vector
    assert (folder / "modules.json").exists()


def test_a_repository_asks_for_the_versions_that_the_package_asks_for() -> None:
    root = Path(__file__).parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, bounds in REQUIREMENTS.items():
        assert f"{name}{bounds}" in project["dependencies"]
    lines = (root / "hub_card/requirements.txt").read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if not line.startswith("#")} <= set(project["dependencies"])


@pytest.mark.parametrize("sets", [5, [5], [{"name": 5}], [{}], {"name": "corpus"}])
def test_a_recipe_that_is_none_is_told_in_one_sentence(sets: Any) -> None:
    with pytest.raises(ValueError, match=r"recipe\.json: sets is"):
        training_sets([{"head": {"sets": sets}}])
