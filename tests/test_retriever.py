"""The index through its life: add, search, replace, delete, reopen, refuse."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_nerret import EntityRetriever, GivenSpans
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint
from modeling_nerret.cli import main
from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.encoding import Encoder
from modeling_nerret.spans import Span
from modeling_nerret.index.store import Store
from modeling_nerret.index.tables import vector_rows
from tests.tiny import save_checkpoint

DOCUMENTS = [
    {"id": "a", "text": "Ada was born in London.", "year": 1815, "tags": ["sea", "city"]},
    {"id": "b", "text": "The river in Paris.", "year": 1900, "author": {"name": "O'Hara"}},
    {"id": "c", "text": "Notes, notes, notes.", "year": 1950.5, "draft": True},
    {"id": "d", "text": "She wrote in the city of London.", "date": "2020-05-01"},
]


@pytest.fixture
def retriever(tmp_path: Path, tiny_checkpoint: str) -> EntityRetriever:
    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    retriever.add(DOCUMENTS)
    return retriever


def _ids(retriever: EntityRetriever, **options: object) -> list[str]:
    return [hit.id for hit in retriever.search("city", **options)]


@pytest.mark.parametrize("mode", ["hybrid", "vector"])
def test_k_documents_exactly_and_mentions_slice(retriever: EntityRetriever, mode: str) -> None:
    for k in (1, 3, 4, 9):
        hits = retriever.search("city", k=k, mode=mode)
        assert len(hits) == min(k, 4) == len({hit.id for hit in hits})
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        for hit in hits:
            assert hit.mentions and all(hit.text[m.start : m.end] == m.text for m in hit.mentions)


def test_vector_score_is_the_best_mentions_cosine(retriever: EntityRetriever) -> None:
    query = retriever.encoder.embed_queries(["city"])[0]
    encoded = retriever.encoder.encode(map(Document.from_dict, DOCUMENTS))
    expected = {one.document.id: float((one.vectors @ query).max()) for one in encoded}
    for hit in retriever.search("city", k=4, mode="vector"):
        assert hit.score == pytest.approx(expected[hit.id], abs=1e-3)  # stored in half precision
        assert max(mention.score for mention in hit.mentions) == pytest.approx(hit.score)


def test_a_sample_has_texts_and_vectors_of_mentions_that_are_there(retriever: EntityRetriever) -> None:
    retriever.add([DOCUMENTS[0] | {"text": "The river in Paris."}])
    retriever.delete("c")
    encoded = list(retriever.encoder.encode(map(Document.from_dict, [DOCUMENTS[1] | {"id": "a"}, *DOCUMENTS[1::2]])))
    expected = sorted(
        (one.document.text[span.start : span.end], *vector.tolist())
        for one in encoded
        for span, vector in zip(one.mentions, one.vectors, strict=True)
    )
    texts, vectors = retriever.sample(1_000)
    found = sorted((text, *vector.tolist()) for text, vector in zip(texts, vectors, strict=True))
    assert [row[0] for row in found] == [row[0] for row in expected]
    np.testing.assert_allclose([row[1:] for row in found], [row[1:] for row in expected], atol=1e-3)
    some, _ = retriever.sample(5)
    assert 0 < len(some) <= 5 and set(some) <= set(texts)


def test_lexical_mode_finds_the_word(retriever: EntityRetriever) -> None:
    assert _ids(retriever, mode="lexical") == ["d"]
    assert retriever.search("zebra", mode="lexical") == []


def test_adding_an_id_again_replaces_the_document(retriever: EntityRetriever) -> None:
    mentions = retriever.info()["mentions"]
    retriever.add([{"id": "a", "text": "The zebra."}])
    retriever.add([{"id": "a", "text": DOCUMENTS[0]["text"]}])
    assert len(retriever) == 4 and retriever.info()["mentions"] == mentions
    assert [hit.id for hit in retriever.search("zebra", mode="lexical")] == []


def test_deleting_leaves_the_others_untouched(retriever: EntityRetriever) -> None:
    before = {hit.id: hit for hit in retriever.search("city", k=4)}
    assert retriever.delete(["b", "missing"]) == 1
    after = {hit.id: hit for hit in retriever.search("city", k=4)}
    assert len(retriever) == 3 and set(after) == {"a", "c", "d"}
    assert all(after[name].mentions == before[name].mentions for name in after)


def test_reopening_and_compacting_give_the_same_answers(retriever: EntityRetriever, tiny_checkpoint: str) -> None:
    before = retriever.search("city", k=4)
    assert EntityRetriever(retriever.path, tiny_checkpoint).search("city", k=4) == before
    retriever.compact()
    again = EntityRetriever(retriever.path, tiny_checkpoint).search("city", k=4)
    assert [(hit.id, hit.mentions) for hit in again] == [(hit.id, hit.mentions) for hit in before]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"year": 1900}, {"b"}),
        ({"year": {">=": 1900}}, {"b", "c"}),
        ({"year": {">": 1800, "<": 1950}}, {"a", "b"}),
        ({"tags": "sea"}, {"a"}),
        ({"author.name": "O'Hara"}, {"b"}),
        ({"draft": True}, {"c"}),
        ({"date": {">=": "2020-01-01", "<": "2021"}}, {"d"}),
        ({"year": 1900, "tags": "sea"}, set()),
        ({"nothing": "x"}, set()),
    ],
)
def test_filters(retriever: EntityRetriever, where: dict, expected: set[str]) -> None:
    for mode in ("hybrid", "vector"):
        assert set(_ids(retriever, where=where, mode=mode)) == expected


def test_min_score_leaves_weak_documents_out(retriever: EntityRetriever) -> None:
    scores = [hit.score for hit in retriever.search("city", mode="vector")]
    assert len(_ids(retriever, mode="vector", min_score=scores[1])) == 2


def test_another_model_is_refused_with_both_names(retriever: EntityRetriever, tmp_path: Path) -> None:
    other = save_checkpoint(tmp_path / "other", layer=1)
    made = json.loads((retriever.path / "nerret.json").read_text())["model"]
    with pytest.raises(ValueError) as error:
        EntityRetriever(retriever.path, other)
    assert made in str(error.value) and other in str(error.value)


BAD = [
    ([{"id": "x", "text": ""}], "empty text"),
    ([{"id": "x", "text": "\n \t"}], "empty text"),
    ([{"id": "x"}], 'needs a "text"'),
    ([{"text": "Ada"}], 'needs an "id"'),
    ([{"id": "x", "text": 5}], 'needs a "text", a string; it has int'),
    (["Ada"], "a document is"),
    ([{"id": "x", "text": "Ada"}, {"id": "x", "text": "Paris"}], "'x' stands twice"),
    ([{"id": "x", "text": "broken \ud800"}], "not valid Unicode at character 7"),
    ([{"id": "x", "text": "Ada", "mentions": [{"start": 2, "end": 2}]}], r"span \[2, 2\)"),
    ([{"id": "x", "text": "Ada", "mentions": [{"start": 0, "end": 9}]}], "3 characters"),
    ([{"id": "x", "text": "Ada", "mentions": [{"begin": 0}]}], "a mention is"),
]


@pytest.mark.parametrize(("documents", "message"), BAD)
def test_bad_documents_leave_the_index_as_it_was(retriever: EntityRetriever, documents: list, message: str) -> None:
    before = (retriever.search("city", k=9), retriever.info()["mentions"])
    good = [{"id": str(number), "text": "Ada in London"} for number in range(3)]
    with pytest.raises(ValueError, match=message):
        retriever.add([*good, *documents])
    assert (retriever.search("city", k=9), retriever.info()["mentions"]) == before


def test_an_error_late_in_a_stream_takes_the_call_back(
    retriever: EntityRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modeling_nerret.index.retriever.COMMIT_DOCUMENTS", 2)
    stream = ({"id": f"n{number}", "text": "Ada" if number < 5 else ""} for number in range(6))
    with pytest.raises(ValueError, match="'n5' has an empty text"):
        retriever.add(stream)
    assert len(retriever) == 4 and set(_ids(retriever)) == {"a", "b", "c", "d"}


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        ("", {}, "a type query is a few words"),
        ("  ", {}, "a type query is a few words"),
        ("city", {"k": 0}, "k is 0"),
        ("city", {"mode": "magic"}, "accepted are hybrid, vector, document, lexical"),
        ("city " * 200, {}, "over 64 tokens"),
        ("city", {"where": {"year": {"~": 1}}}, "unknown comparison"),
        ("city", {"where": {"year": {">": [1]}}}, "accepted are strings, numbers"),
    ],
)
def test_bad_searches_say_what_is_accepted(retriever: EntityRetriever, query: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        retriever.search(query, **options)


def test_a_folder_that_is_no_index_is_refused_and_left_alone(tmp_path: Path, tiny_checkpoint: str) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="is no nerret index"):
        EntityRetriever(tmp_path, tiny_checkpoint)
    with pytest.raises(ValueError, match="a file is there"):
        EntityRetriever(tmp_path / "notes.txt", tiny_checkpoint)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_empty_index_answers_nothing_and_makes_no_folder(tmp_path: Path, tiny_checkpoint: str) -> None:
    assert EntityRetriever(tmp_path / "index", tiny_checkpoint).sample(5)[0] == []
    retriever = EntityRetriever(tmp_path / "new", tiny_checkpoint)
    assert len(retriever) == 0 and retriever.search("city") == [] and retriever.delete("a") == 0
    with pytest.raises(ValueError, match="empty text"):
        retriever.add([{"id": "x", "text": ""}])
    assert not (tmp_path / "new").exists()


def test_unknown_model_lists_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no model 'no-such-model': built in are nerret-minilm"):
        EntityRetriever(tmp_path / "x", "no-such-model")


def test_long_texts_are_read_in_windows_with_global_spans(tmp_path: Path, tiny_checkpoint: str) -> None:
    text = "the river was in the city. " * 40 + "Ada wrote in London."
    start = text.index("London")
    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint, detector=GivenSpans())
    mentions = [{"start": 4, "end": 9}, {"start": start, "end": start + 6}]
    report = retriever.add([{"id": "long", "text": text, "mentions": mentions}])
    assert (report.documents, report.characters, report.mentions, report.unmapped) == (1, len(text), 2, 0)
    assert report.windows > 4
    (hit,) = retriever.search("city", min_score=-1.0)
    assert {mention.text for mention in hit.mentions} <= {"river", "London"} and hit.mentions


def test_mentions_without_a_token_are_counted(tmp_path: Path, tiny_checkpoint: str) -> None:
    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint, detector=GivenSpans())
    mentions = [{"start": 0, "end": 3}, {"start": 4, "end": 6}, {"start": 13, "end": 14}]
    report = retriever.add([{"id": "x", "text": "ada \x07\x07 paris \x07", "mentions": mentions}])
    assert (report.mentions, report.unmapped) == (1, 2)


def test_batch_size_and_order_change_no_vector(tiny_checkpoint: str) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    documents = [Document(str(n), "Ada wrote notes in London. " * (1 + n % 5)) for n in range(12)]
    vectors = []
    for tokens, order in ((16, 1), (128, 1), (4096, -1)):
        encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector, batch_tokens=tokens)
        encoded = {one.document.id: one for one in encoder.encode(documents[::order])}
        vectors.append(np.concatenate([encoded[document.id].vectors for document in documents]))
    for other in vectors[1:]:
        assert (1 - (vectors[0] * other).sum(1)).max() < 1e-5


def test_on_long_error_names_the_document(tiny_checkpoint: str) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector, on_long="error")
    with pytest.raises(ValueError, match="document 'b' is over 64 tokens"):
        list(encoder.encode([Document("a", "Ada"), Document("b", "Ada " * 99)]))


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_an_id_twice_in_one_call_is_refused_wherever_it_stands(
    tmp_path: Path, tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("modeling_nerret.index.retriever.COMMIT_DOCUMENTS", size)
    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    with pytest.raises(ValueError, match="'a' stands twice"):
        retriever.add([{"id": name, "text": "Ada in London"} for name in "abcda"])
    assert len(retriever) == 0 and retriever.search("city") == []


def test_compacting_changes_no_answer(retriever: EntityRetriever) -> None:
    retriever.delete(["a", "b"])
    before = retriever.search("city", k=4)
    retriever.compact()
    assert retriever.search("city", k=4) == before


def test_remains_of_a_killed_writer_take_no_documents_place(retriever: EntityRetriever) -> None:
    store = retriever._store
    query = retriever.encoder.embed_queries(["city"])[0]
    left = [EncodedDocument(Document("gone", "Ada"), [Span(0, 3)] * 900, np.stack([query] * 900))]
    table = store._vectors["mentions"]
    table.add(vector_rows(left, np.asarray([99]), table.schema, "mentions"))
    for mode in ("hybrid", "vector"):
        assert set(_ids(retriever, mode=mode)) == {"a", "b", "c", "d"}


def test_ties_stand_in_order_of_their_ids(tmp_path: Path, tiny_checkpoint: str) -> None:
    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    names = [f"d{number:02}" for number in range(30)]
    retriever.add([{"id": name, "text": "Ada in London"} for name in names[::-1]])
    assert [hit.id for hit in retriever.search("city", k=7)] == names[:7]
    assert [name for name, _ in retriever.rank("city", k=30, mode="vector")] == names


def test_k_beyond_the_corpus(retriever: EntityRetriever) -> None:
    for mode in ("hybrid", "vector", "lexical"):
        assert len(retriever.search("city", k=10**12, mode=mode)) == (1 if mode == "lexical" else 4)


def test_a_making_that_was_killed_is_an_empty_index(tmp_path: Path, tiny_checkpoint: str) -> None:
    path = tmp_path / "index"
    (path / "documents.lance").mkdir(parents=True)
    (path / "write.lock").touch()
    retriever = EntityRetriever(path, tiny_checkpoint)
    assert len(retriever) == 0 and retriever.search("city") == []
    retriever.add(DOCUMENTS)
    assert len(EntityRetriever(path, tiny_checkpoint)) == 4


def test_another_process_may_make_the_index_meanwhile(tmp_path: Path, tiny_checkpoint: str) -> None:
    first, second = (EntityRetriever(tmp_path / "index", tiny_checkpoint) for _ in range(2))
    first.add(DOCUMENTS[:2])
    second.add(DOCUMENTS[2:])
    assert set(_ids(first)) == set(_ids(second)) == {"a", "b", "c", "d"}
    other = save_checkpoint(tmp_path / "other", layer=1)
    late = EntityRetriever(tmp_path / "late", other)
    EntityRetriever(tmp_path / "late", tiny_checkpoint).add(DOCUMENTS)
    with pytest.raises(ValueError, match="was made with the model"):
        late.add(DOCUMENTS)


def test_what_was_committed_is_kept_when_the_stream_breaks(
    retriever: EntityRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modeling_nerret.index.retriever.COMMIT_DOCUMENTS", 2)
    monkeypatch.setattr("modeling_nerret.encoding.BUFFER_DOCUMENTS", 2)

    def stream() -> Iterator[dict]:
        yield from ({"id": f"n{number}", "text": "Ada"} for number in range(8))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retriever.add(stream())
    kept = len(retriever) - 4
    assert 2 <= kept < 8 and kept % 2 == 0
    assert retriever.add({"id": f"n{number}", "text": "Ada"} for number in range(8)).documents == 8
    assert len(retriever) == 12


def test_smaller_batches_are_tried_when_memory_runs_out(tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = load_checkpoint(tiny_checkpoint)
    documents = [Document(str(n), "Ada wrote notes in London. " * (1 + n % 5)) for n in range(12)]
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector)
    expected = list(encoder.encode(documents))
    whole = checkpoint.model.hidden_states

    def small(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if ids.numel() > 100:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return whole(ids, mask)

    monkeypatch.setattr(checkpoint.model, "hidden_states", small)
    for one, other in zip(encoder.encode(documents), expected, strict=True):
        assert [span[:2] for span in one.mentions] == [span[:2] for span in other.mentions]
        assert np.allclose(one.vectors, other.vectors, atol=1e-5)
    assert encoder.batch_tokens <= 100
    monkeypatch.setattr(checkpoint.model, "hidden_states", lambda *_: (_ for _ in ()).throw(RuntimeError("other")))
    with pytest.raises(RuntimeError, match="other"):
        list(encoder.encode(documents))


def test_ctrl_c_ends_with_130_and_one_line_and_the_next_run_goes_on(
    tmp_path: Path, tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    corpus, index = tmp_path / "corpus.txt", str(tmp_path / "index")
    corpus.write_text("".join(f"Ada wrote notes {number}\n" for number in range(8)))
    monkeypatch.setattr("modeling_nerret.index.retriever.COMMIT_DOCUMENTS", 2)
    write = Store.write

    def interrupted(store: Store, encoded: list[EncodedDocument]) -> None:
        write(store, encoded)
        if len(store) == 4:
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background ignores Ctrl-C
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Store, "write", interrupted)
            assert main(["index", str(corpus), index, "--model", tiny_checkpoint]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == (
        "nerret: interrupted; what was committed is kept, run the command again to go on\n"
    )
    assert len(Store(index)) == 4
    assert main(["index", str(corpus), index]) == 0
    assert "4 documents added, 4 were there" in capsys.readouterr().err


def test_compact_and_fields_alone_on_the_command_line(
    retriever: EntityRetriever, capsys: pytest.CaptureFixture
) -> None:
    path = str(retriever.path)
    assert main(["search", path, "city", "--where", "author.name", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == "b"
    assert main(["search", path, "city", "--where", "tags=sea", "--where", "tags=city"]) == 1
    assert "compares 'tags' twice" in capsys.readouterr().err
    assert main(["compact", path]) == 0
    assert "bytes before" in capsys.readouterr().err


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A checkpoint with a document head that counts as much as a mention, and no lexical bonus."""
    fields = {"document_size": 8, "document_weight": 1.0, "document_floor": 0.5, "lexical_weight": 0.0}
    return load_checkpoint(save_checkpoint(tmp_path_factory.mktemp("whole"), **fields))


def test_hybrid_adds_the_scores_of_mention_and_text(whole: Checkpoint, tmp_path: Path) -> None:
    retriever = EntityRetriever(tmp_path / "index", whole)
    long = "the river in paris . " * 40  # several windows
    retriever.add([{"id": "a", "text": "ada was born in london"}, {"id": "b", "text": long}, {"id": "c", "text": "."}])
    parts = {mode: dict(retriever.rank("city", mode=mode)) for mode in ("vector", "document", "hybrid")}
    assert set(parts["document"]) == set(parts["hybrid"]) == {"a", "b", "c"}
    for name, score in parts["hybrid"].items():
        text = parts["document"][name]
        assert score == pytest.approx(max(parts["vector"].get(name, 0.0), 0.5 * text) + text, abs=1e-5)
    encoder = Encoder(whole.model, whole.tokenizer, whole.detector)
    (found,) = encoder.encode([Document("b", long)])
    assert len(found.windows) == len(found.window_vectors) > 1
    query = encoder.embed_queries(["city"])[0]
    assert parts["document"]["b"] == pytest.approx(
        float((found.window_vectors @ query).max()), abs=2e-3
    )  # kept in half


def test_given_mentions_do_not_leave_windows_out(whole: Checkpoint, tmp_path: Path) -> None:
    retriever = EntityRetriever(tmp_path / "index", whole, GivenSpans())
    retriever.add(
        [{"id": "a", "text": "ada was born", "mentions": [{"start": 0, "end": 3}]}, {"id": "b", "text": "notes"}]
    )
    assert [name for name, _ in retriever.rank("city", mode="vector")] == ["a"]
    assert {name for name, _ in retriever.rank("city")} == {"a", "b"}


def test_document_mode_needs_a_document_head(tiny_checkpoint: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no document head; use mode='hybrid' or 'vector'"):
        EntityRetriever(tmp_path / "index", tiny_checkpoint).search("city", mode="document")
