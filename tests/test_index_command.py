"""`nerret index` over several files: made ids, counts, and documents of lines that are gone."""

from __future__ import annotations

import signal

import pytest

from modeling_nerret.cli import main
from modeling_nerret.index.store import Store
from modeling_nerret.index.writer import Writer
from tests.index_command import IndexCommand


def test_files_without_ids_do_not_replace_each_other(command: IndexCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        command.write_and_run("a.txt", "Ada\nOslo\n")
        == command.write_and_run("b.txt", "Graz\n")
        == command.write_and_run("x/a.txt", "Rome\n")
        == 0
    )
    assert command.texts() == ["Ada", "Graz", "Oslo", "Rome"]
    assert "1 documents added, 0 replaced, 0 unchanged, 0 broken lines skipped; 4 documents" in command.error
    monkeypatch.chdir(command.folder / "x")
    assert main(["index", "../a.txt", command.index, "--split", "line"]) == 0
    assert command.write_and_run("a.txt", "Ada\nParis\nWien\n") == 0
    assert "1 documents added, 1 replaced, 1 unchanged, 0 broken lines skipped; 5 documents" in command.error


def test_lines_that_are_gone_are_named_and_pruned(command: IndexCommand) -> None:
    command.write_and_run("a.txt", "Ada\nOslo\nGraz\n")
    command.write_and_run("b.txt", "Rome\nParis\nWien\n")
    assert command.write_and_run("a.txt", "Ada\n") == 0
    assert "2 documents in the index come from lines that" in command.error and "--prune" in command.error
    assert command.write_and_run("a.txt", None, "--prune") == 0
    assert "2 documents removed" in command.error and "; 4 documents, " in command.error
    assert command.texts() == ["Ada", "Paris", "Rome", "Wien"]
    assert command.write_and_run("a.txt", None, "--prune") == 0 and "nothing to remove" in command.error


def test_nothing_is_pruned_after_skipped_lines(command: IndexCommand) -> None:
    command.write_and_run("a.jsonl", '{"text": "Ada"}\n{"text": "Oslo"}\n{"text": "Graz"}\n')
    assert command.write_and_run("a.jsonl", '{"text": "Ada"}\nOslo\n', "--prune", "--on-error", "skip") == 0
    assert "--prune removed nothing, because 1 broken lines were skipped" in command.error
    assert command.write_and_run("a.jsonl", '{"text": "Ada"}\nOslo\n', "--prune") == 1
    assert len(command.texts()) == 3


def test_prune_says_when_it_cannot_tell(command: IndexCommand, capsys: pytest.CaptureFixture) -> None:
    command.write_and_run("a.jsonl", '{"id": 1, "text": "Ada"}\n{"id": 2, "text": "Oslo"}\n')
    assert command.write_and_run("a.jsonl", '{"id": 1, "text": "Ada"}\n', "--prune") == 0
    assert "has ids of its own, which do not tell the file of a document" in command.error
    assert command.texts() == ["Ada", "Oslo"]
    for source in ("demo", "-"):
        assert main(["index", source, command.index, "--prune"]) == 1
        assert "--prune compares an index with a file" in capsys.readouterr().err


def test_ids_that_come_later_make_the_earlier_ones_stale(command: IndexCommand) -> None:
    command.write_and_run("a.csv", "nr,text\n7,Ada\n8,Oslo\n")
    assert command.write_and_run("a.csv", None, "--id-column", "nr", "--prune") == 0
    assert "2 documents removed" in command.error and command.texts() == ["Ada", "Oslo"]


def test_given_mentions_that_changed_are_a_change(command: IndexCommand) -> None:
    record = '{"id": "a", "text": "Ada met Babbage.", "mentions": %s}\n'
    flags, ada, babbage = ("--detector", "given"), '{"start": 0, "end": 3}', '{"start": 8, "end": 15}'
    command.write_and_run("a.jsonl", record % "[]")
    assert "1 documents added" in command.error
    for mentions, counts in (
        (f"[{ada}]", "1 replaced, 0 unchanged"),
        (f"[{ada}, {babbage}]", "1 replaced, 0 unchanged"),
        (f"[{babbage}, {ada}, {ada}]", "0 replaced, 1 unchanged"),
        (f"[{babbage}]", "1 replaced, 0 unchanged"),
        ("null", "1 replaced, 0 unchanged"),
    ):
        assert command.write_and_run("a.jsonl", record % mentions, *flags) == 0 and counts in command.error
    assert "; 1 documents, 0 mentions" in command.error


def test_a_broken_line_keeps_what_was_committed(command: IndexCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeling_nerret.index.retriever.COMMIT_DOCUMENTS", 2)
    monkeypatch.setattr("modeling_nerret.encoding.BUFFER_DOCUMENTS", 2)
    monkeypatch.setattr("modeling_nerret.cli.index.GROUP_DOCUMENTS", 2)
    lines = "".join(f'{{"text": "Ada {number}"}}\n' for number in range(12))
    assert command.write_and_run("a.jsonl", lines + "null\n") == 1
    assert "a.jsonl, line 13: a line is an object" in command.error
    assert len(command.texts()) >= 8


def test_sigterm_keeps_what_was_committed(command: IndexCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeling_nerret.index.retriever.COMMIT_DOCUMENTS", 2)
    write = Writer.write

    def write_and_end(writer: Writer, documents: list) -> int:
        replaced = write(writer, documents)
        if len(Store(writer.path)) == 4:
            signal.raise_signal(signal.SIGTERM)
        return replaced

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "write", write_and_end)
        assert command.write_and_run("a.txt", "".join(f"Ada {number}\n" for number in range(8))) == 143
    assert command.error == "nerret: ended by SIGTERM; finished work is kept, run the command again to go on\n"
    assert command.write_and_run("a.txt") == 0
    assert "4 documents added, 0 replaced, 4 unchanged" in command.error
