"""The benchmark runner: corpora, systems, measuring, reports, pictures, detection scores, published benchmarks."""

from __future__ import annotations

import bz2
import json
import re
import sys
import types
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

from modeling_nerret.eval import benchmarks, embeddings, run
from modeling_nerret.eval.corpora import Labelled, Task, make_task, read_corpus, read_names
from modeling_nerret.eval.detection import detect, score_detection
from modeling_nerret.eval.measure import measure
from modeling_nerret.eval.plots import entity_frequency, plot_outcomes, word_frequency
from modeling_nerret.eval.ranking import rank
from modeling_nerret.eval.report import write_report
from modeling_nerret.eval.systems import build
from modeling_nerret.eval.trial import Answer, Answers, Options, Trial
from modeling_nerret.documents import Document
from modeling_nerret.spans import Span
from tests.tiny import save_backbone

TEXTS = [
    "[ada|person] was born in [london|city]",
    "[paris|city] wrote notes in the river [seine|river]",
    "the river [thames|river] in the city [london|city]",
    "[ada|person] wrote notes in [paris|city]",
    "[bob|person] was in the river",
    "[turing|person|writer] wrote notes",
    "the [danube|river] was in [vienna|city]",
    "notes in the city",
    "[carol|person] was born in [rome|city]",
    "a [tiber|river] in [rome|city]",
    "[dora|person|writer] wrote the notes in [oslo|city]",
    "[the rhine|river] was in [basel|city]",
]


def entry(id_: str, marked: str) -> dict:
    """`"[ada|person] wrote"` as a line of a corpus."""
    text, mentions = "", []
    for plain, name, labels in re.findall(r"([^\[]+)|\[([^|]+)\|([^\]]+)\]", marked):
        for label in labels.split("|") if name else []:
            mentions.append({"start": len(text), "end": len(text) + len(name), "type": label})
        text += plain or name
    return {"id": id_, "text": text, "mentions": mentions}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "small.jsonl"
    path.write_text("".join(json.dumps(entry(f"d{at:02}", text)) + "\n" for at, text in enumerate(TEXTS)), "utf-8")
    return path


@pytest.fixture
def task(corpus: Path) -> Task:
    return make_task("small", read_corpus(corpus))


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="module")
def sentence_model(backbone: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("sentences") / "model")
    transformer = Transformer(backbone)
    SentenceTransformer(modules=[transformer, Pooling(transformer.get_embedding_dimension())]).save(folder)
    return folder


def answering(scores: Any) -> Any:
    """A system that gives fixed scores: (queries, documents)."""
    return lambda trial: Answers((Answer(np.asarray(row, dtype=np.float32)) for row in scores), 0, 0.0)


# Corpora ----------------------------------------------------------------------------------------------------------


def test_a_corpus_becomes_a_task(task: Task) -> None:
    assert task.types == task.queries == ["city", "person", "river", "writer"]
    assert task.relevant[3] == ["d05", "d10"]
    assert task.labels[5] == {Span(0, 6): ("person", "writer")}
    first = task.documents[0]
    assert [first.text[span.start : span.end] for span in first.mentions] == ["ada", "london"]


def test_plain_names_order_types_and_join_labels(corpus: Path) -> None:
    names = {"river": "body of water", "writer": "human", "person": "human"}
    task = make_task("small", read_corpus(corpus), names)
    assert task.types == ["body of water", "human"]
    assert len(task.relevant[1]) == 6
    assert task.labels[5] == {Span(0, 6): ("human",)}


def test_rest_classes_are_no_queries_by_default() -> None:
    labels = ["art-other", "other-award", "OtherPER", "misc", "brother", "ORG"]
    text = Labelled(Document("a", "x"), {Span(0, 1): tuple(labels)})
    names = {label: label for label in labels} | {"ORG": "other organization"}
    assert make_task("t", [text], names).types == ["other-award", "brother"]
    assert make_task("t", [text], names, exclude="").types == [*labels[:-1], "other organization"]


def test_limit_takes_the_first_documents(corpus: Path) -> None:
    assert [text.document.id for text in read_corpus(corpus, 2)] == ["d00", "d01"]


def test_the_halves_of_a_corpus_are_its_dev_split(corpus: Path, tmp_path: Path) -> None:
    """Each half is measured as a corpus of its own that holds every second document of those that --limit leaves."""
    for half in ("even", "odd"):
        out = tmp_path / f"{half}.json"
        arguments = [str(corpus), "--systems", "bm25", "--limit", "9", "--half", half, "--out", str(out)]
        assert run.main(arguments) == 0
        (found,) = json.loads(out.read_text())
        ids = [text.document.id for text in read_corpus(corpus, 9)][half == "odd" :: 2]
        assert (found["corpus"], found["n_documents"]) == (f"small-{half}", len(ids))
        task = make_task("small", [text for text in read_corpus(corpus) if text.document.id in ids])
        assert {name: own["r"] for name, own in found["per_type"].items()} == {
            name: len(own) for name, own in zip(task.types, task.relevant, strict=True)
        }


def test_a_type_can_be_asked_for_by_definition_or_examples(corpus: Path) -> None:
    names = {"city": {"name": "town", "definition": "a large settlement", "examples": ["london", "oslo"]}}
    for asked, query in (("name", "town"), ("definition", "a large settlement"), ("examples", "london, oslo")):
        task = make_task("small", read_corpus(corpus), names, asked=asked)
        assert (task.types, task.queries) == (["town"], [query])
    with pytest.raises(ValueError, match="the type 'city' has no definition; write in the types file"):
        make_task("small", read_corpus(corpus), {"city": "town"}, asked="definition")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: Expecting property name"),
        ('{"id": "a"}', "line 2: document 'a' needs a \"text\""),
        ('{"id": "a", "text": "x", "mentions": [{"start": 0, "end": 9, "type": "t"}]}', r"line 2: .*span \[0, 9\)"),
        ('{"id": "a", "text": "x", "mentions": [{"start": 0, "end": 1}]}', r'line 2: mention \[0, 1\) needs a "type"'),
        ('{"id": "d", "text": "x"}', "the id 'd' stands twice"),
    ],
)
def test_a_broken_line_says_where_and_what(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text('{"id": "d", "text": "x", "mentions": [{"start": 0, "end": 1, "type": "t"}]}\n' + line + "\n")
    with pytest.raises(ValueError, match=message):
        make_task("broken", read_corpus(path))


def test_a_types_file_of_several_sets(tmp_path: Path, corpus: Path) -> None:
    path = tmp_path / "types.json"
    path.write_text('{"small": {"city": "town"}, "large": {"x": "y"}}')
    assert read_names(path, None, "small") == {"city": "town"}
    assert read_names(path, "large", "small") == {"x": "y"}
    with pytest.raises(
        ValueError, match="has no set 'none'; it holds the sets small, large; choose one with --types-key"
    ):
        read_names(path, None, "none")
    with pytest.raises(ValueError, match=r"mentions none of the types that are asked for \(x, \.\.\.\), but city"):
        make_task("small", read_corpus(corpus), {"x": "y"})


# Measuring --------------------------------------------------------------------------------------------------------


def test_a_perfect_ranking_is_one_and_its_reverse_is_not(task: Task) -> None:
    right = np.array([[document.id in relevant for document in task.documents] for relevant in task.relevant])
    perfect = measure(Trial(task, "gold"), "perfect", answering(right)).result
    assert (perfect["macro_r_precision"], perfect["ci95"]) == (1.0, [1.0, 1.0])
    assert all(found["average_precision"] == 1.0 for found in perfect["per_type"].values())
    assert measure(Trial(task, "gold"), "worst", answering(~right)).result["macro_r_precision"] < 0.5


def test_a_shuffled_reference_gives_the_random_level() -> None:
    generator = np.random.default_rng(0)
    documents = [Document(f"d{at:04}", "x", {}, (Span(0, 1),)) for at in range(2000)]
    labels = [{Span(0, 1): (f"t{at % 5}",)} for at in range(2000)]
    right = np.array([[own[Span(0, 1)] == (f"t{one}",) for own in labels] for one in range(5)])
    shuffled = [labels[at] for at in generator.permutation(2000)]
    for given, level in ((labels, 1.0), (shuffled, 0.2)):
        texts = [Labelled(document, own) for document, own in zip(documents, given, strict=True)]
        trial = Trial(make_task("many", texts), "gold")
        assert measure(trial, "s", answering(right)).result["macro_r_precision"] == pytest.approx(level, abs=0.04)
        assert measure(trial, "r", build("random")).result["macro_r_precision"] == pytest.approx(0.2, abs=0.04)


def test_ties_go_by_document_id_whatever_the_order() -> None:
    assert rank(np.array([0.5, 0.5, 0.7], dtype=np.float32), ["b", "a", "c"]) == ["c", "a", "b"]


def test_a_ranking_that_is_cut_short_is_reported(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main([str(corpus), "--systems", "bm25"]) == 0
    assert re.search(
        r"bm25 \(gold\) returned fewer than R documents for \d of 4 types.*person 0/6", capsys.readouterr().err
    )


def test_results_have_the_agreed_form_and_two_runs_are_equal(
    corpus: Path, tiny_checkpoint: str, backbone: str, sentence_model: str, tmp_path: Path
) -> None:
    systems = [tiny_checkpoint, f"{tiny_checkpoint}@vector", f"{tiny_checkpoint}@lexical", "bm25", "random"]
    systems += [f"st:{sentence_model}", f"st:{sentence_model}@instruct", f"bare:{backbone}@2", f"bare:{backbone}@2@end"]
    systems += [f"last:{backbone}"]
    arguments = [
        str(corpus),
        "--systems",
        ",".join(systems),
        "--spans",
        "gold,predicted",
        "--detector",
        tiny_checkpoint,
    ]
    both = []
    for name in ("first.json", "second.json"):
        assert run.main([*arguments, "--out", str(tmp_path / name)]) == 0
        both.append(json.loads((tmp_path / name).read_text()))
    first, second = both
    assert [(one["system"], one["spans"]) for one in first] == [(s, m) for m in ("gold", "predicted") for s in systems]
    keys = (
        "system spans corpus n_documents n_mentions n_types macro_r_precision ci95 per_type seconds bytes_per_document"
    )
    for one, other in zip(first, second, strict=True):
        assert list(one) == [*keys.split(), "versions"]
        assert list(one["per_type"]) == ["city", "person", "river", "writer"]
        assert set(one["per_type"]["city"]) == {"r", "r_precision", "average_precision"}
        assert one.pop("seconds") >= 0 and other.pop("seconds") >= 0
        assert one == other
        low, high = one["ci95"]
        assert 0 <= low <= one["macro_r_precision"] <= high <= 1
    gold = sum(len(one.document.mentions) for one in read_corpus(corpus))
    counts = {(one["system"], one["spans"]): one["n_mentions"] for one in first}
    assert counts[tiny_checkpoint, "gold"] == counts[f"bare:{backbone}@2", "gold"] == gold
    assert counts[tiny_checkpoint, "predicted"] == counts[f"bare:{backbone}@2", "predicted"] != gold
    assert counts["bm25", "gold"] == 0


def test_a_checkpoint_is_read_as_a_user_reads_it(
    corpus: Path, task: Task, tiny_checkpoint: str, tmp_path: Path
) -> None:
    from modeling_nerret import EntityRetriever

    retriever = EntityRetriever(tmp_path / "index", tiny_checkpoint)
    retriever.add(task.documents)
    trial = Trial(task, "predicted", Options(detector=tiny_checkpoint))
    outcome = measure(trial, "tiny", build(tiny_checkpoint), with_mentions=True)
    for number, query in enumerate(task.queries):
        hits = retriever.search(query, k=12)
        assert outcome.rankings[number] == [hit.id for hit in hits]
        best = max(hits[0].mentions, key=lambda one: one.score)
        assert outcome.earned[number][hits[0].id][:2] == (best.start, best.end)


def test_bm25_returns_only_documents_with_the_words(task: Task) -> None:
    outcome = measure(Trial(task, "gold"), "bm25", build("bm25"))
    assert set(outcome.rankings[2]) == {"d01", "d02", "d04"}  # the word "river" stands in them
    assert outcome.short["writer"] == (0, 2)


# Systems ----------------------------------------------------------------------------------------------------------


def test_an_instruction_is_a_prompt_before_the_type(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple] = []

    class Model:
        tokenizer = types.SimpleNamespace(eos_token="</s>")

        def encode(self, texts: list[str], prompt: str | None, **settings: Any) -> np.ndarray:
            asked.append((prompt, texts[0]))
            return np.eye(len(texts), 16)

    monkeypatch.setattr(embeddings, "_refuse_absent", lambda model: None)
    monkeypatch.setattr(embeddings, "_sentence_model", lambda *arguments: Model())
    for name in ("any/model@instruct", "intfloat/e5-mistral-7b-instruct@instruct", "nvidia/NV-Embed-v2@instruct"):
        measure(Trial(task, "gold"), name, build(f"st:{name}"))
    documents, queries = asked[::2], asked[1::2]
    assert [prompt for prompt, _ in documents] == [None] * 3
    assert [text for _, text in queries] == ["city", "city", "city</s>"]
    assert queries[0][0] == "A sentence that mentions a "
    assert queries[1][0] == queries[2][0]
    assert re.fullmatch(r"Instruct: .*\nQuery: ", queries[1][0])
    assert documents[2][1].endswith("london</s>")


def test_a_model_that_runs_its_own_code_must_be_trusted(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_refuse_absent", lambda model: None)
    with pytest.raises(
        ValueError, match="runs code from its repository; read it, then allow it with --trust-remote-code"
    ):
        measure(Trial(task, "gold"), "nv", build("st:nvidia/NV-Embed-v2"))


def test_gliner_passes_over_every_document_for_every_type(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    class GLiNER:
        @classmethod
        def from_pretrained(cls, name: str) -> GLiNER:
            assert name == "some/extractor"
            return cls()

        def to(self, device: str) -> GLiNER:
            return self

        def inference(self, texts: list[str], labels: list[str], threshold: float, batch_size: int) -> list[list[dict]]:
            found = {"city": "london", "river": "thames"}.get(labels[0], "nowhere")
            hits = [[{"start": text.find(found), "end": text.find(found) + 6, "score": 0.9}] for text in texts]
            return [own if own[0]["start"] >= 0 else [] for own in hits]

    module = types.ModuleType("gliner")
    module.GLiNER = GLiNER  # type: ignore[attr-defined]
    module.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "gliner", module)
    outcome = measure(Trial(task, "gold"), "gliner", build("gliner:some/extractor"), with_mentions=True)
    assert outcome.rankings == [["d00", "d02"], [], ["d02"], []]
    assert outcome.earned[2] == {"d02": Span(10, 16)}
    assert outcome.short["person"] == (0, 6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["missing.jsonl"],
            "no corpus at 'missing.jsonl'; give a JSONL file or one of fewnerd, multiconer2, neretrieve",
        ),
        (["CORPUS", "--systems", "what:ever"], "unknown system 'what:ever'; accepted are CHECKPOINT"),
        (["CORPUS", "--systems", "no/such-model"], "there is no model 'no/such-model'"),
        (
            ["CORPUS", "--systems", "nerret-minilm@words"],
            "asks for the mode 'words'; accepted are @hybrid, @vector, @document, @lexical",
        ),
        (["CORPUS", "--systems", "bare:x"], "'bare:x' is not bare:BACKBONE@LAYER"),
        (["CORPUS", "--systems", "st:x@prompt"], "write 'st:x' or 'st:x@instruct'"),
        (["CORPUS", "--systems", "st:no/such-model"], "there is no model 'no/such-model': no such folder"),
        (["CORPUS", "--systems", ","], "--systems is empty"),
        (["CORPUS", "--systems", "gliner:x"], "pip install 'nerret[gliner]'"),
        (["CORPUS", "--spans", "silver"], "--spans has 'silver'; write gold, predicted, or gold,predicted"),
        (["CORPUS", "--exclude", "["], "--exclude '[' is no regular expression"),
        (["CORPUS", "--queries", "definition"], "the type 'city' has no definition"),
        (["CORPUS", "--report", "x.pdf"], "--report x.pdf must end in .md or .html"),
        (["CORPUS", "--out", "no/such/folder/x.json"], "there is no folder no/such/folder"),
        (["CORPUS", "--detection"], "add --spans predicted"),
        (["CORPUS", "--types", "none.json"], "none.json"),
        (["fewnerd", "--half", "even"], "--half cuts files, not published benchmarks"),
        (["fewnerd", "--data", "none"], "--data none is no folder"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: list[str],
    message: str,
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("modeling_nerret.eval.systems.importlib.util.find_spec", lambda name: None)
    assert run.main([str(corpus) if one == "CORPUS" else one for one in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("eval.run: ") and error.count("\n") == 1


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run.main(["--help"])
    shown = capsys.readouterr().out
    for word in ("bare:BACKBONE@LAYER", "R-Precision", "--spans gold,predicted --out", "fewnerd --data"):
        assert word in shown


# Detection --------------------------------------------------------------------------------------------------------


def test_detection_scores_by_hand() -> None:
    text = "Queen Zoë of the Curaçao River met Ada"
    gold = [Span(0, 9), Span(17, 30), Span(35, 38)]
    predicted = [Span(0, 9), Span(13, 24), Span(31, 34)]  # exact, overlapping ("the Curaçao"), wrong ("met")
    found = score_detection([text], [gold], [predicted])
    assert (found.precision, found.recall) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (found.overlap_precision, found.overlap_recall) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert found.fuzzy_recall == pytest.approx(2 / 3)  # "curacao" is a subset of "curacao river"
    assert found.proposals_per_gold == 1.0


def test_detection_of_nothing_is_zero() -> None:
    found = score_detection(["x", "y"], [[], [Span(0, 1)]], [[], []])
    assert (found.precision, found.recall, found.f1, found.fuzzy_recall) == (0, 0, 0, 0)


def test_the_runner_scores_a_detector(corpus: Path, tiny_checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--systems", "random", "--spans", "predicted", "--detection", "--detector", tiny_checkpoint]
    assert run.main([str(corpus), *arguments]) == 0
    header, _, scores = capsys.readouterr().out.splitlines()[:3]
    assert "fuzzy recall" in header
    assert all(0 <= float(value) <= 1 for value in scores.strip("| ").split(" | ")[2:-1])


def test_a_token_classifier_is_a_detector(
    task: Task, backbone: str, tiny_checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    monkeypatch.setattr("modeling_nerret.eval.detection.DEFAULT", tiny_checkpoint)
    folder = tmp_path / "classifier"
    AutoModelForTokenClassification.from_pretrained(backbone, num_labels=3).save_pretrained(folder)
    AutoTokenizer.from_pretrained(backbone).save_pretrained(folder)
    found = detect(task.documents, f"hf:{folder}")
    assert len(found) == len(task.documents)
    assert any(found)


# Reports and pictures ---------------------------------------------------------------------------------------------


def test_a_report_shows_wrong_and_missed_documents(task: Task, tmp_path: Path) -> None:
    # "writer" is asked last: d07 and d01 come first, the relevant d05 is fourth and d10 is not returned
    scores = np.full((4, 12), -np.inf)
    scores[3, [7, 1, 2, 5]] = [4, 3, 2, 1]

    def system(trial: Trial) -> Answers:
        answers = (Answer(row.astype(np.float32), lambda depth: {1: Span(0, 5)}) for row in scores)
        return Answers(answers, 0, 0.0)

    outcome = measure(Trial(task, "gold"), "a_system", system, with_mentions=True)
    for name in ("report.md", "report.html"):
        write_report(tmp_path / name, task, [outcome])
    shown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "## a\\_system, gold mentions: R-Precision 0.000" in shown
    section = shown[shown.index("### writer") :]
    assert "### writer: 0.00 of R = 2, 2 missed" in section
    assert "- 1, `d07`: notes in the city *(not found by a mention)*" in section
    assert "- 2, `d01`: **paris** wrote notes in the river seine *(is: city)*" in section
    assert section.index("- not returned, `d10`: **dora**") < section.index("- 4, `d05`: **turing** wrote notes")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<mark>turing</mark> wrote notes" in page


def test_a_report_escapes_what_documents_hold(tmp_path: Path) -> None:
    text = "<b>*bold*</b> & " + "x " * 100 + "`code`"
    document = Labelled(Document("a<i", text, {}, (Span(0, 3),)), {Span(0, 3): ("t",)})
    task = make_task("odd", [document, Labelled(Document("b", "plain"), {})])
    outcome = measure(Trial(task, "gold"), "s", answering([[0, 1]]), with_mentions=True)
    for name in ("report.md", "report.html"):
        write_report(tmp_path / name, task, [outcome])
        shown = (tmp_path / name).read_text(encoding="utf-8")
        assert "&lt;b&gt;" in shown and "<b>" not in shown
    assert r"**&lt;b&gt;**\*bold\*" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_pictures_are_drawn(task: Task, tmp_path: Path) -> None:
    outcomes = [measure(Trial(task, "gold"), name, build(name)) for name in ("random", "bm25")]
    for some in (outcomes, outcomes[:1]):
        for path in plot_outcomes(tmp_path / str(len(some)), task, some):
            assert path.read_bytes()[:4] == b"\x89PNG" and path.stat().st_size > 5_000
    names = {path.name for path in (tmp_path / "2").iterdir()}
    assert names == {"small-gold-bars.png", "small-gold-frequency.png", "small-gold-precision-recall.png"}


def test_frequencies_by_hand(task: Task) -> None:
    # persons: ada twice, the four others once; the word "city" stands in one of the nine documents of cities
    assert entity_frequency(task)[1] == pytest.approx((2 * 2 + 4) / 6)
    assert word_frequency(task)[0] == pytest.approx(1 / 9)


# Published benchmarks ---------------------------------------------------------------------------------------------


def _write_fewnerd(folder: Path) -> None:
    """Rows of DFKI-SLT/few-nerd, configuration supervised: ids, tokens, coarse and fine tags as class labels."""
    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=["O", "art", "location", "other", "person"])),
            "fine_ner_tags": datasets.List(
                datasets.ClassLabel(
                    names=["O", "art-film", "location-GPE", "other-award", "person-actor", "person-other"]
                )
            ),
        }
    )
    rows = {
        "train": [(["Ada", "Byron", "saw", "Alien"], [4, 4, 0, 1], [5, 5, 0, 1])],
        "validation": [(["Rome", "gave", "Bo", "an", "Oscar"], [2, 0, 4, 0, 3], [2, 0, 4, 0, 3])],
        "test": [(["Bo", "left", "Rome"], [4, 0, 2], [4, 0, 2])],
    }
    for split, own in rows.items():
        columns = [{"id": str(at), "tokens": t, "ner_tags": c, "fine_ner_tags": f} for at, (t, c, f) in enumerate(own)]
        (folder / "supervised").mkdir(parents=True, exist_ok=True)
        path = folder / "supervised" / f"{split}-00000-of-00001.parquet"
        datasets.Dataset.from_list(columns, features=features).to_parquet(path)


def _write_multiconer(folder: Path) -> None:
    """Rows of MultiCoNER/multiconer_v2, configuration English (EN): BIO tags as strings and as class labels."""
    names = ["O", "B-Artist", "I-Artist", "B-Station", "I-Station", "B-OtherPER"]
    features = datasets.Features(
        {
            "id": datasets.Value("int32"),
            "sample_id": datasets.Value("string"),
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.Value("string")),
            "ner_tags_index": datasets.List(datasets.ClassLabel(names=names)),
        }
    )
    rows = {
        "train": (["ada", "byron", "bo", "sang"], ["B-Artist", "I-Artist", "B-Artist", "O"]),
        "validation": (["she", "left", "oslo", "s"], ["B-OtherPER", "O", "B-Station", "I-Station"]),
        "test": (["nobody"], ["O"]),
    }
    for split, (tokens, tags) in rows.items():
        row = {"id": 0, "sample_id": "x-1", "tokens": tokens, "ner_tags": tags}
        row["ner_tags_index"] = [names.index(tag) for tag in tags]
        for config in ("English (EN)", "German (DE)"):
            path = folder / config / split / "0000.parquet"
            path.parent.mkdir(parents=True)
            datasets.Dataset.from_list([row], features=features).to_parquet(path)


def test_fewnerd_from_a_local_copy(tmp_path: Path) -> None:
    _write_fewnerd(tmp_path)
    task = benchmarks.load("fewnerd", tmp_path)
    assert [document.text for document in task.documents] == [
        "Ada Byron saw Alien",
        "Rome gave Bo an Oscar",
        "Bo left Rome",
    ]
    found = dict(zip(task.types, task.relevant, strict=True))
    assert found == {
        "film": ["fewnerd-train-0"],
        "geopolitical entity": ["fewnerd-validation-0", "fewnerd-test-0"],
        "award": ["fewnerd-validation-0"],
        "actor": ["fewnerd-validation-0", "fewnerd-test-0"],
    }
    assert task.labels[0] == {Span(0, 9): ("other person",), Span(14, 19): ("film",)}
    assert len(benchmarks.load("fewnerd", tmp_path, limit=1).documents) == 1


def test_multiconer2_from_a_local_copy(tmp_path: Path) -> None:
    _write_multiconer(tmp_path)
    task = benchmarks.load("multiconer2", tmp_path)
    assert (task.types, len(task.documents)) == (["station", "artist"], 3)
    assert task.labels[0] == {Span(0, 9): ("artist",), Span(10, 12): ("artist",)}
    assert task.labels[1] == {Span(0, 3): ("other person",), Span(9, 15): ("station",)}


def test_the_hub_is_asked_for_all_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_multiconer(tmp_path)
    asked = []

    def load_dataset(name: str, config: str, revision: str | None, split: str) -> datasets.Dataset:
        asked.append((name, config, revision, split))
        return datasets.Dataset.from_parquet(str(tmp_path / config / split / "0000.parquet"), keep_in_memory=True)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert benchmarks.load("multiconer2").types == ["station", "artist"]
    assert [one[3] for one in asked] == ["train", "validation", "test"]
    assert asked[0][:3] == ("MultiCoNER/multiconer_v2", "English (EN)", "refs/convert/parquet")


def _write_neretrieve(folder: Path, packed: bool) -> None:
    """Lines of NERetrieve's archives: paragraphs of spaced words, and labels with the numbers of mentions' words."""
    paragraphs = [
        {"id": "p1", "content": "Lake Como lies near Milan ."},
        {"id": "p2", "content": "Nothing here ."},
        {"id": "p3", "content": "Milan saw the Como ferry ."},
    ]
    labels = [
        {
            "id": "p1",
            "doc_id": "Lake Como-0",
            "tagged_entities": {"Lake": {"Q1": {"Lake Como": [[0, 1]]}}, "City": {"Q2": {"Milan": [[4]]}}},
            "tagged_entity_types": ["Lake", "City"],
        },
        {
            "id": "p3",
            "doc_id": "Milan-3",
            "tagged_entities": {"City": {"Q2": {"Milan": [[0]]}, "Q3": {"Como": [[3], []]}}},
        },
    ]
    for name, lines in ((benchmarks.CORPUS, paragraphs), (benchmarks.LABELS, labels)):
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        path = folder / name
        (path if packed else path.with_suffix("")).write_bytes(bz2.compress(data) if packed else data)


@pytest.mark.parametrize("packed", [True, False])
def test_neretrieve_from_a_local_copy(packed: bool, tmp_path: Path) -> None:
    _write_neretrieve(tmp_path, packed)
    task = benchmarks.load("neretrieve", tmp_path)
    assert [document.id for document in task.documents] == ["p1", "p3"]
    assert dict(zip(task.types, task.relevant, strict=True)) == {"City": ["p1", "p3"], "Lake": ["p1"]}
    marked = [[one.text[span.start : span.end] for span in one.mentions] for one in task.documents]
    assert marked == [["Lake Como", "Milan"], ["Milan", "Como"]]
    assert len(benchmarks.load("neretrieve", tmp_path, limit=1).documents) == 1


def test_a_benchmark_that_cannot_be_reached_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets, "load_dataset", refuse)
    monkeypatch.setattr(benchmarks.urllib.request, "urlopen", refuse)
    for name in benchmarks.NAMES[:2]:
        with pytest.raises(OSError, match=r"cannot be reached \(no network\); give a local copy .* with --data DIR"):
            benchmarks.load(name)
    with pytest.raises(OSError, match="cannot be reached"):
        benchmarks.load("neretrieve", tmp_path)
    assert not list(tmp_path.glob("*.bz2"))
    with pytest.raises(OSError, match=r"holds no \*.parquet of the split 'train'"):
        benchmarks.load("fewnerd", tmp_path)


def test_a_benchmark_runs_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write_fewnerd(tmp_path)
    assert run.main(["fewnerd", "--data", str(tmp_path), "--systems", "random"]) == 0
    assert "| random | gold | fewnerd |" in capsys.readouterr().out


def test_plain_names_cover_the_published_labels() -> None:
    names = json.loads(benchmarks.TYPES.read_text(encoding="utf-8"))
    text = [Labelled(Document("a", "x"), {Span(0, 1): tuple(own)}) for own in names.values()]
    counts = [len(make_task("t", [one], own).types) for one, own in zip(text, names.values(), strict=True)]
    assert [len(own) for own in names.values()] == [66, 33]
    assert counts == [59, 29]
