"""An index in forked and spawned processes, in threads, pickled, copied, and after the working folder has changed."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from modeling_nerret import EntityRetriever
from modeling_nerret.encoding import Report
from modeling_nerret.index.check import Check
from modeling_nerret.index.store import Store

DOCUMENTS = [
    {"id": "a", "text": "Ada Lovelace met Charles Babbage in London."},
    {"id": "b", "text": "Grace Hopper wrote a compiler in Philadelphia."},
]


@pytest.fixture
def retriever(tmp_path: Path, tiny_checkpoint: str) -> EntityRetriever:
    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    retriever.add(DOCUMENTS)
    return retriever


def _use_and_send(retriever: EntityRetriever, action: str, sender: Connection) -> None:
    try:
        if action == "open":
            EntityRetriever(retriever.path)
        elif action == "add":
            retriever.add(DOCUMENTS)
        else:
            getattr(retriever, action)("city")
        sender.send("answered")
    except RuntimeError as error:
        sender.send(str(error))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("action", ["search", "rank", "lookup", "delete", "add", "open"])
def test_a_forked_child_is_told_to_spawn(retriever: EntityRetriever, action: str) -> None:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_use_and_send, args=(retriever, action, sender))
    process.start()
    assert receiver.poll(10) and "'spawn'" in receiver.recv()
    process.join(10)
    assert process.exitcode == 0


@pytest.mark.slow
def test_a_spawned_child_gets_a_pickled_retriever_that_answers(retriever: EntityRetriever) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        answers = pool.apply_async(retriever.rank, ("city",)).get(100)
    assert dict(answers) == pytest.approx(dict(retriever.rank("city")), abs=1e-5)


def test_copies_open_the_same_index(retriever: EntityRetriever) -> None:
    for twin in (pickle.loads(pickle.dumps(retriever)), copy.deepcopy(retriever), copy.copy(retriever)):
        assert twin.rank("city") == retriever.rank("city")
        twin.add([{"id": "c", "text": "Oslo is wet."}])
    assert len(retriever) == 3


def test_threads_that_add_at_once_get_their_own_reports(retriever: EntityRetriever) -> None:
    reports: dict[int, Report] = {}

    def add(number: int) -> None:
        documents = [{"id": f"{number}-{row}", "text": "Ada in London"} for row in range(number)]
        reports[number] = retriever.add([*documents, {"id": "a", "text": f"Oslo {number}"}])

    threads = [threading.Thread(target=add, args=(number,)) for number in (2, 3, 5)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert retriever.search("city", k=1)
    assert {number: (report.added, report.replaced) for number, report in reports.items()} == {
        number: (number, 1) for number in (2, 3, 5)
    }
    assert all(report.documents == number + 1 for number, report in reports.items()) and len(retriever) == 12


def test_a_relative_path_is_fixed_when_the_object_is_made(
    tmp_path: Path, tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = os.path.relpath(tiny_checkpoint)
    retriever = EntityRetriever("index", model)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    retriever.add(DOCUMENTS)
    assert Store(tmp_path / "index").manifest["model"] == str(Path(tiny_checkpoint).resolve())
    assert len(EntityRetriever("../index")) == 2 and not any(Path.cwd().iterdir())


def test_the_home_folder_is_found(tmp_path: Path, tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    EntityRetriever("~/index", tiny_checkpoint).add(DOCUMENTS)
    assert (tmp_path / "index" / "nerret.json").is_file()


@pytest.mark.parametrize("address", ["s3://bucket/index", "file:///index", "gs://b/i", "hf://datasets/a/b"])
def test_addresses_are_no_folders(
    tmp_path: Path, tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for use in (lambda: EntityRetriever(address, tiny_checkpoint), lambda: Store.create(address, 8)):
        with pytest.raises(ValueError, match="is an address; an index is a folder of this computer"):
            use()
    assert not any(tmp_path.iterdir())


def test_a_run_with_nothing_to_add_finishes_a_compaction(
    retriever: EntityRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("modeling_nerret.index.writer.Writer._forget_files", interrupt)
        with pytest.raises(KeyboardInterrupt):
            retriever.compact()
    assert Check(retriever.path).faults()
    assert retriever.add([]).documents == 0 and Check(retriever.path).faults() == []
