"""Progress of long commands, in a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from modeling_nerret.cli import progress
from modeling_nerret.cli.progress import Progress


class Clock:
    """Time that passes by ten seconds whenever somebody looks."""

    seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 10.0
        return self.seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "time", Clock())


def test_a_log_gets_a_plain_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(Progress(range(8), "semcor: mine indexes")) == list(range(8))
    assert capsys.readouterr().err == "semcor: mine indexes 3 of 8\nsemcor: mine indexes 6 of 8\n"


def test_a_stream_of_unknown_length_is_counted_with_its_unit(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(None, "indexing", "documents") as counter:
        for _ in range(3):
            counter.update(1000)
    assert capsys.readouterr().err == "indexing 3000 documents\n"


def test_a_command_that_ends_soon_prints_no_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert list(Progress("abc", "reading")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.undo()
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert list(Progress(range(4), "reading", "texts")) == [0, 1, 2, 3]
    assert "reading: 100%" in terminal.getvalue() and "4/4" in terminal.getvalue()
