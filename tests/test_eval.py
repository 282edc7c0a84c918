"""The command `nerret eval`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers.utils import logging

from modeling_nerret.cli import main
from modeling_nerret.eval.coverage import KINDS
from modeling_nerret.eval.progress import quiet_libraries
from modeling_nerret.eval.tasks.annotations import read_annotations
from modeling_nerret.eval.tasks.task import make_task
from tests.test_eval_benchmarks import write_fewnerd
from tests.tiny import save_backbone

HEAVY = ("torch", "numpy", "transformers", "datasets", "matplotlib", "huggingface_hub")


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="module")
def sentence_model(backbone: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("sentences") / "model")
    transformer = Transformer(backbone)
    SentenceTransformer(modules=[transformer, Pooling(transformer.get_embedding_dimension())]).save(folder)
    return folder


def test_results_have_the_agreed_form_and_two_runs_are_equal(
    corpus: Path, tiny_checkpoint: str, backbone: str, sentence_model: str, tmp_path: Path
) -> None:
    systems = [tiny_checkpoint, f"{tiny_checkpoint}@vector", f"{tiny_checkpoint}@lexical", "bm25", "random"]
    systems += [f"st:{sentence_model}", f"st:{sentence_model}@instruct", f"bare:{backbone}@2", f"bare:{backbone}@2@end"]
    systems += [f"last:{backbone}"]
    arguments = [str(corpus), "--systems", ",".join(systems), "--spans", "gold,predicted"]
    arguments += ["--detector", tiny_checkpoint]
    runs = []
    for name in ("first.json", "second.json"):
        assert main(["eval", *arguments, "--out", str(tmp_path / name)]) == 0
        runs.append(json.loads((tmp_path / name).read_text()))
    names = [(spans, system) for spans in ("gold", "predicted") for system in systems]
    assert [(result["spans"], result["system"]) for result in runs[0]] == names
    keys = (
        "system spans corpus n_documents n_mentions n_types min_documents n_rare_types macro_r_precision ci95 seen "
        "unseen per_type seconds bytes_per_document"
    )
    for first, second in zip(*runs, strict=True):
        assert list(first) == [*keys.split(), "versions"]
        assert list(first["per_type"]) == ["city", "person", "river", "writer"]
        assert set(first["per_type"]["city"]) == {"r", "r_precision", "average_precision", "seen"}
        assert first.pop("seconds") >= 0 and second.pop("seconds") >= 0
        assert first == second
        low, high = first["ci95"]
        assert 0 <= low <= first["macro_r_precision"] <= high <= 1
    gold = sum(len(text.document.mentions) for text in read_annotations(corpus))
    counts = {(result["system"], result["spans"]): result["n_mentions"] for result in runs[0]}
    assert counts[tiny_checkpoint, "gold"] == counts[f"bare:{backbone}@2", "gold"] == gold
    assert counts[tiny_checkpoint, "predicted"] == counts[f"bare:{backbone}@2", "predicted"] != gold
    assert counts["bm25", "gold"] == 0


def test_the_halves_of_a_corpus_are_its_dev_split(corpus: Path, tmp_path: Path) -> None:
    """Each half is measured as a corpus of its own, with every second document of those that --limit leaves."""
    for half in ("even", "odd"):
        out = tmp_path / f"{half}.json"
        arguments = [str(corpus), "--systems", "bm25", "--limit", "9", "--half", half, "--out", str(out)]
        assert main(["eval", *arguments]) == 0
        (result,) = json.loads(out.read_text())
        ids = [text.document.id for text in read_annotations(corpus, 9)][half == "odd" :: 2]
        assert (result["corpus"], result["n_documents"]) == (f"small-{half}", len(ids))
        task = make_task("small", [text for text in read_annotations(corpus) if text.document.id in ids])
        counts = {type_: len(relevant) for type_, relevant in zip(task.types, task.relevant, strict=True)}
        assert {type_: scores["r"] for type_, scores in result["per_type"].items()} == counts


def test_a_ranking_that_is_cut_short_is_reported(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(corpus), "--systems", "bm25"]) == 0
    warning = r"nerret: bm25 \(gold, small\) returned fewer than R documents for \d of 4 types.*person 0/6"
    assert re.search(warning, capsys.readouterr().err)


def test_report_and_plots_are_written(corpus: Path, tmp_path: Path) -> None:
    arguments = ["--systems", "random,bm25", "--report", str(tmp_path / "errors.md"), "--plot", str(tmp_path / "plots")]
    assert main(["eval", str(corpus), *arguments]) == 0
    assert "## bm25, gold mentions" in (tmp_path / "errors.md").read_text(encoding="utf-8")
    assert len(list((tmp_path / "plots").glob("small-gold-*.png"))) == 3


def test_the_detector_is_scored(corpus: Path, tiny_checkpoint: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--systems", "random", "--spans", "predicted", "--detection", "--detector", tiny_checkpoint]
    assert main(["eval", str(corpus), *arguments]) == 0
    header, _, scores = capsys.readouterr().out.splitlines()[:3]
    assert "fuzzy recall" in header
    names, values = (line.strip("| ").split(" | ")[2:] for line in (header, scores))
    assert names[-5:] == ["proposals per gold", *(f"relevant: {kind.replace('_', ' ')}" for kind in KINDS)]
    del values[-5]
    assert all(0 <= float(value) <= 1 for value in values)
    assert sum(map(float, values[-4:])) == pytest.approx(1, abs=0.01)


def test_a_benchmark_runs_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_fewnerd(tmp_path)
    assert main(["eval", "fewnerd", "--data", str(tmp_path), "--systems", "random"]) == 0
    assert "| random | gold | fewnerd |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["missing.jsonl"],
            "no corpus at 'missing.jsonl'; give a JSONL file or one of fewnerd, multiconer2, neretrieve",
        ),
        (["CORPUS", "--systems", "what:ever"], "unknown system 'what:ever'; the known forms are CHECKPOINT"),
        (["CORPUS", "--systems", "no/such-model"], "there is no model 'no/such-model'"),
        (
            ["CORPUS", "--systems", "nerret-minilm@words"],
            "asks for the mode 'words'; the modes are @hybrid, @vector, @document, @lexical",
        ),
        (["CORPUS", "--systems", "bare:x"], "'bare:x' is not bare:BACKBONE@LAYER"),
        (["CORPUS", "--systems", "st:x@prompt"], "write 'st:x' or 'st:x@instruct'"),
        (["CORPUS", "--systems", "st:no/such-model"], "there is no model 'no/such-model': no such folder"),
        (["CORPUS", "--systems", ","], "--systems is empty"),
        (["CORPUS", "--spans", "silver"], "--spans has 'silver'; write gold, predicted, or gold,predicted"),
        (["CORPUS", "--exclude", "["], "--exclude '[' is not a regular expression"),
        (["CORPUS", "--queries", "definition"], "the type 'city' has no definition"),
        (["CORPUS", "--report", "x.pdf"], "--report x.pdf must end in .md or .html"),
        (["CORPUS", "--out", "no/such/folder/x.json"], "there is no folder no/such/folder"),
        (["CORPUS", "--detection"], "add --spans predicted"),
        (["CORPUS", "--types", "none.json"], "none.json"),
        (["fewnerd", "--half", "even"], "--half splits files; published benchmarks have their own splits"),
        (["fewnerd", "CORPUS"], "the benchmark 'fewnerd' is measured alone; give several files, or one benchmark"),
        (["CORPUS", "missing.jsonl"], "no corpus at 'missing.jsonl'"),
        (["CORPUS", "CORPUS"], "2 corpora are called 'small', so that results could not be told apart; rename a file"),
        (
            ["CORPUS", "beekeeping-test", "--types-key", "small"],
            "--types-key names one set; with several corpora each takes the set named as its file",
        ),
        (["CORPUS", "--exclude-file", "none.json"], "none.json"),
        (["CORPUS", "--seen", "none.txt"], "none.txt"),
        (["CORPUS", "--subtypes", "none.json"], "none.json"),
        (
            ["CORPUS", "--min-documents", "50"],
            "small has no type with 50 documents, the most is 9",
        ),
        (["fewnerd", "--data", "none"], "--data none is not a folder"),
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
    assert main(["eval", *(str(corpus) if argument == "CORPUS" else argument for argument in arguments)]) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("nerret: ") and error.count("\n") == 1


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["eval", "--help"])
    text = capsys.readouterr().out
    for words in ("bare:BACKBONE@LAYER", "R-Precision", "nerret eval news.jsonl --systems nerret-minilm,bm25"):
        assert words in text
    assert "nerret eval dev/*.jsonl --types dev/types.json --exclude-file dev/exclude.json" in text


LIGHT = """
import sys
from modeling_nerret.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
print(code, *sys.modules)
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval", __file__, "--spans", "silver", "--detection"], "--spans has 'silver'"),
        (["eval", __file__, "--systems", "what:ever"], "unknown system 'what:ever'"),
        (["eval", "missing.jsonl"], "no corpus at 'missing.jsonl'"),
        (["eval", __file__, "--limit", "0"], "'0' is not a whole number from 1"),
        (["probe", "model", "missing.jsonl"], "no corpus at 'missing.jsonl'"),
    ],
)
def test_wrong_arguments_load_no_library(arguments: list[str], message: str) -> None:
    process = subprocess.run([sys.executable, "-c", LIGHT, *arguments], capture_output=True, text=True, check=True)
    code, *modules = process.stdout.split()
    assert int(code) in (1, 2) and message in process.stderr
    assert "modeling_nerret.eval.arguments" in modules
    assert not {*HEAVY} & {*modules}


def test_the_libraries_are_quiet_only_during_a_run() -> None:
    logging.enable_progress_bar()
    datasets.enable_progress_bars()
    with quiet_libraries():
        assert not logging.is_progress_bar_enabled()
        assert datasets.are_progress_bars_disabled()  # standard error is not a terminal here
    assert logging.is_progress_bar_enabled() and not datasets.are_progress_bars_disabled()
    logging.disable_progress_bar()
    with quiet_libraries():
        pass
    assert not logging.is_progress_bar_enabled()  # as the caller had it
    logging.enable_progress_bar()
