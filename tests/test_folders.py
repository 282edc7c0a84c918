"""`nerret index` over folders, patterns and many files: what is read, skipped with its reason, and pruned."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeling_nerret.cli import main
from modeling_nerret.index.readers import Tree
from modeling_nerret.index.readers.patterns import Selection, matches
from tests import small_files
from tests.index_command import IndexCommand


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def names(*inputs: str, **options: list[str]) -> list[str]:
    return [file.name for file in Tree(inputs, **options).files]


# what is read


@pytest.mark.parametrize(
    ("path", "pattern", "result"),
    [
        ("a/b.md", "*.md", True),
        ("a/b.md", "/*.md", False),
        ("a/b.md", "a/*.md", True),
        ("a/b/c.md", "a/*.md", False),
        ("a/b/c.md", "a/**/*.md", True),
        ("a/c.md", "a/**/*.md", True),
        ("a/b/c.md", "**/c.md", True),
        ("a/b/c.md", "a/**", True),
        ("a", "a/", True),
        ("b1.md", "b[0-9].md", True),
        ("ba.md", "b[!0-9].md", True),
        ("b.md", "b?.md", False),
        ("[x].md", "[[]x].md", True),
        ("a[.md", "a[.md", True),
        ("a.md\n", "*.md", False),
    ],
)
def test_patterns(path: str, pattern: str, result: bool) -> None:
    assert matches(path, pattern) is result


@given(st.text("ab*?[]!-^\\/.&~|", max_size=12), st.text("ab/.", min_size=1, max_size=8))
def test_any_pattern_is_one(pattern: str, path: str) -> None:
    matches(path, pattern)
    assert Selection([], []).has(path)


def test_files_folders_and_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = ("a.txt", "b/c.md", "b/d/e.txt", "b/d/f.png", ".git/x.txt", "b/.y.md", "~$z.docx", "[q].md")
    write(tmp_path, dict.fromkeys(files, "Ada"))
    monkeypatch.chdir(tmp_path)
    assert names("b") == ["b/c.md", "b/d/e.txt"] and names("b", "b/c.md", "./b/d/..") == ["b/c.md", "b/d/e.txt"]
    assert names(".") == ["./[q].md", "./a.txt", "./b/c.md", "./b/d/e.txt"]
    assert names("**/*.txt") == ["a.txt", "b/d/e.txt"] and names("*/*.md") == ["b/c.md"]
    assert names("[q].md") == ["[q].md"] and names("b/d/*.png", "a.txt") == ["a.txt"]
    assert names(".", include=["*.md"], exclude=["b"]) == ["./[q].md"]
    assert names("b", include=["d/*"]) == ["b/d/e.txt"] and names("b", exclude=["d"]) == ["b/c.md"]
    tree = Tree(["b", "."])
    assert tree.other_kinds == {".png": 1} and tree.hidden_names == 3


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["nothing"], "no corpus at 'nothing': it is not there"),
        (["*.pdf"], r"no file matches '\*.pdf'"),
        (["x"], r"no text in x: all 3 files are of other kinds \(2 .png, 1 without a suffix\); accepted are .jsonl"),
        (["y"], "no text in y: it is empty"),
    ],
)
def test_inputs_without_text(inputs: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, dict.fromkeys(("x/a.png", "x/b.png", "x/c"), "Ada"))
    (tmp_path / "y").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=message):
        Tree(inputs)


def test_links_pipes_and_indexes_are_not_followed(tmp_path: Path, command: IndexCommand) -> None:
    root = write(tmp_path / "root", {"a.txt": "Ada", "b/c.txt": "Oslo"})
    write(tmp_path / "outside", {"secret.txt": "Graz"})
    for name, target in (
        ("loop", "loop"),
        ("circle", "."),
        ("again.txt", "a.txt"),
        ("out", "../outside"),
        ("out.txt", "../outside/secret.txt"),
    ):
        (root / name).symlink_to(target)
    os.mkfifo(root / "pipe.txt")
    assert main(["index", str(root / "a.txt"), str(root / "index"), "--model", command._model]) == 0
    tree = Tree([str(root)])
    assert [file.path.name for file in tree.files] == ["a.txt", "c.txt"]
    assert {Path(fault.where).name: fault.reason[:32] for fault in tree.faults} == {
        "loop": "it is a link that leads nowhere,",
        "out": "it is a link out of the folder; ",
        "out.txt": "it is a link out of the folder; ",
        "pipe.txt": "it is no file but a pipe, a sock",
    }
    os.mkfifo(tmp_path / "p.jsonl")
    assert command.run(tmp_path / "p.jsonl") == 1 and "is no file but a pipe or device" in command.error
    (tmp_path / "link").symlink_to("outside")
    assert command.run(tmp_path / "link") == 0 and command.texts() == ["Graz"]  # the user named it


def test_a_missing_library_stops_before_anything_is_read(
    tmp_path: Path, command: IndexCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "root", {"a.pdf": "x", "b.pdf": "x", "c.txt": "Ada"})
    monkeypatch.setattr("modeling_nerret.index.readers.kinds.find_spec", lambda name: None)
    assert command.run(root) == 1 and command.error.count("\n") == 1
    assert "2 .pdf files need the package pypdf; install it with: pip install '.[files]'" in command.error
    assert command.run(root, "--exclude", "*.pdf") == 0 and command.texts() == ["Ada"]


# faults


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "a.docx": (small_files.SEALED, "it is encrypted with a password"),
    "b.json": ("{", "line 1: this is not JSON"),
    "c.parquet": ("x", "damaged"),
    "d.txt": ("Göttingen".encode("latin-1"), "not valid UTF-8"),
    "e.txt": (bytes(range(256)), "full of control characters"),
    "f.md": ("", "it is empty"),
    "g.jsonl": ("\n", "it is empty"),
    "h.csv": ("id,body\n1,x\n", "there is no column 'text'; the columns are id, body"),
    "i.jsonl.gz": ("x", "is damaged or cut off"),
    "j.txt.zst": ("x", "is damaged or cut off"),
    "k.eml": ("x", "it is no mail"),
}


def test_broken_files_are_named_and_cost_no_other(tmp_path: Path, command: IndexCommand) -> None:
    root = write(tmp_path / "root", {name: content for name, (content, _) in BROKEN.items()})
    write(root, {"0.txt": "Ada", "z/z.txt": "Oslo", "x.jsonl": '{"text": "Graz"}\nnull\n{"text": "Wien"}\n'})
    for flag, lines in (("stop", 0), ("skip", 1)):
        assert command.run(root, "--on-error", flag) == 3
        assert f"{lines} broken lines skipped" in command.error
        for name, (_, reason) in BROKEN.items():
            (line,) = [line for line in command.error.splitlines() if f"root/{name}" in line]
            assert line.startswith(f"nerret: skipped {root}/{name}") and reason in line
        assert "x.jsonl, line 2: a line is an object" in command.error
        assert command.texts() == ["Ada", "Graz", "Oslo"] + ["Wien"] * lines
    assert "11 items skipped; everything else is in the index" in command.error


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, command: IndexCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "root", {"a.txt": "Ada", "b.txt": "Oslo"})
    reading = Path.open

    def refuse(path: Path, *arguments: str, **options: str) -> object:
        if path.name == "a.txt":
            raise PermissionError(13, "Permission denied")
        return reading(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    assert command.run(root) == 3 and "root/a.txt: you may not read it" in command.error
    assert command.texts() == ["Oslo"]


def test_one_broken_document_is_an_error(tmp_path: Path, command: IndexCommand) -> None:
    write(tmp_path, {"a.docx": small_files.SEALED})
    assert command.run(tmp_path / "a.docx") == 1 and "a.docx: it is encrypted" in command.error
    assert command.error.count("\n") == 1 and not Path(command.index).exists()


def test_an_id_that_two_files_share_is_named(tmp_path: Path, command: IndexCommand) -> None:
    root = write(tmp_path / "root", dict.fromkeys(("a.jsonl", "b.jsonl"), '{"id": 7, "text": "Ada"}\n'))
    assert command.run(root) == 3 and "b.jsonl, line 1: the id '7' stands on an earlier line" in command.error


@pytest.mark.parametrize("name", ["demo", "-"])
def test_the_demo_and_standard_input_stand_alone(name: str, tmp_path: Path, command: IndexCommand) -> None:
    assert command.run(name, tmp_path) == 1 and "stands alone" in command.error


def test_options_may_stand_anywhere(tmp_path: Path, command: IndexCommand) -> None:
    write(tmp_path, {"a.txt": "Ada", "b.txt": "Oslo"})
    assert command.run(tmp_path / "a.txt", "--split", "line", tmp_path / "b.txt") == 0
    assert command.texts() == ["Ada", "Oslo"]


# later runs


def test_a_later_run_adds_replaces_and_prunes(tmp_path: Path, command: IndexCommand) -> None:
    files: dict[str, str | bytes] = {"a.txt": "Ada", "b/a.txt": "Oslo", "b/c.txt": "Graz", "d/e.txt": "Rome"}
    root = write(tmp_path / "root", files | {"t.jsonl": '{"text": "Wien"}\n{"text": "Linz"}\n'})
    assert command.run(root) == 0 and "6 documents added" in command.error
    assert "7 files read" not in command.error and "5 files read; 4 texts as one document each" in command.error
    write(root, {"a.txt": "Ada Lovelace", "b/f.txt": "Paris", "t.jsonl": '{"text": "Wien"}\n'})
    (root / "b" / "c.txt").unlink()
    (root / "d" / "e.txt").unlink()
    (root / "d").rmdir()
    assert command.run(root) == 0 and "1 documents added, 1 replaced, 2 unchanged" in command.error
    assert "2 documents in the index come from files or lines" in command.error and len(command.texts()) == 7
    assert command.run(root, "--prune") == 0 and "3 documents removed" in command.error  # one of a folder that is gone
    assert command.texts() == ["Ada Lovelace", "Oslo", "Paris", "Wien"]


def test_only_what_is_gone_is_pruned(tmp_path: Path, command: IndexCommand) -> None:
    root = write(tmp_path / "root", {"a.txt": "Ada", "b.md": "Oslo", "c.jsonl": '{"text": "Wien"}\n{"text": "Linz"}\n'})
    write(tmp_path / "other", {"a.txt": "Graz"})
    assert command.run(root, tmp_path / "other") == 0
    write(root, {"b.md": b"\xff", "c.jsonl": '{"text": "Wien"}\nnull\n'})  # broken files may still have their documents
    assert command.run(root, "--include", "*.md", "--prune") == 3 and "nothing" in command.error
    assert command.run(root, "--prune", "--on-error", "skip") == 3
    (root / "b.md").unlink()
    assert (
        command.run(root, "--exclude", "*.md", "--prune", "--on-error", "skip") == 0
    )  # a file that is left out is left as it is
    assert command.texts() == ["Ada", "Graz", "Linz", "Oslo", "Wien"]
    assert command.run(str(root / "*.md"), str(root / "a.txt"), "--prune") == 1 and "no file matches" in command.error
    assert command.run(str(root / "[ab].*"), "--prune") == 0 and "1 documents removed" in command.error
    assert command.texts() == ["Ada", "Graz", "Linz", "Wien"]


def test_documents_know_where_they_come_from(
    tmp_path: Path, command: IndexCommand, capsys: pytest.CaptureFixture
) -> None:
    root = write(tmp_path / "root", {"a.html": small_files.PAGE, "m.eml": small_files.MAIL.encode("latin-1")})
    assert command.run(root) == 0
    assert main(["search", command.index, "dinosaur", "-k", "9", "--where", "path contains a.html", "--json"]) == 0
    (hit,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert hit["metadata"]["path"] == str(root / "a.html") and hit["metadata"]["url"] == "https://example.org/d"
    for mention in hit["mentions"]:
        assert hit["text"][mention["start"] : mention["end"]] == mention["text"]
