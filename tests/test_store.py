"""The index folder survives interruptions, stays right while others write, and says plainly what is wrong."""

from __future__ import annotations

import json
import multiprocessing
import resource
import shutil
import signal
import threading
from collections.abc import Callable
from datetime import date, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.index import tables
from modeling_nerret.index import writer as writer_module
from modeling_nerret.index.filters import Filter
from modeling_nerret.index.folder import is_vacant
from modeling_nerret.index.ranking import MODES, Query, Ranking
from modeling_nerret.index.store import Store
from modeling_nerret.index.tables import vector_index
from modeling_nerret.spans import Span

SIZE = 8


def document_with_vectors(
    name: str, text: str = "Ada in London", vector: Any = None, **metadata: Any
) -> EncodedDocument:
    if vector is None:
        vector = np.random.default_rng(len(name)).normal(size=SIZE)
    vectors = np.asarray([vector, vector], dtype=np.float32)
    document = Document.from_dict({"id": name, "text": text, **metadata})
    return EncodedDocument(document, [Span(0, 3), Span(7, 13)], vectors)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(tmp_path / "index", SIZE, model="m", fingerprint="f")


def noise(length: int) -> str:
    """Text that no compression makes small."""
    return bytes(np.random.default_rng(length).integers(97, 123, length, dtype=np.uint8)).decode()


def fill(store: Store, *documents: EncodedDocument) -> None:
    with store.writing() as writer:
        writer.write(documents)


def ids(store: Store) -> set[str]:
    """Ids of the documents that a search finds."""
    return store.read(lambda snapshot: set(snapshot.ids(list(snapshot.nearest(np.ones(SIZE), 1000))).values()))


def passing(store: Store, where: Any) -> set[str]:
    """Ids of the documents that pass a filter."""
    snapshot = store.snapshot()
    keys = range(1, snapshot.commit.next_key)
    return set(snapshot.ids(sorted(snapshot.passing(Filter(where), keys))).values())


def test_a_half_made_index_is_completed(tmp_path: Path) -> None:
    path = tmp_path / "index"
    whole = Store.create(path, SIZE, model="m", fingerprint="f")
    for names in (
        ["write.lock"],
        ["write.lock", "documents.lance"],
        ["write.lock", "documents.lance", "mentions.lance"],
    ):
        part = tmp_path / str(len(names))
        part.mkdir()
        for name in names:
            source = whole.path / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, part / name)
        (part / "mentions.lance" / "_versions").mkdir(parents=True, exist_ok=True)  # a table's folder, still empty
        assert is_vacant(part)
        with pytest.raises(ValueError, match="an interrupted attempt to make one"):
            Store(part)
        fill(Store.create(part, SIZE, model="m", fingerprint="f"), document_with_vectors("a"))
        assert len(Store(part)) == 1


def test_foreign_folders_are_not_vacant(tmp_path: Path) -> None:
    (tmp_path / "documents.lance").mkdir()  # somebody's own LanceDB
    assert not is_vacant(tmp_path)
    with pytest.raises(ValueError, match="exists and is no nerret index"):
        Store.create(tmp_path, SIZE, model="m", fingerprint="f")


def test_creating_an_index_that_exists_opens_it(store: Store) -> None:
    fill(store, document_with_vectors("a"))
    assert len(Store.create(store.path, SIZE, model="m", fingerprint="f")) == 1


def test_an_older_format_is_refused_with_the_command(store: Store) -> None:
    (store.path / "nerret.json").write_text(json.dumps({"format": 0}))
    with pytest.raises(ValueError, match="nerret index CORPUS NEW_PATH"):
        Store(store.path)


@pytest.mark.parametrize("damage", ["manifest", "table"])
def test_damage_is_reported(store: Store, damage: str) -> None:
    if damage == "manifest":
        (store.path / "nerret.json").write_text('{"form')
    else:
        shutil.rmtree(store.path / "mentions.lance")
    with pytest.raises(ValueError, match="is damaged"):
        Store(store.path)


def test_an_interrupted_write_is_invisible_and_then_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, document_with_vectors("a"))

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writer_module, "write_commit", interrupt)  # all tables are written by then
        with pytest.raises(KeyboardInterrupt):
            fill(store, document_with_vectors("b", year=1))
    assert store.count_mentions() == 2 and ids(store) == ids(Store(store.path)) == {"a"}
    fill(store, document_with_vectors("c"))
    assert store.count_mentions() == 4 and ids(store) == {"a", "c"} and passing(store, {"year": 1}) == set()


def test_a_refused_vector_rolls_back_additions_and_replacements(store: Store) -> None:
    fill(store, document_with_vectors("a", "Ada in London"))
    with pytest.raises(ValueError, match="not finite"), store.writing() as writer:
        writer.write([document_with_vectors("a", "new"), document_with_vectors("b")])
        writer.write([document_with_vectors("c", vector=np.full(SIZE, np.nan))])
    assert store.lookup(["a", "b", "c"])["a"].text == "Ada in London"
    assert len(store) == 1 and store.count_mentions() == 2 and ids(store) == {"a"}


def test_a_repeated_id_is_refused_across_batches(store: Store) -> None:
    for batches in ([["a", "a"]], [["a"], ["b", "a"]]):
        with pytest.raises(ValueError, match="'a' stands twice"), store.writing() as writer:
            for batch in batches:
                writer.write([document_with_vectors(name) for name in batch])
        assert len(store) == 0
    fill(store, document_with_vectors("a"))
    fill(store, document_with_vectors("a", "again"))
    assert len(store) == 1 and store.count_mentions() == 2


def test_ids_are_data(store: Store) -> None:
    names = ["../x", "/etc/passwd", "a'b", "x" * 5000, "%", "*", "a\nb"]
    fill(store, *map(document_with_vectors, names))
    assert set(store.lookup(names)) == set(names)
    assert not (store.path.parent / "x").exists()
    with store.writing() as writer:
        assert writer.delete(["../x", "%"]) == 2
    assert len(store) == len(names) - 2


def _write_for_long(path: Path, sender: Connection) -> None:
    with Store(path).writing():
        sender.send("writing")
        threading.Event().wait(60)


def test_another_process_is_refused_after_its_timeout(store: Store) -> None:
    process, receiver = _start(_write_for_long, store.path)
    assert receiver.recv() == "writing"
    with pytest.raises(RuntimeError, match="another process writes"), store.writing(0.1):
        pass
    process.kill()
    process.join()
    fill(store, document_with_vectors("a"))


def test_a_thread_that_would_wait_for_itself_is_refused(store: Store) -> None:
    with store.writing(), pytest.raises(RuntimeError, match="this thread already writes"), store.writing():
        pass


def test_a_second_writer_waits(store: Store) -> None:
    def write(name: str) -> None:
        fill(Store(store.path), document_with_vectors(name))

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids(store) == set("abcd") and store.count_mentions() == 8


def test_readers_see_every_document_while_a_writer_replaces_and_compacts(store: Store) -> None:
    names = [f"d{number}" for number in range(20)]
    fill(store, *map(document_with_vectors, names))
    end = threading.Event()

    def replace() -> None:
        try:
            for number in range(8):
                with Store(store.path).writing() as writer:
                    writer.write([document_with_vectors(name, f"Ada in London {number}") for name in names])
                    if number % 3 == 2:
                        writer.compact()
        finally:
            end.set()

    thread = threading.Thread(target=replace)
    thread.start()
    looks = 0
    while not end.is_set() or not looks:
        assert ids(store) == set(names)
        looks += 1
    thread.join()


def _fill_a_small_disk(path: Path, sender: Connection) -> None:
    """Write more than the limit on file sizes allows, and send the error."""
    store = Store(path)
    fill(store, document_with_vectors("a"))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        fill(store, *(document_with_vectors(f"b{number}", noise(9000 + number)) for number in range(50)))
    except OSError as error:
        sender.send(str(error))


@pytest.mark.slow
def test_a_full_disk_is_reported_and_committed_documents_stay(store: Store) -> None:
    process, receiver = _start(_fill_a_small_disk, store.path)
    message = receiver.recv()
    process.join()
    assert "a file would be larger than this system allows" in message and "what was committed is kept" in message
    assert "\n" not in message and ids(store) == {"a"}
    fill(store, document_with_vectors("c"))
    assert ids(store) == {"a", "c"} and store.count_mentions() == 4


@pytest.mark.parametrize("words", ["No space left on device (os error 28)", "Read-only file system (os error 30)"])
def test_errors_of_the_engine_are_translated(store: Store, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(f"lance error: LanceError(IO): {words}, writer.rs:258:9")

    monkeypatch.setattr(writer_module, "document_rows", fail)
    with pytest.raises(OSError, match=r"the (disk is full|folder is read-only); .* what was committed is kept$"):
        fill(store, document_with_vectors("a"))


def test_compacting_frees_the_space_of_deleted_documents(store: Store) -> None:
    fill(store, *(document_with_vectors(f"d{number}", noise(500 + number)) for number in range(500)))
    with store.writing() as writer:
        writer.delete([f"d{number}" for number in range(450)])
    before = store.info()["bytes"]
    with store.writing() as writer:
        writer.compact()
    assert store.info()["bytes"] < before / 3
    assert ids(store) == {f"d{number}" for number in range(450, 500)}


def test_the_vector_index_finds_what_exact_search_finds(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    fill(
        store,
        *(document_with_vectors(f"d{number}", vector=random.normal(size=SIZE), n=number) for number in range(400)),
    )
    query = random.normal(size=SIZE)
    scan, keys = store.snapshot(), set(range(1, 40))
    assert not vector_index(scan.tables["mentions"])
    exact, subset = scan.nearest(query, 50), scan.nearest(query, 800, keys)
    monkeypatch.setattr(writer_module, "APPROXIMATE_FROM", 600)
    fill(store, document_with_vectors("late", vector=query / np.linalg.norm(query) * 9))  # so much is new: it compacts
    fill(store, document_with_vectors("later", vector=query / np.linalg.norm(query) * 8))  # not in the vector index yet
    index = store.snapshot()
    assert vector_index(index.tables["mentions"])
    scores = index.nearest(query, 104)
    best = sorted(scores, key=lambda key: -scores[key])
    assert list(index.ids(best[:2]).values()) == ["late", "later"]
    assert len(set(best[2:]) & set(exact)) >= 0.95 * len(exact)
    assert index.nearest(query, 800, keys) == subset  # few keys: exact


METADATA = [
    {"year": 1815, "tags": ["sea", "city"], "date": date(2020, 5, 1)},
    {"year": "1900", "tags": ["city"], "author": {"name": "O'Hara", "roles": [{"kind": "poet"}]}},
    {"year": 1950.5, "draft": True, "tags": [], "date": datetime(2021, 1, 2, 3, 4)},
    {"year": None, "nested": {"list": [[1, [2]]]}, "zip": "01234", "huge": 10**30},
]


@pytest.fixture(scope="module")
def metadata_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Documents a, b, c and d with the metadata above; tests only read it."""
    store = Store.create(tmp_path_factory.mktemp("metadata") / "index", SIZE, model="m", fingerprint="f")
    fill(store, *(document_with_vectors(name, **metadata) for name, metadata in zip("abcd", METADATA, strict=True)))
    return store


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"year": 1900}, "b"),
        ({"year": "1900"}, "b"),
        ({"year": {">=": 1815, "<": 1950.5}}, "ab"),
        ({"tags": "city"}, "ab"),
        ({"tags": {"!=": "sea"}}, "b"),
        ({"tags": {"exists": True}}, "ab"),
        ({"tags": {"exists": False}}, "cd"),
        ({"year": {"exists": False}}, "d"),
        ({"year": {"!=": 1815}}, "bc"),
        ({"date": {">=": date(2020, 5, 1), "<": date(2021, 1, 1)}}, "a"),
        ({"date": {">": "2020-12"}}, "c"),
        ({"author.name": "O'Hara"}, "b"),
        ({"author.roles.kind": "poet"}, "b"),
        ({"nested.list": 2}, "d"),
        ({"draft": True}, "c"),
        ({"zip": "01234", "huge": {">": 1e29}}, "d"),
        ({"year": 1900, "tags": "sea"}, ""),
    ],
)
def test_filters(metadata_store: Store, where: dict, expected: str) -> None:
    assert "".join(sorted(passing(metadata_store, where))) == expected


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"year": {"~": 1}}, "accepted are ==, >=, <=, >, <, !=, exists"),
        ({"year": [1900]}, "accepted are strings, numbers, dates and true/false"),
        ({"year": {"<": float("nan")}}, "accepted are finite numbers"),
        ({"year": {"exists": "yes"}}, "accepted are true and false"),
    ],
)
def test_bad_filters_say_what_is_accepted(where: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Filter(where)


def test_many_keys_are_looked_up_as_few_are(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, *(document_with_vectors(f"d{number}", vector=np.eye(SIZE)[number % SIZE]) for number in range(40)))
    query, keys = np.arange(SIZE, dtype=float), set(range(1, 31))
    snapshot = store.snapshot()
    documents, mentions = snapshot.documents(sorted(keys)), snapshot.mentions(sorted(keys), query)
    monkeypatch.setattr(tables, "CHUNK", 4)
    assert snapshot.documents(sorted(keys)) == documents and set(documents) == keys
    assert snapshot.mentions(sorted(keys), query) == mentions and set(mentions) == keys


def test_equal_vectors_have_equal_scores_wherever_they_stand(store: Store) -> None:
    random = np.random.default_rng(0)
    vector = random.normal(size=SIZE)
    fill(
        store,
        *(
            document_with_vectors(f"d{number}", vector=random.normal(size=SIZE) if number % 3 else vector)
            for number in range(101)
        ),
    )
    query = random.normal(size=SIZE)
    scores, mentions = store.snapshot().nearest(query, 400), store.snapshot().mentions(range(1, 102), query)
    assert len({scores[key] for key in range(1, 102, 3)}) == 1
    assert all(scores[key] == max(score for _, _, score in mentions[key]) for key in scores)


def ranks(store: Store, mode: str, k: int, vector: Any) -> list[tuple[str, float]]:
    weights = SimpleNamespace(document_weight=0.3, document_floor=0.8, lexical_weight=0.3, lexical_half=3.0)
    weights.feedback_documents, weights.feedback_weight = 0, 1.0
    query = Query("ada paris", vector, k, mode)
    return [(rank.id, rank.score) for rank in Ranking(store.snapshot(), weights, query).best()]


def document_with_window(name: str, text: str, vector: Any) -> EncodedDocument:
    vectors = np.asarray([vector], dtype=np.float32)
    return EncodedDocument(Document(name, text, {}), [Span(0, 3)], vectors, [Span(0, len(text))], vectors)


@pytest.mark.parametrize("mode", MODES)
def test_ties_are_in_order_of_their_ids_however_many_there_are(store: Store, mode: str) -> None:
    names = [f"d{number:03}" for number in range(450)]
    fill(store, *(document_with_window(name, "Ada in London", np.eye(SIZE)[0]) for name in reversed(names)))
    assert [name for name, _ in ranks(store, mode, 10, np.eye(SIZE)[0])] == names[:10]


@pytest.mark.parametrize("mode", MODES)
def test_scores_do_not_depend_on_how_many_are_asked_for(store: Store, mode: str) -> None:
    random = np.random.default_rng(0)
    texts = [
        " ".join(random.choice(["Ada", "Paris", "London", "Rome"], size=random.integers(1, 6))) for _ in range(600)
    ]
    vectors = random.normal(size=(600, SIZE)) / 3
    fill(store, *(document_with_window(f"d{row}", text, vectors[row]) for row, text in enumerate(texts)))
    ranking = ranks(store, mode, 600, np.eye(SIZE)[0])
    for k in (10, 120):
        best = ranks(store, mode, k, np.eye(SIZE)[0])
        # hybrid ranks the documents that are among the best by mentions, texts or words
        assert set(best) <= set(ranking) if mode == "hybrid" else best == ranking[:k]


def index_corpus(path: Path, sender: Connection) -> None:
    """Index those documents of `corpus()` that are not in the index yet."""
    writer_module.APPROXIMATE_FROM = 200
    store = Store.create(path, SIZE, model="m", fingerprint="f")
    sender.send("begun")
    for batch in corpus():
        documents = store.lookup([item.document.id for item in batch])
        with store.writing() as writer:
            writer.write([item for item in batch if item.document.id not in documents])
            writer.compact()


def corpus() -> list[list[EncodedDocument]]:
    random = np.random.default_rng(0)
    return [
        [
            document_with_vectors(f"{batch}-{number}", vector=random.normal(size=SIZE), n=number % 10)
            for number in range(50)
        ]
        for batch in range(6)
    ]


@pytest.mark.slow
def test_indexing_killed_at_any_moment_loses_and_repeats_nothing(tmp_path: Path) -> None:
    path = tmp_path / "index"
    for seconds in (*np.random.default_rng(1).uniform(0, 0.6, 4), None):
        process, receiver = _start(index_corpus, path)
        assert receiver.recv() == "begun"
        process.join(seconds)
        process.kill()
        process.join()
        _check_whole(Store(path))
    assert process.exitcode == 0
    store = Store(path)
    assert len(store) == 300 and store.count_mentions() == 600 and vector_index(store.snapshot().tables["mentions"])


def _check_whole(store: Store) -> None:
    snapshot = store.snapshot()
    documents = snapshot.documents(range(1, 2000))
    assert len({document.id for document in documents.values()}) == len(documents) == len(store)
    assert all(len(mentions) == 2 for mentions in snapshot.mentions(list(documents)).values())
    for number in range(10):
        assert passing(store, {"n": number}) == {
            document.id for document in documents.values() if document.metadata["n"] == number
        }


def _start(work: Callable[[Path, Connection], None], path: Path) -> tuple[Any, Connection]:
    """Do the work in another process; returns the process and the end of a pipe that receives its messages."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["modeling_nerret.index.store", __name__])  # imported once, not in each process
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(path, sender))
    process.start()
    sender.close()
    return process, receiver
