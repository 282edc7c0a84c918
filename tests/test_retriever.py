"""The life of an index: add, search, replace, delete, reopen, refuse."""

from __future__ import annotations

import json
import math
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from modeling_nerret import EntityRetriever, GivenSpans
from modeling_nerret.cli import main
from modeling_nerret.documents import Document, EncodedDocument
from modeling_nerret.encoding import Encoder
from modeling_nerret.index.check import Check
from modeling_nerret.index.engine import connect
from modeling_nerret.index.store import Store
from modeling_nerret.index.tables import vector_rows
from modeling_nerret.index.writer import Writer
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint
from modeling_nerret.spans import Span
from tests.tiny import save_checkpoint

DOCUMENTS = [
    {"id": "a", "text": "Ada was born in London.", "year": 1815, "tags": ["sea", "city"]},
    {"id": "b", "text": "The river in Paris.", "year": 1900, "author": {"name": "O'Hara"}},
    {"id": "c", "text": "Notes, notes, notes.", "year": 1950.5, "draft": True},
    {"id": "d", "text": "She wrote in the city of London.", "date": "2020-05-01"},
]
DOUBTS = [Document(score, f"city {score}") for score in ("1.0", "0.625", "0.5", "0.1", "0.0")]


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint: str) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint)


@pytest.fixture(scope="module")
def index(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the documents above; tests use copies of it, which cost a tenth of making it."""
    path = tmp_path_factory.mktemp("retriever") / "index"
    EntityRetriever(path, checkpoint).add(DOCUMENTS)
    return path


@pytest.fixture
def retriever(index: Path, checkpoint: Checkpoint, tmp_path: Path) -> EntityRetriever:
    shutil.copytree(index, tmp_path / "index")
    return EntityRetriever(tmp_path / "index", checkpoint)


def _ids(retriever: EntityRetriever, **options: object) -> list[str]:
    return [hit.id for hit in retriever.search("city", **options)]


@pytest.mark.parametrize("mode", ["hybrid", "vector"])
def test_search_gives_k_documents_whose_text_holds_the_mentions(retriever: EntityRetriever, mode: str) -> None:
    for k in (1, 3, 4, 9):
        hits = retriever.search("city", k=k, mode=mode)
        assert len(hits) == min(k, 4) == len({hit.id for hit in hits})
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        for hit in hits:
            assert hit.mentions and all(
                hit.text[mention.start : mention.end] == mention.text for mention in hit.mentions
            )


def test_vector_score_is_the_best_mentions_cosine(retriever: EntityRetriever) -> None:
    query = retriever.encoder.embed_queries(["city"])[0]
    results = retriever.encoder.encode(map(Document.from_dict, DOCUMENTS))
    expected = {result.document.id: float((result.vectors @ query).max()) for result in results}
    for hit in retriever.search("city", k=4, mode="vector"):
        assert hit.score == pytest.approx(expected[hit.id], abs=1e-3)  # stored in half precision
        assert max(mention.score for mention in hit.mentions) == pytest.approx(hit.score)


class Doubter:
    """A detector that takes each text for a mention, and is as certain of it as the text says."""

    reads_states = False

    def propose(self, documents: list[Document], windows: list, states: object) -> list[list[Span]]:
        return [[Span(0, 4, float(window.text.split()[-1]))] for window in windows]


@pytest.mark.parametrize(
    ("certainty", "phrase_weight", "name_factor", "phrase_factor"),
    [(0.0, 1.0, 1.0, 1.0), (0.5, 1.0, 0.5, 1.0), (0.0, 0.8, 1.0, 0.8), (0.5, 0.8, 0.5, 0.8), (10.0, 0.0, 0.001, 0.001)],
)
def test_a_mention_that_may_be_no_name_scores_less(
    tmp_path: Path, certainty: float, phrase_weight: float, name_factor: float, phrase_factor: float
) -> None:
    weights = {"certainty": certainty, "phrase_weight": phrase_weight}
    checkpoint = load_checkpoint(save_checkpoint(tmp_path / "model", **weights))
    retriever = EntityRetriever(tmp_path / "index", checkpoint, Doubter())
    retriever.add(DOUBTS)
    query = retriever.encoder.embed_queries(["city"])[0]
    cosines = {item.document.id: float(item.vectors[0] @ query) for item in retriever.encoder.encode(DOUBTS)}
    scores = dict(retriever.rank("city", mode="vector"))
    factors = dict.fromkeys(("0.5", "0.1", "0.0"), phrase_factor)  # all phrases count the same
    factors |= {"1.0": 1.0, "0.625": name_factor}  # its chance of being a name is a quarter
    expected = {name: cosines[name] * factor for name, factor in factors.items()}
    assert scores == pytest.approx(expected, abs=1e-3, rel=1e-2)
    assert not list(Check(retriever.path).faults(deep=True))
    np.testing.assert_allclose(np.linalg.norm(retriever.sample(9)[1], axis=1), 1, rtol=1e-5)


def test_a_sample_leaves_out_replaced_and_deleted_mentions(retriever: EntityRetriever) -> None:
    retriever.add([DOCUMENTS[0] | {"text": "The river in Paris."}])
    retriever.delete("c")
    documents = [DOCUMENTS[1] | {"id": "a"}, *DOCUMENTS[1::2]]
    expected = sorted(
        (result.document.text[span.start : span.end], *vector.tolist())
        for result in retriever.encoder.encode(map(Document.from_dict, documents))
        for span, vector in zip(result.mentions, result.vectors, strict=True)
    )
    texts, vectors = retriever.sample(1_000)
    rows = sorted((text, *vector.tolist()) for text, vector in zip(texts, vectors, strict=True))
    assert [row[0] for row in rows] == [row[0] for row in expected]
    np.testing.assert_allclose([row[1:] for row in rows], [row[1:] for row in expected], atol=1e-3)
    sample, _ = retriever.sample(5)
    assert 0 < len(sample) <= 5 and set(sample) <= set(texts)


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
    after = EntityRetriever(retriever.path, tiny_checkpoint).search("city", k=4)
    assert [(hit.id, hit.mentions) for hit in after] == [(hit.id, hit.mentions) for hit in before]


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
        ({"nothing": {"exists": False}}, {"a", "b", "c", "d"}),
        ([{"year": 1900}, {"tags": {"contains": "EA"}}], {"a", "b"}),
    ],
)
def test_filters(retriever: EntityRetriever, where: dict, expected: set[str]) -> None:
    for mode in ("hybrid", "vector"):
        assert set(_ids(retriever, where=where, mode=mode)) == expected


def test_min_score_leaves_weak_documents_out(retriever: EntityRetriever) -> None:
    scores = [hit.score for hit in retriever.search("city", mode="vector")]
    assert len(_ids(retriever, mode="vector", min_score=scores[1])) == 2


def test_another_model_is_refused_with_both_names(retriever: EntityRetriever, tmp_path: Path) -> None:
    second_model = save_checkpoint(tmp_path / "other", layer=1)
    first_model = json.loads((retriever.path / "nerret.json").read_text())["model"]
    with pytest.raises(ValueError) as error:
        EntityRetriever(retriever.path, second_model)
    assert first_model in str(error.value) and second_model in str(error.value)


BAD = [
    ([{"id": "x", "text": ""}], "empty text"),
    ([{"id": "x", "text": "\n \t"}], "empty text"),
    ([{"id": "x"}], 'needs a "text"'),
    ([{"text": "Ada"}], 'needs an "id"'),
    ([{"id": "x", "text": 5}], 'needs a "text", a string; it has int'),
    (["Ada"], "a document is"),
    ([{"id": "x", "text": "Ada"}, {"id": "x", "text": "Paris"}], "'x' stands twice"),
    ([{"id": "x", "text": "broken \ud800"}], "not valid Unicode at character 7"),
    ([{"id": "x", "text": "Ada", "y": object()}], "document 'x', field 'y': object is no value of JSON"),
]


@pytest.mark.parametrize(("documents", "message"), BAD)
def test_bad_documents_leave_the_index_as_it_was(retriever: EntityRetriever, documents: list, message: str) -> None:
    before = (retriever.search("city", k=9), retriever.info()["mentions"])
    good = [{"id": str(number), "text": "Ada in London"} for number in range(3)]
    with pytest.raises(ValueError, match=message):
        retriever.add([*good, *documents])
    assert (retriever.search("city", k=9), retriever.info()["mentions"]) == before


def test_an_error_late_in_a_stream_rolls_the_whole_call_back(
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
        ("city", {"min_score": math.nan}, "min_score is nan"),
        ("city", {"min_score": np.float32("nan")}, "min_score is .*nan"),
        ("city", {"min_score": True}, "min_score is True"),
        ("city", {"mode": "magic"}, "accepted are hybrid, vector, document, lexical"),
        ("city " * 200, {}, "over 64 tokens"),
        ("city", {"where": {"year": {"~": 1}}}, "unknown comparison"),
        ("city", {"where": {"yaer": 1900}}, "no document has a field 'yaer'"),
        ("city", {"where": {"year": "1900"}}, "'year' has only numbers, and '1900' is a text"),
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


def test_mentions_in_long_texts_keep_their_place_in_the_text(tmp_path: Path, checkpoint: Checkpoint) -> None:
    text = "the river was in the city. " * 40 + "Ada wrote in London."
    start = text.index("London")
    retriever = EntityRetriever(tmp_path / "index", checkpoint, detector=GivenSpans())
    mentions = [{"start": 4, "end": 9}, {"start": start, "end": start + 6}]
    report = retriever.add([{"id": "long", "text": text, "mentions": mentions}])
    assert (report.documents, report.characters, report.mentions, report.unmapped) == (1, len(text), 2, 0)
    assert report.windows > 4
    (hit,) = retriever.search("city", min_score=-1.0)
    assert {mention.text for mention in hit.mentions} <= {"river", "London"} and hit.mentions


def test_mentions_without_a_token_are_counted(tmp_path: Path, checkpoint: Checkpoint) -> None:
    retriever = EntityRetriever(tmp_path / "index", checkpoint, detector=GivenSpans())
    mentions = [{"start": 0, "end": 3}, {"start": 4, "end": 6}, {"start": 13, "end": 14}]
    report = retriever.add([{"id": "x", "text": "ada \x07\x07 paris \x07", "mentions": mentions}])
    assert (report.mentions, report.unmapped) == (1, 2)


def test_batch_size_and_order_change_no_vector(checkpoint: Checkpoint) -> None:
    documents = [Document(str(number), "Ada wrote notes in London. " * (1 + number % 5)) for number in range(12)]
    vectors = []
    for tokens, order in ((16, 1), (128, 1), (4096, -1)):
        encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector, batch_tokens=tokens)
        by_id = {result.document.id: result.vectors for result in encoder.encode(documents[::order])}
        vectors.append(np.concatenate([by_id[document.id] for document in documents]))  # (mentions, 16)
    for matrix in vectors[1:]:
        assert (1 - (vectors[0] * matrix).sum(1)).max() < 1e-5


def test_on_long_error_names_the_document(checkpoint: Checkpoint) -> None:
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector, on_long="error")
    with pytest.raises(ValueError, match="document 'b' is over 64 tokens"):
        list(encoder.encode([Document("a", "Ada"), Document("b", "Ada " * 99)]))


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_repeated_id_in_one_call_is_refused_wherever_it_stands(
    tmp_path: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("modeling_nerret.index.retriever.COMMIT_DOCUMENTS", size)
    retriever = EntityRetriever(tmp_path / "index", checkpoint)
    with pytest.raises(ValueError, match="'a' stands twice"):
        retriever.add([{"id": name, "text": "Ada in London"} for name in "abcda"])
    assert len(retriever) == 0 and retriever.search("city") == []


def test_compacting_changes_no_answer(retriever: EntityRetriever) -> None:
    retriever.delete(["a", "b"])
    before = retriever.search("city", k=4)
    retriever.compact()
    assert retriever.search("city", k=4) == before


def test_mentions_left_by_a_killed_writer_are_not_seen(retriever: EntityRetriever) -> None:
    answers = {mode: retriever.search("city", mode=mode) for mode in ("hybrid", "vector")}
    size = retriever.checkpoint.model.config.hidden_size
    remains = [EncodedDocument(Document("gone", "Ada"), [Span(0, 3)] * 900, np.ones((900, size), np.float32))]
    table = connect(retriever.path).open_table("mentions")
    table.add(vector_rows(remains, np.asarray([99]), table.schema, "mentions"))
    for reader in (retriever, EntityRetriever(retriever.path, retriever.checkpoint)):
        assert {mode: reader.search("city", mode=mode) for mode in answers} == answers


def test_ties_are_in_order_of_their_ids(tmp_path: Path, checkpoint: Checkpoint) -> None:
    retriever = EntityRetriever(tmp_path / "index", checkpoint)
    names = [f"d{number:02}" for number in range(30)]
    retriever.add([{"id": name, "text": "Ada in London"} for name in names[::-1]])
    assert [hit.id for hit in retriever.search("city", k=7)] == names[:7]
    assert [name for name, _ in retriever.rank("city", k=30, mode="vector")] == names


def test_k_may_exceed_the_number_of_documents(retriever: EntityRetriever) -> None:
    for mode in ("hybrid", "vector", "lexical"):
        assert len(retriever.search("city", k=10**12, mode=mode)) == (1 if mode == "lexical" else 4)


def test_an_index_whose_creation_was_killed_is_empty(tmp_path: Path, checkpoint: Checkpoint) -> None:
    path = tmp_path / "index"
    (path / "documents.lance").mkdir(parents=True)
    (path / "write.lock").touch()
    retriever = EntityRetriever(path, checkpoint)
    assert len(retriever) == 0 and retriever.search("city") == []
    retriever.add(DOCUMENTS)
    assert len(EntityRetriever(path, checkpoint)) == 4


def test_another_process_may_create_the_index_first(tmp_path: Path, checkpoint: Checkpoint) -> None:
    first, second = (EntityRetriever(tmp_path / "index", checkpoint) for _ in range(2))
    first.add(DOCUMENTS[:2])
    second.add(DOCUMENTS[2:])
    assert set(_ids(first)) == set(_ids(second)) == {"a", "b", "c", "d"}
    late = EntityRetriever(tmp_path / "late", save_checkpoint(tmp_path / "other", layer=1))
    EntityRetriever(tmp_path / "late", checkpoint).add(DOCUMENTS)
    with pytest.raises(ValueError, match="was made with the model"):
        late.add(DOCUMENTS)


def test_committed_documents_stay_when_the_stream_breaks(
    retriever: EntityRetriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modeling_nerret.index.retriever.COMMIT_DOCUMENTS", 2)
    monkeypatch.setattr("modeling_nerret.encoding.BUFFER_DOCUMENTS", 2)

    def stream() -> Iterator[dict]:
        yield from ({"id": f"n{number}", "text": "Ada"} for number in range(8))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retriever.add(stream())
    count = len(retriever) - 4
    assert 2 <= count < 8 and count % 2 == 0
    assert retriever.add({"id": f"n{number}", "text": "Ada"} for number in range(8)).documents == 8
    assert len(retriever) == 12


def test_smaller_batches_are_tried_when_memory_runs_out(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [Document(str(number), "Ada wrote notes in London. " * (1 + number % 5)) for number in range(12)]
    encoder = Encoder(checkpoint.model, checkpoint.tokenizer, checkpoint.detector)
    expected = list(encoder.encode(documents))
    forward = checkpoint.model.hidden_states

    def fail_on_large_batches(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if ids.numel() > 100:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")
        return forward(ids, mask)

    monkeypatch.setattr(checkpoint.model, "hidden_states", fail_on_large_batches)
    for result, reference in zip(encoder.encode(documents), expected, strict=True):
        assert [span[:2] for span in result.mentions] == [span[:2] for span in reference.mentions]
        assert np.allclose(result.vectors, reference.vectors, atol=1e-5)
    assert encoder.batch_tokens <= 100
    monkeypatch.setattr(checkpoint.model, "hidden_states", lambda *_: (_ for _ in ()).throw(RuntimeError("other")))
    with pytest.raises(RuntimeError, match="other"):
        list(encoder.encode(documents))


def test_ctrl_c_exits_with_130_and_the_next_run_continues(
    tmp_path: Path, tiny_checkpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    corpus, index = tmp_path / "corpus.txt", str(tmp_path / "index")
    corpus.write_text("".join(f"Ada wrote notes {number}\n" for number in range(8)))
    monkeypatch.setattr("modeling_nerret.index.retriever.COMMIT_DOCUMENTS", 2)
    write = Writer.write

    def write_and_interrupt(writer: Writer, documents: list[EncodedDocument]) -> int:
        replaced = write(writer, documents)
        if len(Store(index)) == 4:
            signal.raise_signal(signal.SIGINT)
        return replaced

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background process ignores Ctrl-C
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Writer, "write", write_and_interrupt)
            assert main(["index", str(corpus), index, "--split", "line", "--model", tiny_checkpoint]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == ("nerret: interrupted; finished work is kept, run the command again to go on\n")
    assert len(Store(index)) == 4
    assert main(["index", str(corpus), index, "--split", "line"]) == 0
    assert "4 documents added, 0 replaced, 4 unchanged" in capsys.readouterr().err


def test_the_command_line_compacts_and_filters_by_existing_fields(
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
def document_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A checkpoint whose document head counts as much as a mention, without a lexical bonus."""
    fields = {"document_size": 8, "document_weight": 1.0, "document_floor": 0.5, "lexical_weight": 0.0}
    return load_checkpoint(save_checkpoint(tmp_path_factory.mktemp("whole"), **fields))


def test_hybrid_adds_the_scores_of_mention_and_text(document_checkpoint: Checkpoint, tmp_path: Path) -> None:
    retriever = EntityRetriever(tmp_path / "index", document_checkpoint)
    long = "the river in paris . " * 40  # several windows
    retriever.add([{"id": "a", "text": "ada was born in london"}, {"id": "b", "text": long}, {"id": "c", "text": "."}])
    parts = {mode: dict(retriever.rank("city", mode=mode)) for mode in ("vector", "document", "hybrid")}
    assert set(parts["document"]) == set(parts["hybrid"]) == {"a", "b", "c"}
    for name, score in parts["hybrid"].items():
        text = parts["document"][name]
        assert score == pytest.approx(max(parts["vector"].get(name, 0.0), 0.5 * text) + text, abs=1e-5)
    (result,) = retriever.encoder.encode([Document("b", long)])
    assert len(result.windows) == len(result.window_vectors) > 1
    cosine = float((result.window_vectors @ retriever.encoder.embed_queries(["city"])[0]).max())
    assert parts["document"]["b"] == pytest.approx(cosine, abs=2e-3)  # stored in half precision


def test_a_text_without_given_mentions_is_ranked_too(document_checkpoint: Checkpoint, tmp_path: Path) -> None:
    retriever = EntityRetriever(tmp_path / "index", document_checkpoint, GivenSpans())
    retriever.add(
        [{"id": "a", "text": "ada was born", "mentions": [{"start": 0, "end": 3}]}, {"id": "b", "text": "notes"}]
    )
    assert [name for name, _ in retriever.rank("city", mode="vector")] == ["a"]
    assert {name for name, _ in retriever.rank("city")} == {"a", "b"}


def test_document_mode_needs_a_document_head(tiny_checkpoint: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no document head; use mode='hybrid' or 'vector'"):
        EntityRetriever(tmp_path / "index", tiny_checkpoint).search("city", mode="document")


def test_an_index_that_another_process_has_made_is_seen(tmp_path: Path, checkpoint: Checkpoint) -> None:
    early = EntityRetriever(tmp_path / "index", checkpoint)
    assert early.search("city") == [] and len(early) == 0
    EntityRetriever(tmp_path / "index", checkpoint).add(DOCUMENTS)
    assert len(early) == len(DOCUMENTS) and early.search("city", k=1)
    assert early.delete("a") == 1


def test_an_empty_index_keeps_its_model(tmp_path: Path, tiny_checkpoint: str) -> None:
    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    retriever.add(DOCUMENTS)
    retriever.delete(retriever.ids())
    copy = EntityRetriever(tmp_path / "index")
    assert copy.checkpoint.name == retriever.checkpoint.name and copy.search("city") == []


def test_a_slow_stream_is_committed_while_it_runs(retriever: EntityRetriever, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeling_nerret.documents.PATIENCE", 0.0)
    monkeypatch.setattr("modeling_nerret.index.retriever.FIRST_SECONDS", 0.0)
    sizes = []

    def stream() -> Iterator[dict]:
        for number in range(8):
            sizes.append(len(EntityRetriever(retriever.path, retriever.checkpoint)))
            yield {"id": f"n{number}", "text": "Ada"}

    retriever.add(stream())
    assert sizes[0] == 4 and sizes[-1] > 8  # all but the few that are being read
