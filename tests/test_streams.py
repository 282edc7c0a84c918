"""The command's streams and signals: one line and an exit code, and nothing that would control a terminal."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from modeling_nerret.cli import main, models
from modeling_nerret.cli.streams import as_text, print_json
from modeling_nerret.index.plain_text import one_line, visible

NERRET = str(Path(sys.executable).with_name("nerret"))
CONTROLS = [chr(code) for code in (*range(32), *range(0x7F, 0xA0), 0x202E, 0x2066)]
TEXT = "Émile in London 🦖 \x1b]0;pwned\x07 \x9b31m \u202e"


@pytest.fixture(scope="module")
def index(tiny_checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An index with a document that would control a terminal."""
    folder = tmp_path_factory.mktemp("streams")
    record = {"id": "e\x1b[31mRED\r", "text": TEXT, "note\x1b[2J": "\x1b[2J\x9b"}
    (folder / "a.jsonl").write_text(json.dumps(record))
    assert main(["index", str(folder / "a.jsonl"), str(folder / "index"), "--model", tiny_checkpoint]) == 0
    return str(folder / "index")


def stream(encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "latin-1", "ascii", "utf-16"])
@pytest.mark.parametrize("command", ["table", "json", "detect", "detect json"])
def test_output_fits_every_encoding_and_controls_no_terminal(
    index: str, tiny_checkpoint: str, command: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", stream(encoding))
    arguments = ["search", index, "city"] if "detect" not in command else ["detect", TEXT, "--model", tiny_checkpoint]
    assert main([*arguments, *(["--json"] if "json" in command else [])]) == 0
    output = sys.stdout.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    assert output and not set(output) & (set(CONTROLS) - {"\n"})
    if "json" in command:
        hit = json.loads(output)
        assert hit["text"] == TEXT
        assert "metadata" not in hit or hit["metadata"] == {"note\x1b[2J": "\x1b[2J\x9b"}
    elif "detect" not in command:
        assert "\\x1b[31mRED" in output and "\\x9b" in output


def test_errors_control_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "a\x1b[2J\n.jsonl").write_text('{"id": "\\u001b[31m", "text": ""}')
    assert main(["index", str(tmp_path / "a\x1b[2J\n.jsonl"), str(tmp_path / "i")]) == 1
    assert main(["info", str(tmp_path / "\x1b[31m")]) == 1
    with pytest.raises(SystemExit):
        main(["info", "a", "\x1b[31m"])
    error = capsys.readouterr().err
    assert "\\x1b[2J" in error and "\\x1b[31m" in error and not set(error) & (set(CONTROLS) - {"\n"})


def test_characters_are_spelled_out() -> None:
    assert visible("a\n\x1b\x85\u202e\ud800é🦖") == r"a\n\x1b\x85\u202e\ud800é🦖"
    assert one_line("a\r\n\tb\x0b\x85\x1b") == r"a   b  \x1b"


def test_json_is_strict(capsys: pytest.CaptureFixture) -> None:
    print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": "\ud800\x7f"})
    line = capsys.readouterr().out
    assert json.loads(line) == {"a": None, "b": [None, 1.5], "c": "\ud800\x7f"} and line.isascii()


def test_arguments_that_python_could_not_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    assert as_text("é") == as_text(os.fsdecode(b"\xc3\xa9")) == "é"
    monkeypatch.setattr("os.fsencode", lambda text: text.encode("ascii", "surrogateescape"))
    assert as_text(b"caf\xc3\xa9".decode("ascii", "surrogateescape")) == "café"


@pytest.mark.parametrize("command", [["search", "{}", "caf\udce9"], ["delete", "{}", "\udce9"], ["info", "\udce9"]])
def test_stray_bytes_in_arguments(index: str, command: list[str], capsys: pytest.CaptureFixture) -> None:
    assert main([argument.format(index) for argument in command]) == 1
    assert capsys.readouterr().err.endswith("\\udce9' is not valid UTF-8\n")


def shell(command: str, **changes: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | changes
    arguments = ["sh", "-c", f"{NERRET} {command}"]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=environment)


@pytest.mark.parametrize(
    ("command", "code", "error"),
    [
        ("models > /dev/full", 1, "nerret: standard output cannot be written (No space left on device)\n"),
        ("--help > /dev/full", 1, "nerret: standard output cannot be written (No space left on device)\n"),
        ("models >&-", 1, "nerret: standard output is closed\n"),
        ("models 2>&-", 0, ""),
        ("info nowhere 2>&-", 1, ""),
        ("info nowhere 2> /dev/full", 1, ""),
        ("models <&- >&- 2>&-", 1, ""),
    ],
)
def test_streams_that_are_closed_or_full(command: str, code: int, error: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    result = shell(command)
    assert (result.returncode, result.stderr) == (code, error)


@pytest.mark.parametrize("command", ["--help", "--version", "search --help", "models"])
def test_a_full_output_without_a_buffer(command: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    result = shell(f"{command} > /dev/full", PYTHONUNBUFFERED="1")
    assert (result.returncode, result.stderr) == (1, "nerret: [Errno 28] No space left on device\n")


def test_a_reader_that_goes_away_is_no_error() -> None:
    result = shell("--help | true")
    assert result.stderr == "" and result.stdout == ""


def test_closed_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert main(["index", "-", str(tmp_path / "i")]) == 1
    assert capsys.readouterr().err == "nerret: standard input is closed; give a file, or pipe text in\n"


class Panic(BaseException):
    """As the errors of libraries in Rust."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("x"), "nerret: unexpected KeyError: 'x'; run it again with --debug to see where"),
        (TypeError("a\n  b"), "nerret: unexpected TypeError: a b; run it again with --debug to see where"),
        (AssertionError(), "nerret: unexpected AssertionError; run it again with --debug to see where"),
        (RecursionError("deep"), "nerret: unexpected RecursionError: deep; run it again with --debug to see where"),
        (Panic("rust"), "nerret: unexpected Panic: rust; run it again with --debug to see where"),
        (MemoryError(), "nerret: memory ran out; "),
        (torch.OutOfMemoryError("CUDA out of memory"), "nerret: CUDA out of memory"),
        (ValueError("x" * 9_000), "nerret: xxx"),
        (OSError("a\x1b[31m"), "nerret: a\\x1b[31m"),
    ],
)
def test_unexpected_errors_are_one_line(
    error: BaseException, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def fail(options: Any) -> int:
        raise error

    monkeypatch.setattr(models, "run", fail)
    assert main(["models"]) == 1
    line = capsys.readouterr().err
    assert line.startswith(message) and line.count("\n") == 1 and len(line) < 3_000
    with pytest.raises(type(error)):
        main(["models", "--debug"])


@pytest.mark.parametrize("device", ["cuda", "cuda:7", "nonsense", "meta", ""])
def test_a_device_that_is_not_there(
    device: str, tmp_path: Path, tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    if device.startswith("cuda") and torch.cuda.is_available():
        pytest.skip("it is there")
    (tmp_path / "a.txt").write_text("Ada")
    for command in (["index", str(tmp_path / "a.txt"), str(tmp_path / "i")], ["detect", "Ada"]):
        assert main([*command, "--model", tiny_checkpoint, "--device", device]) == 1
        error = capsys.readouterr().err
        assert f"the device {device!r} cannot be used" in error and "cpu" in error and error.count("\n") == 1


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_end_like_ctrl_c(
    name: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    number = getattr(signal, name)
    monkeypatch.setattr(models, "run", lambda options: signal.raise_signal(number))
    before = signal.signal(number, signal.SIG_DFL)  # the tests themselves may run under nohup
    try:
        assert main(["models"]) == code
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)
    error = capsys.readouterr().err
    assert error == f"nerret: ended by {name}; finished work is kept, run the command again to go on\n"


def test_a_signal_that_a_library_swallows_ends_the_command_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def swallow(options: Any) -> int:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        return 0

    monkeypatch.setattr(models, "run", swallow)
    assert main(["models"]) == 143


def test_signals_that_are_ignored_stay_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "run", lambda options: signal.raise_signal(signal.SIGHUP) or 0)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        assert main(["models"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_lines_of_standard_input_that_are_no_text_are_named(
    tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Ada\nLond\xe9on\nin Paris\n"), "ascii"))
    assert main(["detect", "--json", "--model", tiny_checkpoint]) == 1
    out, err = capsys.readouterr()
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["Ada", "in Paris"]
    assert err.startswith("nerret: skipped standard input, line 2: the bytes from 4 are not valid UTF-8")
