"""Commits: what a power cut, a killed compaction, links and other users of the computer cannot do to an index."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.index import store, writer
from modeling_nerret.index.check import Check
from modeling_nerret.index.commits import table_files
from modeling_nerret.index.store import Store
from tests.test_store import SIZE, document_with_vectors, fill, ids


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def unit_vectors(name: str, text: str = "Ada in London", **metadata: Any) -> EncodedDocument:
    return document_with_vectors(name, text, np.eye(SIZE)[len(name) % SIZE], **metadata)


@pytest.fixture
def index(tmp_path: Path) -> Store:
    index = Store.create(tmp_path / "index", SIZE, model="m", fingerprint="f")
    fill(index, unit_vectors("a"))
    return index


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were made durable, in order."""
    names: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        names.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return names


def test_files_are_durable_before_the_commit_that_names_them(index: Store, syncs: list[str]) -> None:
    before = set(table_files(index.path))
    fill(index, document_with_vectors("b", year=1))
    new = {str(index.path / name) for name in set(table_files(index.path)) - before}
    last = syncs.index(str(index.path / "commit.json.new"))
    assert new <= set(syncs[:last])
    assert {str(Path(name).parent) for name in new} | {str(index.path)} <= set(syncs[:last])
    assert str(index.path) in syncs[last:]  # the new name of the commit


def test_half_a_file_of_a_power_cut_is_swept_away(index: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(table_files(index.path))
    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_commit", interrupt)
        with pytest.raises(KeyboardInterrupt):
            fill(index, document_with_vectors("b"))
    for name in set(table_files(index.path)) - before:  # none of these had reached the disk
        (index.path / name).write_bytes(b"")
    assert ids(Store(index.path)) == {"a"}
    fill(Store(index.path), document_with_vectors("c"))
    assert ids(index) == ids(Store(index.path)) == {"a", "c"}


def test_a_compaction_killed_while_it_removes_files_is_finished_by_the_next(
    index: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(writer.Writer, "_forget_files", interrupt)
        with pytest.raises(KeyboardInterrupt), index.writing() as changes:
            changes.compact()
    assert ids(Store(index.path)) == {"a"}
    assert any("a compaction was interrupted" in fault for fault in Check(index.path).faults())
    with index.writing() as changes:
        changes.compact()
    assert Check(index.path).faults(deep=True) == [] and ids(index) == {"a"}


def test_a_reader_of_old_files_goes_on_after_a_compaction(index: Store) -> None:
    assert ids(index) == {"a"}
    twin = Store(index.path)
    for name in "bcd":
        fill(twin, document_with_vectors(name))
    with twin.writing() as changes:
        changes.compact()
    assert ids(index) == set("abcd")


def test_a_failed_reading_is_tried_again(index: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "PAUSES", (0.0, 0.0))
    failures = [RuntimeError("lance error: not found"), OSError("again")]

    def answer(_: object) -> str:
        if failures:
            raise failures.pop()
        return "right"

    assert index.read(answer) == "right"
    failures += [RuntimeError("lance error: LanceError(IO): bad\nthing")] * 3
    with pytest.raises(ValueError, match=r"is damaged, or cannot be read \(lance error.* bad thing\).*nerret check"):
        index.read(answer)


def test_an_index_is_private(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir(mode=0o755)
    for name in ("new", "there"):
        path = tmp_path / name
        fill(Store.create(path, SIZE, model="m", fingerprint="f"), document_with_vectors("a"))
        assert path.stat().st_mode & 0o777 == 0o700
        modes = {file.stat().st_mode & 0o777 for file in path.rglob("*") if file.is_file()}
        assert modes == {0o600}


def test_files_are_as_private_as_a_folder_that_is_shared_later(index: Store) -> None:
    index.path.chmod(0o750)
    fill(index, document_with_vectors("b"))
    assert (index.path / "commit.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["nerret.json.new", "commit.json.new", "checksums-0.jsonl", "write.lock"])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    target, path = tmp_path / "precious", tmp_path / "index"
    target.write_text("precious")
    path.mkdir()
    (path / "write.lock").touch()
    (path / name).unlink(missing_ok=True)
    (path / name).symlink_to(target)
    try:
        fill(Store.create(path, SIZE, model="m", fingerprint="f"), document_with_vectors("a"))
    except OSError as error:
        assert name in str(error)
    assert target.read_text() == "precious"


@pytest.mark.parametrize("name", ["nerret.json", "commit.json"])
@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "changed", "empty"])
def test_a_small_file_of_another_kind_is_refused_at_once(index: Store, tmp_path: Path, name: str, kind: str) -> None:
    file = index.path / name
    content = file.read_text()
    file.unlink()
    if kind == "link":
        (tmp_path / "elsewhere").write_text(content)
        file.symlink_to(tmp_path / "elsewhere")
    elif kind == "fifo":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "changed":
        file.write_text(content.replace('"size": 8', '"size": 9').replace('"words": 2', '"words": 3'))
        assert file.read_text() != content
    else:
        file.touch()
    with pytest.raises(ValueError, match=r"is damaged|is no nerret index"):
        Store(index.path)


def test_every_changed_file_is_named(index: Store) -> None:
    fill(index, unit_vectors("b", year=1), unit_vectors("c"))
    with index.writing() as changes:
        changes.delete(["c"])
    assert Check(index.path).faults(deep=True) == []
    random = np.random.default_rng(0)
    for name, file in table_files(index.path).items():
        content = file.read_bytes()
        place = random.integers(len(content))
        file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            faults = Check(index.path).faults()
        except ValueError as error:
            faults = [str(error)]
        assert any(name in fault for fault in faults)
        file.write_bytes(content)
    assert Check(index.path).faults(deep=True) == []


def test_a_missing_file_and_a_stranger_are_named(index: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    (index.path / "documents.lance" / "data" / "stranger.lance").write_bytes(b"x")
    (fault,) = Check(index.path).faults()
    assert "stranger.lance" in fault and "nerret compact" in fault
    with index.writing() as changes:
        changes.compact()
    assert Check(index.path).faults() == []
    data = next((index.path / "documents.lance" / "data").iterdir())
    check = Check(index.path)
    data.unlink()
    assert any(data.name in fault and "missing" in fault for fault in check.faults())
    monkeypatch.setattr(store, "PAUSES", ())
    with pytest.raises(ValueError, match=f"is damaged, or cannot be read.*{data.name} is missing"):
        Store(index.path)


def test_an_index_that_lost_its_manifest_is_not_written_over(index: Store) -> None:
    (index.path / "nerret.json").unlink()
    with pytest.raises(ValueError, match=r"is no nerret index \(one without its nerret.json is there\)"):
        Store(index.path)
    with pytest.raises(ValueError, match="exists and is no nerret index"):
        Store.create(index.path, SIZE, model="m", fingerprint="f")


def test_deep_faults_are_found(index: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("modeling_nerret.index.tables.terms_of", lambda text: ["other"])
        fill(index, unit_vectors("b"))
    item = document_with_vectors("c", vector=np.full(SIZE, 3.0))
    item.mentions[1] = item.mentions[1]._replace(end=99)
    fill(index, item)
    text = " ".join(Check(index.path).faults(deep=True))
    assert "document 'b': its words for lexical search are not those of its text" in text
    assert "1 mentions lie outside their texts" in text and "vectors of mentions have a wrong length" in text


def test_scores_of_words_are_those_of_a_fresh_index_after_any_change(index: Store, tmp_path: Path) -> None:
    texts = {f"d{number}": " ".join(f"w{word}" for word in range(number % 7, 9)) for number in range(40)}
    fill(index, *(document_with_vectors(name, "w1 w2 other") for name in texts))
    fill(index, *(document_with_vectors(name, text) for name, text in texts.items()))
    with index.writing() as changes:
        changes.delete(["a", "d3", "d4"])
    fresh = Store.create(tmp_path / "fresh", SIZE, model="m", fingerprint="f")
    rest = {name: text for name, text in texts.items() if name not in ("d3", "d4")}
    fill(fresh, *(document_with_vectors(name, text) for name, text in rest.items()))
    assert _scores(index) == _scores(fresh)
    with index.writing() as changes:
        changes.compact()
    assert _scores(index) == _scores(fresh)


def _scores(index: Store) -> dict[str, float]:
    snapshot = index.snapshot()
    scores = snapshot.matching("w1 w3 w8", 100)
    return {name: round(scores[key], 9) for key, name in snapshot.ids(sorted(scores)).items()}


def test_exact_values_are_what_check_expects(index: Store) -> None:
    document = Document.from_dict({"id": "x", "text": "Ada in London", "n": 2**60 + 1, "tags": ["a", None], "f": 1e-9})
    fill(index, replace(unit_vectors("x"), document=document))
    assert Check(index.path).faults(deep=True) == []


def test_a_reader_that_is_overtaken_by_a_compaction_sees_its_commit(
    index: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, read_commit = Store(index.path), store.read_commit
    fill(index, unit_vectors("b"))

    def read_late(path: Path) -> Any:
        commit = read_commit(path)
        monkeypatch.setattr(store, "read_commit", read_commit)
        with index.writing() as changes:
            changes.compact()  # removes the files that this commit names, and their checksums
        return commit

    monkeypatch.setattr(store, "read_commit", read_late)
    assert len(reader) == 2


def test_sizes_are_told_while_files_vanish(index: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = os.walk

    def walk_late(path: Path) -> Iterator[Any]:
        for folder, folders, files in walk(path):
            yield folder, folders, [*files, "gone"]

    monkeypatch.setattr(os, "walk", walk_late)
    assert index.info()["bytes"] > 1000


def test_check_waits_for_writers_and_keeps_them_out(index: Store) -> None:
    with index.writing(), pytest.raises(RuntimeError, match="already writes"):
        Check(index.path).faults()
    check = Check(index.path)
    with index.writing() as changes:  # after the check was made, before it looks
        changes.write([unit_vectors("b")])
        changes.compact()
    assert check.faults(deep=True) == [] and check.snapshot.size == 2


def test_an_index_that_is_gone_or_exchanged_is_told(index: Store, tmp_path: Path) -> None:
    index.path.rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"is no nerret index \(nothing is there\)"):
        len(index)
    with pytest.raises(ValueError, match="nothing is there"):
        fill(index, unit_vectors("b"))
    stranger = Store.create(index.path, SIZE, model="other", fingerprint="o")
    with pytest.raises(ValueError, match="made anew with another model"):
        len(index)
    with pytest.raises(ValueError, match="made anew with another model"):
        fill(index, unit_vectors("b"))
    assert len(stranger) == 0
    (stranger.path / "commit.json").unlink()
    with pytest.raises(ValueError, match=r"commit\.json is missing"):
        len(stranger)


@pytest.mark.parametrize("size", [0, 10])
def test_a_power_cut_while_an_index_is_made_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = tmp_path / "new"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "make_durable", interrupt)
        Store.create(path, SIZE, model="m", fingerprint="f")
    for file in table_files(path).values():
        file.write_bytes(file.read_bytes()[:size])
    fill(Store.create(path, 2 * SIZE, model="n", fingerprint="g"))
    assert Check(path).faults(deep=True) == []


def test_tables_with_documents_are_no_remains(index: Store) -> None:
    for name in ("commit.json", "nerret.json"):
        (index.path / name).unlink()
    with pytest.raises(ValueError, match="exists and is no nerret index"):
        Store.create(index.path, SIZE, model="m", fingerprint="f")


@pytest.mark.parametrize(
    "error", [PermissionError(13, "Permission denied", "/corpus"), RuntimeError("No space left on the page")]
)
def test_errors_of_the_caller_stay_as_they_are(index: Store, error: Exception) -> None:
    with pytest.raises(type(error)) as info, index.writing() as changes:
        changes.write([unit_vectors("b")])
        raise error
    assert info.value is error and ids(index) == {"a", "b"}


def test_documents_stay_if_the_compaction_after_them_fails(
    index: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(writer, "SPARE_COMMITS", 0)
    monkeypatch.setattr(writer, "_optimize", fail)
    fill(index, unit_vectors("b"))
    fill(index, unit_vectors("c"))
    assert "all changes are stored" in caplog.text and "the disk is full" in caplog.text
    with pytest.raises(OSError, match="the disk is full"), index.writing() as changes:
        changes.compact()
    monkeypatch.undo()
    with index.writing() as changes:
        changes.compact()
    assert ids(Store(index.path)) == {"a", "b", "c"} and Check(index.path).faults(deep=True) == []


def test_a_table_that_does_not_settle_keeps_its_old_versions(index: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "ROUNDS", 1)
    fill(index, unit_vectors("b"))
    with index.writing() as changes:
        changes.compact()
    assert ids(Store(index.path)) == {"a", "b"} and Check(index.path).faults(deep=True) == []


def test_a_folder_that_nobody_may_write_to_says_so(index: Store) -> None:
    index.path.chmod(0o500)
    assert Check(index.path).faults() == [] and len(Store(index.path)) == 1
    try:
        fill(index, unit_vectors("b"))  # root may
    except OSError as error:
        assert "there is no permission to write here" in str(error)
    finally:
        index.path.chmod(0o700)
