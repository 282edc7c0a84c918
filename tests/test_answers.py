"""Answers: where they end, what they promise, several types together, marks, and saved queries."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modeling_nerret import EntityRetriever, Type
from modeling_nerret.cli import main
from modeling_nerret.index.answers.promises import best_length, interval, length_at, spread_places
from modeling_nerret.index.answers.saved_queries import query_path
from modeling_nerret.manifest import write_manifest
from modeling_nerret.pretrained.calibration import CALIBRATION, NODES, Belief, Calibration, Intercept
from modeling_nerret.pretrained.checkpoints import Checkpoint, load_checkpoint
from tests.tiny import save_checkpoint

SIZE = 500  # of the tiny model's vectors
DOCUMENTS = [
    {"id": "a", "text": "Ada was born in London. The river was in Paris.", "year": 1815},
    {"id": "b", "text": "The river in Paris.", "year": 1900},
    {"id": "c", "text": "Notes, notes, notes."},
    {"id": "d", "text": "She wrote in the city of London."},
]


def _calibration(size: int, slope: float = 8.0, bias: float = -4.0, absent: float = -9.0) -> Calibration:
    return Calibration(slope, bias, 1.0, (absent, 0.0, 0.0, 0.0), (0.0,) * (size + 1))


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint: str) -> Checkpoint:
    plain = load_checkpoint(tiny_checkpoint)
    return replace(plain, calibration=_calibration(plain.model.config.hidden_size))


@pytest.fixture(scope="module")
def retriever(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> EntityRetriever:
    retriever = EntityRetriever(tmp_path_factory.mktemp("answers") / "index", checkpoint)
    retriever.add(DOCUMENTS)
    return retriever


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NERRET_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def _with(retriever: EntityRetriever, calibration: Calibration | None) -> EntityRetriever:
    return EntityRetriever(retriever.path, replace(retriever.checkpoint, calibration=calibration))


def test_probabilities_follow_scores_and_are_shown(retriever: EntityRetriever) -> None:
    answer = retriever.search("city", k=4)
    chances = [hit.probability for hit in answer]
    assert len(answer) == 4 and all(chance is not None and 0 < chance < 1 for chance in chances)
    assert chances == sorted(chances, reverse=True)
    assert answer.precision == pytest.approx(np.mean(chances))
    assert sum(answer[0].shares.values()) == pytest.approx(answer[0].score, abs=1e-5)
    assert answer.relevant is None and answer.missed is None  # the rest was not ranked


def test_answer_ends_where_its_promise_does(retriever: EntityRetriever) -> None:
    whole = retriever.search("city", k=4)
    sure = _with(retriever, _calibration(retriever.checkpoint.model.config.hidden_size, bias=9.0))
    assert (
        len(sure.search("city")) == 4 and "4 documents, of which about 4 are right (4 to 4)" in sure.search("city").note
    )
    for precision in (0.3, 0.6, 0.9):
        answer = retriever.search("city", precision=precision)
        assert not answer or answer.precision >= precision
        means = np.cumsum([hit.probability for hit in whole]) / np.arange(1, 5)
        assert len(answer) == max(np.flatnonzero(means >= precision), default=-1) + 1
    assert len(sure.search("city", k=2, precision=0.5)) == 2


def test_a_least_score_changes_no_promise_of_the_rest(retriever: EntityRetriever) -> None:
    whole = retriever.search("city")
    answer = retriever.search("city", min_score=whole[0].score)
    assert [hit.id for hit in answer] == [whole[0].id]
    assert answer[0].probability == pytest.approx(whole[0].probability)
    assert retriever.search("city", min_score=99) == [] and retriever.search("city", min_score=99).absent is not None


def test_what_is_absent_gets_no_hit_and_a_sentence(retriever: EntityRetriever) -> None:
    absent = _with(retriever, _calibration(retriever.checkpoint.model.config.hidden_size, absent=9.0))
    answer = absent.search("city")
    assert answer == [] and answer.absent > 0.99 and "probably no document mentions" in answer.note
    assert answer.precision is None and answer.to_mark(2)
    assert len(absent.search("city", k=2)) == 2  # who asks for two gets two, each with its probability


def test_without_calibration_ten_come_and_nothing_is_promised(retriever: EntityRetriever) -> None:
    plain = _with(retriever, None)
    answer = plain.search("city")
    assert len(answer) == 4 and answer.note == "" and answer[0].probability is None
    for options in ({"precision": 0.8}, {}):
        with pytest.raises(ValueError, match="needs a calibration"):
            plain.search(Type("city") & Type("river") if not options else "city", **options)
    with pytest.raises(ValueError, match="needs mode='hybrid'"):
        retriever.search("city", mode="vector", precision=0.8)
    assert retriever.search("city", mode="vector")[0].probability is None


@pytest.mark.parametrize("precision", [0, 1.5, True, "high", float("nan")])
def test_a_precision_that_is_no_share_is_refused(retriever: EntityRetriever, precision: object) -> None:
    with pytest.raises(ValueError, match="must be a share above 0"):
        retriever.search("city", precision=precision)


def test_types_join_like_their_probabilities(retriever: EntityRetriever) -> None:
    city, river = Type("city"), Type("river")

    def chances(query: Type) -> dict[str, float]:
        return {hit.id: hit.probability for hit in retriever.search(query, k=4)}

    alone, second = chances(city), chances(river)
    conjunction, either, without = chances(city & river), chances(city | river), chances(city & ~river)
    for name in alone:
        assert conjunction[name] == pytest.approx(alone[name] * second[name], abs=0.03)
        assert either[name] == pytest.approx(1 - (1 - alone[name]) * (1 - second[name]), abs=0.03)
        assert conjunction[name] + without[name] == pytest.approx(alone[name], abs=1e-2)
    hits = retriever.search(city & river, k=4)
    assert [hit.id for hit in retriever.search(city & river, k=4, min_score=hits[1].score)] == [
        hit.id for hit in hits[:2]
    ]
    assert (
        [hit.score for hit in hits] == [hit.probability for hit in hits] == sorted(conjunction.values(), reverse=True)
    )
    assert {hit.id for hit in retriever.search(city & river, k=4, where={"year": 1900})} == {"b"}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (~Type("city"), "only what is not wanted"),
        (5, "a type query is a few words"),
        (Type(" "), "a type query is a few words"),
    ],
)
def test_queries_that_ask_nothing_are_refused(retriever: EntityRetriever, query: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        retriever.search(query)


def test_mentions_far_apart_are_not_near(retriever: EntityRetriever) -> None:
    query = Type("city") & Type("river")
    sentence, distance, nearest = (
        {hit.id: hit.probability for hit in retriever.search(query, k=4, within=within)}
        for within in ("sentence", 9, 1)
    )
    assert all(sentence[name] >= distance[name] >= nearest[name] for name in sentence)
    assert sentence["b"] > 0
    for within in ("page", -1, True, 2.5):
        with pytest.raises(ValueError, match="within is"):
            retriever.search(query, within=within)


def test_marks_move_the_query_and_tell_where_it_ends(retriever: EntityRetriever) -> None:
    before = {hit.id: hit for hit in retriever.search("city", k=4)}
    after = {hit.id: hit for hit in retriever.search("city", k=4, marks={"c": True})}
    assert after["c"].score > before["c"].score
    size = retriever.checkpoint.model.config.hidden_size
    doubtful = _with(retriever, _calibration(size, absent=0.0))
    assert doubtful.search("city").absent > 0.4 and doubtful.search("city", marks={"c": True}).absent < 0.1
    wrong = doubtful.search("city", marks={"a": False, "b": False, "c": False})
    assert wrong.absent > doubtful.search("city").absent
    assert not {"a", "b", "c"} & set(wrong.to_mark())
    with pytest.raises(ValueError, match="no document 'z' to mark"):
        retriever.search("city", marks={"z": True})
    for marks in ({"a": 1}, ["a"]):
        with pytest.raises(ValueError, match="marks are"):
            retriever.search("city", marks=marks)


def test_examples_move_the_query_towards_them(retriever: EntityRetriever) -> None:
    text = DOCUMENTS[3]["text"]
    mention = {"text": text, "start": text.index("London"), "end": text.index("London") + 6}
    plain, like, unlike = (
        {hit.id: hit.score for hit in retriever.search("notes", k=4, mode="vector", **options)}
        for options in ({}, {"like": [mention]}, {"unlike": [mention]})
    )
    assert like["d"] > plain["d"] > unlike["d"]
    assert retriever.search("city", k=1, like=["London"], wordings=["town"])
    with pytest.raises(ValueError, match="an example is"):
        retriever.search("city", like=[{"text": "Ada", "start": 2, "end": 9}])
    with pytest.raises(ValueError, match="no characters that the model can read"):  # every score was NaN
        retriever.search("city", like=[{"text": "\u00ad", "start": 0, "end": 1}])
    with pytest.raises(ValueError, match="it must be a list"):
        retriever.search("city", like="London")
    with pytest.raises(ValueError, match="belong to one type"):
        retriever.search(Type("city") & Type("river"), like=["London"])


def test_saved_query_serves_another_index_of_the_model(
    retriever: EntityRetriever, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    retriever.save_query("my cities", "city", marks={"a": True, "c": False})
    second = EntityRetriever(tmp_path / "second", checkpoint)
    second.add(DOCUMENTS)
    query = second.saved_query("my cities")
    judgement = retriever.search("city", k=4, marks={"a": True, "c": False})
    assert [(hit.id, round(hit.score, 4)) for hit in second.search(query, k=4)] == [
        (hit.id, round(hit.score, 4)) for hit in judgement
    ]
    with pytest.raises(ValueError, match="no query is saved as 'rivers'; saved are: my cities"):
        second.saved_query("rivers")
    foreign = EntityRetriever(retriever.path, replace(checkpoint))
    foreign.checkpoint = replace(checkpoint, fingerprint="0" * 64)
    with pytest.raises(ValueError, match="another model"):
        foreign.saved_query("my cities")
    path = query_path("my cities")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"vector": [math.nan]}))
    with pytest.raises(ValueError, match="damaged"):
        second.saved_query("my cities")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "x.", "x" * 81, "a\nb"])
def test_a_query_is_saved_only_inside_its_folder(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be saved"):
        query_path(name)


def test_marks_sharpen_the_intercept() -> None:
    calibration = _calibration(3)
    scores = np.full(30, 0.5)
    right, wrong = (calibration.weights(scores, np.full(30, mark)) for mark in (True, False))
    knowledge = calibration.knowledge(right)
    assert knowledge.mean > 1 > knowledge.deviation and calibration.knowledge(wrong).mean < -1
    later = calibration.chances(np.array([0.5]), Intercept(knowledge.mean, knowledge.deviation))
    assert later.shape == (1, len(NODES)) and later.mean() > 0.7


def test_calibration_is_kept_whole_or_refused(tmp_path: Path) -> None:
    calibration = _calibration(3)
    calibration.save(tmp_path)
    assert Calibration.load(tmp_path, 3) == calibration
    with pytest.raises(ValueError, match="for vectors of 3 numbers, the model has 4"):
        Calibration.load(tmp_path, 4)
    fields = json.loads((tmp_path / CALIBRATION).read_text())
    for change in ({"slope": -1}, {"deviation": 0}, {"bias": "x"}, {"absence": [1, 2]}, {"slope": float("inf")}):
        (tmp_path / CALIBRATION).write_text(json.dumps(fields | change))
        with pytest.raises(ValueError, match=CALIBRATION):
            Calibration.load(tmp_path, 3)
    (tmp_path / CALIBRATION).unlink()
    assert Calibration.load(tmp_path, 3) is None


def test_calibration_belongs_to_the_checkpoint_but_not_to_its_fingerprint(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path)
    plain = load_checkpoint(folder)
    _calibration(plain.model.config.hidden_size).save(Path(folder))
    write_manifest(folder, "calibration")
    copy = load_checkpoint(folder)
    assert copy.calibration is not None and copy.fingerprint == plain.fingerprint
    path = Path(folder, CALIBRATION)
    path.write_text(path.read_text().replace("8.0", "9.0"))
    with pytest.raises(OSError, match="not whole"):
        load_checkpoint(folder)


def test_intervals_hold_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    calibration = _calibration(3)
    scores = np.sort(rng.uniform(0.2, 0.9, 60))[::-1]
    belief, hits = calibration.believe(scores, absent=0.0), 0
    low, high = interval(belief, 40)
    for _ in range(400):
        chances = 1 / (1 + np.exp(-(8 * scores[:40] - 4 + rng.normal())))
        hits += low - 1e-9 <= (rng.random(40) < chances).mean() <= high + 1e-9
    assert 0.75 < hits / 400 < 0.88


def test_promises_of_nothing() -> None:
    empty = Belief(np.zeros((0, 1)), np.ones(1))
    assert best_length(empty) == length_at(empty, 0.5) == 0 and spread_places([], 5) == []
    assert best_length(Belief(np.full((5, 1), 1e-9), np.ones(1))) == 0


def _run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main(arguments) == 0
    return capsys.readouterr()


def test_command_answers_joins_marks_and_saves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = save_checkpoint(tmp_path)
    size = load_checkpoint(folder).model.config.hidden_size
    _calibration(size, bias=3.0).save(Path(folder))
    write_manifest(folder, "calibration")
    index = str(tmp_path / "index")
    EntityRetriever(index, folder).add(DOCUMENTS)
    lines = _run(["search", index, "city"], capsys)[0].splitlines()
    assert "documents, of which about" in lines[0] and lines[1].startswith("right") and " % " in lines[2]
    lines = _run(["search", index, "city", "--json", "--precision", "0.5", "--why"], capsys)[0].splitlines()
    assert 0 < json.loads(lines[0])["probability"] < 1
    arguments = ["search", index, "city", "--and", "river", "--without", "notes", "--within", "sentence", "-k", "2"]
    assert "document" in _run(arguments, capsys)[0]
    mark = ["mark", index, "city", "--right", "a", "d", "--wrong", "c", "--save-as", "towns"]
    assert "saved with 3 marks" in _run(mark, capsys)[1]
    assert "right" in _run(["search", index, "@towns"], capsys)[0]
    assert main(["mark", index, "city", "--right", "a", "--wrong", "a", "--save-as", "towns"]) == 1
    assert "both right and wrong" in capsys.readouterr().err


def test_command_asks_for_marks(
    retriever: EntityRetriever,
    tmp_path: Path,
    tiny_checkpoint: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = save_checkpoint(tmp_path)
    _calibration(load_checkpoint(folder).model.config.hidden_size).save(Path(folder))
    write_manifest(folder, "calibration")
    index = str(tmp_path / "index")
    EntityRetriever(index, folder).add(DOCUMENTS)
    replies = iter(["y\n", "\n", "n\n", "q\n"])
    monkeypatch.setattr("sys.stdin.readline", lambda: next(replies), raising=False)
    assert main(["mark", index, "city", "--save-as", "asked"]) == 0
    assert "saved with 2 marks" in capsys.readouterr().err
