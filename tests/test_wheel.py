"""The distribution: a wheel has all that README shows, and works outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = {"modeling_nerret": "modeling_nerret"} | {
    name: f"modeling_nerret/{name}" for name in ("training", "eval", "hub_card")
}
LEFT_OUT = (".git", ".venv", "build", "dist", "runs", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
BUILD = """
import sys
from setuptools import build_meta
folder = sys.argv[1]
build_meta.build_wheel(folder)
build_meta.build_sdist(folder)
"""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel, its content in `wheel/`, and the source distribution."""
    source, folder = tmp_path_factory.mktemp("source") / "nerret", tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LEFT_OUT))
    subprocess.run([sys.executable, "-c", BUILD, str(folder)], cwd=source, check=True, capture_output=True)
    zipfile.ZipFile(next(folder.glob("*.whl"))).extractall(folder / "wheel")
    return folder


def _files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package(distributions: Path) -> None:
    wheel = _files(distributions / "wheel")
    for folder, place in FOLDERS.items():
        assert {f"{place}/{name}" for name in _files(ROOT / folder)} - wheel <= {f"{place}/RESULTS.md"}


@pytest.mark.slow
def test_the_source_distribution_holds_what_tests_need_and_nothing_strange(distributions: Path) -> None:
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if archive.getmember(name).isfile()}
    assert {"README.md", "Makefile", "constraints.txt", "tests/tiny.py", "benchmarks/unchanged.py"} <= names
    metadata = {"PKG-INFO", "setup.cfg"}
    strangers = {
        name for name in names - metadata if not name.startswith("nerret.egg-info/") and not (ROOT / name).exists()
    }
    assert not strangers


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "eval", "probe", "calibrate", "card", "space", "push"])
def test_commands_work_outside_the_checkout(distributions: Path, tmp_path: Path, command: str) -> None:
    script = (
        "import modeling_nerret, sys; from modeling_nerret.cli import main;"
        "assert modeling_nerret.__file__.startswith(sys.argv[1]); main([sys.argv[2], '--help'])"
    )
    wheel = str(distributions / "wheel")
    process = subprocess.run(
        [sys.executable, "-c", script, wheel, command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": wheel},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0 and f"usage: nerret {command}" in process.stdout, process.stderr


@pytest.mark.slow
def test_readmes_training_example_is_in_the_wheel(distributions: Path) -> None:
    training = distributions / "wheel/modeling_nerret/training"
    assert (training / "recipes/own-data.toml").is_file() and (training / "examples/beekeeping.jsonl").is_file()
