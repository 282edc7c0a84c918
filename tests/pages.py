"""What a reader of a Markdown page does: the blocks of shell, console and Python, one after another in one folder."""

from __future__ import annotations

import argparse
import doctest
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from modeling_nerret.cli import COMMANDS, _parser, main

ROOT = Path(__file__).parent.parent
NUMBER = r"-?\d+\.\d+|\d+(?= %)"
# Ids of documents without one of their own name the folder, which differs between computers
PLACE = re.compile(r"([\w.-]+)@([0-9a-f]{8})(:\d+)")
QUOTED_OR_PLAIN = r"""((?:[^'"|>&]|'[^']*'|"[^"]*")*)"""
COMMAND = re.compile(QUOTED_OR_PLAIN + r"(?:&|([|>].*))?$", re.DOTALL)
# A command goes on in the next line after a backslash, or if that line is indented by nine
CONSOLE = re.compile(r"^\$ (.*(?:(?<=\\)\n.*|\n {9}.*)*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
DEMO = "nerret index demo demo-index"


class Block(NamedTuple):
    """A fenced block, and its language."""

    kind: str
    text: str


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page."""
    return [Block(*match) for match in re.findall(r"^```(\w*)\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)]


def console_commands(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a console block, and what each prints."""
    for command, output in CONSOLE.findall(text):
        yield command.replace("\\\n", " "), output


def check_command_line(line: str) -> None:
    """Parse a line that begins with `nerret` by the command's own parser, without running it."""
    match = COMMAND.match(line)
    assert match, line
    name, command, *arguments = shlex.split(match[1], comments=True)
    assert name == "nerret" and command in COMMANDS, line
    try:
        _parser(command).parse_args([command, *arguments])
    except SystemExit as end:
        raise AssertionError(f"nerret does not understand: {line}") from end


def assert_alike(output: str, expected: str) -> None:
    """The same words, and numbers that differ by no more than another processor's arithmetic makes them.

    A line `...` of what is expected stands for any lines.
    """
    output, expected = (PLACE.sub(r"\1@#\3", text) for text in (output, expected))
    parts = re.split(r"^\.\.\.\n", expected, flags=re.MULTILINE)
    words = [" ".join(re.sub(NUMBER, "#", part).split()) for part in parts]
    pattern = ".*".join(map(re.escape, words))
    assert re.fullmatch(pattern, " ".join(re.sub(NUMBER, "#", output).split())), f"{output}\nis not\n{expected}"
    if len(parts) > 1:
        return
    for value, expected_value in zip(re.findall(NUMBER, output), re.findall(NUMBER, expected), strict=True):
        assert abs(float(value) - float(expected_value)) <= (0.01 if "." in expected_value else 1)  # or a percentage


class _Checker(doctest.OutputChecker):
    """As doctest's, but numbers may differ as in `assert_alike`."""

    def check_output(self, want: str, output: str, optionflags: int) -> bool:
        try:
            assert_alike(output, want)
        except (AssertionError, ValueError):
            return super().check_output(want, output, optionflags)
        return True


class Reader:
    """Runs the blocks of a page in the current folder, and compares what they print.

    Args:
        capture: pytest's.
        demo_index: an index of the demo corpus, which is copied in the place of making it once more.
    """

    def __init__(self, capture: pytest.CaptureFixture, demo_index: Path):
        self.capture, self.demo_index = capture, demo_index
        self.folders: dict[tuple[str, str], str] = {}
        self.variables: dict[str, Any] = {}
        self.client: Any = None

    def follow(self, page: str, kinds: Sequence[str] = ("sh", "console", "python")) -> None:
        """Run all blocks of some kinds."""
        for block in blocks(page):
            if block.kind not in kinds:
                continue
            if block.kind == "sh":
                subprocess.run(["sh", "-e"], input=block.text, text=True, check=True)
            elif block.kind == "console":
                self.type_commands(block.text)
            else:
                self.run_python(block.text)

    def type_commands(self, text: str) -> None:
        """A console block."""
        for command, expected in console_commands(text):
            output = self.output_of(command)
            for name, folder, number in PLACE.findall(output):
                self.folders[name, number] = folder
            assert_alike(output, expected)

    def run_python(self, text: str) -> None:
        """A block of Python, with the variables of the blocks before it."""
        examples = doctest.DocTestParser().get_doctest(text, {}, "page", None, 0)
        assert examples.examples
        examples.globs = self.variables
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        report: list[str] = []
        result = doctest.DocTestRunner(_Checker(), optionflags=flags).run(
            examples, out=report.append, clear_globs=False
        )
        assert result.failed == 0, "".join(report)

    def output_of(self, line: str) -> str:
        """What a command prints on standard output, at the end of its pipe."""
        match = COMMAND.match(PLACE.sub(lambda place: self._here(*place.groups()), line))
        assert match, line
        name, *arguments = shlex.split(match[1])
        output = {"nerret": self._nerret, "curl": self._curl}.get(name, lambda _: self._shell(match[1]))(arguments)
        if match[2]:
            pipe = subprocess.run(["sh", "-c", f"cat {match[2]}"], input=output, text=True, capture_output=True)
            assert not pipe.returncode, pipe.stderr
            output = pipe.stdout
        return output

    def _here(self, name: str, folder: str, number: str) -> str:
        """A document's id on this computer."""
        return f"{name}@{self.folders.get((name, number), folder)}{number}"

    def _nerret(self, arguments: list[str]) -> str:
        if arguments == shlex.split(DEMO)[1:]:
            shutil.copytree(self.demo_index, "demo-index", symlinks=True)
            return ""
        if arguments[0] == "serve":
            self._serve(_parser("serve").parse_args(arguments))
            return ""
        self.capture.readouterr()
        code = main(arguments)
        output, errors = self.capture.readouterr()
        assert code == 0, errors
        return output

    def _shell(self, line: str) -> str:
        return subprocess.run(["sh", "-c", line], text=True, capture_output=True, check=True).stdout

    def _serve(self, options: argparse.Namespace) -> None:
        """Answer `curl` from now on as `nerret serve` does, without a socket."""
        from starlette.testclient import TestClient

        from modeling_nerret.serve.api import make_app
        from modeling_nerret.serve.indexes import Indexes
        from modeling_nerret.serve.paths import read_paths
        from modeling_nerret.serve.tokens import read_tokens

        tokens = read_tokens(options.token_file, os.environ)
        app = make_app(Indexes(read_paths(options.indexes)), tokens, options.max_k)
        self.client = TestClient(app, "http://localhost:8000")

    def _curl(self, arguments: list[str]) -> str:
        parser = argparse.ArgumentParser()
        parser.add_argument("-s", action="store_true")
        parser.add_argument("-H", action="append", default=[])
        parser.add_argument("-d")
        parser.add_argument("url")
        options = parser.parse_args(arguments)
        headers = dict(re.split(r":\s*", header, maxsplit=1) for header in options.H)
        assert options.url.startswith("localhost:8000/"), options.url
        with self.client as client:
            method = "GET" if options.d is None else "POST"
            return client.request(method, f"http://{options.url}", headers=headers, content=options.d).text + "\n"
