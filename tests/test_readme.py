"""README's examples run, and print what README says."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_every_code_block_is_of_a_kind_that_is_run() -> None:
    assert set(re.findall(r"^```(\w+)$", README, flags=re.MULTILINE)) <= {"sh", "console", "python", "text"}
    assert [block.split() for block in _blocks("sh")] == [["make", "demo", "make", "test"]]


def _assert_alike(printed: str, expected: str) -> None:
    """The same words, and numbers that differ by no more than another processor's arithmetic makes them."""
    number = r"-?\d+\.\d+"
    assert re.sub(number, "#", printed).split() == re.sub(number, "#", expected).split()
    pairs = zip(re.findall(number, printed), re.findall(number, expected), strict=True)
    assert all(abs(float(one) - float(other)) < 0.01 for one, other in pairs)


def test_python_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    examples = doctest.DocTestParser().get_doctest("\n".join(_blocks("python")), {}, "README", "README.md", 0)
    assert examples.examples
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(examples)
    assert result.failed == 0


def test_console_examples(tmp_path: Path) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "100"}
    ran = 0
    for block in _blocks("console"):
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, flags=re.MULTILINE):
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}: {done.stderr}"
            _assert_alike(done.stdout, expected)
            ran += 1
            assert shlex.split(command)
    assert ran >= 3
