"""`nerret eval` over several sets, and which of their types are queries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modeling_nerret.cli import main
from modeling_nerret.eval.tasks.seen_names import read_seen_names
from modeling_nerret.eval.tasks.set_files import OWN_SUBTYPES, descendants, read_subtypes
from tests.small_corpus import TEXTS, entry, write_corpus

Results = list[dict]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two sets: `small`, and `large`, whose texts are those of `small` twice."""
    write_corpus(tmp_path)
    lines = [json.dumps(entry(f"e{number:02}", markup)) + "\n" for number, markup in enumerate(TEXTS * 2)]
    (tmp_path / "large.jsonl").write_text("".join(lines), encoding="utf-8")
    names = {
        "small": {"city": "town", "river": "stream", "person": "human"},
        "large": {"city": "CITY", "writer": "poet"},
    }
    (tmp_path / "types.json").write_text(json.dumps(names))
    return tmp_path


def evaluate(folder: Path, *arguments: str, systems: str = "bm25,random") -> Results:
    corpora = [str(folder / f"{name}.jsonl") for name in ("small", "large")]
    out = folder / "results.json"
    assert main(["eval", *corpora, "--systems", systems, "--out", str(out), *arguments]) == 0
    return json.loads(out.read_text(encoding="utf-8"))


def test_several_sets_are_measured_and_averaged_by_one_command(
    folder: Path, tiny_checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--spans", "gold,predicted", "--detector", tiny_checkpoint, "--types", str(folder / "types.json")]
    results = evaluate(folder, *arguments, systems=f"{tiny_checkpoint}@vector,random")
    assert [(result["corpus"], result["spans"]) for result in results[::2]] == [
        *(("small", "gold"), ("small", "predicted"), ("large", "gold"), ("large", "predicted"))
    ]
    assert [list(result["per_type"]) for result in results[::4]] == [["town", "stream", "human"], ["CITY", "poet"]]
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    means = {(row[0], row[1]): float(row[3]) for row in rows[-4:] if row[2] == "mean of 2"}
    expected_means = {}
    for first, second in zip(results[:4], results[4:], strict=True):
        mean = (first["macro_r_precision"] + second["macro_r_precision"]) / 2
        expected_means[first["system"], first["spans"]] = pytest.approx(mean, abs=6e-4)
    assert means == expected_means and len(means) == 4


def test_the_detector_is_scored_on_each_set_and_in_the_results(
    folder: Path, tiny_checkpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--spans", "gold,predicted", "--detection", "--detector", tiny_checkpoint]
    results = evaluate(folder, *arguments, systems="random")
    assert ["detection" in result for result in results] == [False, True, False, True]
    scores = results[1]["detection"]
    assert scores["detector"] == tiny_checkpoint and scores["proposals_per_gold"] > 0
    assert scores["relevant"]["pairs"] == sum(entry["r"] for entry in results[1]["per_type"].values())
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(f"| {tiny_checkpoint} | ")]
    small, large, mean = (line.strip("| ").split(" | ") for line in lines)
    assert (small[1], large[1], mean[1]) == ("small", "large", "mean of 2")
    assert small[2:] == large[2:] == mean[2:]  # they have the same texts


def test_one_set_has_no_mean(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", str(folder / "small.jsonl"), "--systems", "random"]) == 0
    assert "mean of" not in capsys.readouterr().out


def test_report_and_plots_hold_all_sets(folder: Path) -> None:
    evaluate(folder, "--report", str(folder / "errors.md"), "--plot", str(folder / "plots"))
    report = (folder / "errors.md").read_text(encoding="utf-8")
    assert report.startswith("# Errors on small, large\n")
    for corpus in ("small", "large"):
        assert f"## bm25, gold mentions of {corpus}: " in report
        assert len([*(folder / "plots").glob(f"{corpus}-gold-*.png")]) == 3


def test_an_exclude_file_decides_for_the_sets_that_it_names(folder: Path) -> None:
    path = folder / "exclude.json"
    path.write_text('{"small": "^(city|river)$", "absent": "x"}')
    types = [list(result["per_type"]) for result in evaluate(folder, "--exclude-file", str(path), systems="random")]
    assert types == [["person", "writer"], ["city", "person", "river", "writer"]]
    results = evaluate(folder, "--exclude-file", str(path), "--exclude", "writer", systems="random")
    assert [list(result["per_type"]) for result in results] == [["person", "writer"], ["city", "person", "river"]]


@pytest.mark.parametrize(
    ("option", "content", "message"),
    [
        ("--exclude-file", '{"small": ["x"]}', 'must be {"set": "regular expression", ...}'),
        ("--exclude-file", '{"other": "["}', "'[' of the set 'other' is not a regular expression"),
        ("--exclude-file", "{", "is not JSON"),
        ("--subtypes", '{"person": ["writer"]}', "--subtypes"),
        ("--subtypes", '{"small": {"person": "writer"}}', 'must be {"set": {"type": ["subtype", ...], ...}, ...}'),
        ("--types", '{"person": 5}', "has 5 for 'person'; write"),
        ("--types", '{"small": {"person": ["writer"]}}', "set 'small', has ['writer'] for 'person'; write"),
        ("--seen", " \n", "has no name; write the names of types that were trained on, one a line"),
    ],
)
def test_a_file_of_another_form_is_refused(
    option: str, content: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "file").write_text(content)
    assert main(["eval", str(folder / "small.jsonl"), "--systems", "random", option, str(folder / "file")]) == 1
    error = capsys.readouterr().err
    assert message in error and str(folder / "file") in error and error.count("\n") == 1


def test_rare_types_are_no_queries_and_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small, large = evaluate(folder, "--min-documents", "5", systems="random")
    assert (list(small["per_type"]), small["n_rare_types"], small["min_documents"]) == (
        ["city", "person", "river"],
        1,
        5,
    )
    assert (large["n_types"], large["n_rare_types"]) == (3, 1)
    error = capsys.readouterr().err
    assert "nerret: small: 1 types with fewer than 5 documents left out" in error and "nerret: large: 1" in error


def test_names_that_were_trained_on_are_reported_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "seen.txt").write_text("  City \nBODY  of water\nwriters\n")
    (folder / "types.json").write_text('{"city": "city", "river": "Body of Water", "writer": "writer"}')
    arguments = ["--types", str(folder / "types.json"), "--seen", str(folder / "seen.txt")]
    result, _ = evaluate(folder, *arguments, systems="bm25")
    scores = result["per_type"]
    assert {type_: entry["seen"] for type_, entry in scores.items()} == {
        **{"city": True, "Body of Water": True, "writer": False}
    }
    mean = (scores["city"]["r_precision"] + scores["Body of Water"]["r_precision"]) / 2
    assert result["seen"] == {"n_types": 2, "macro_r_precision": pytest.approx(mean)}
    assert result["unseen"] == {"n_types": 1, "macro_r_precision": scores["writer"]["r_precision"]}
    assert f"| {mean:.3f} (2) / 0.000 (1) |" in capsys.readouterr().out


def test_a_set_without_unseen_types_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "seen.txt").write_text("city\nperson\nriver\nwriter\n")
    result, _ = evaluate(folder, "--seen", str(folder / "seen.txt"), systems="random")
    assert result["unseen"] == {"n_types": 0, "macro_r_precision": None}
    assert " (4) / - (0) |" in capsys.readouterr().out


def test_the_texts_that_come_with_nerret_give_the_names_by_default() -> None:
    names = read_seen_names()
    assert {"politician", "chess player", "gene"} <= names  # wordings; an open type
    assert "u.s. state or province" not in names
    assert all(name == " ".join(name.casefold().split()) for name in names)


def test_subtypes_of_a_file_are_counted_and_misspelt_ones_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "subtypes.json"
    path.write_text('{"small": {"river": ["person"], "person": ["wrter"]}}')
    small, large = evaluate(folder, "--subtypes", str(path), systems="bm25")
    assert small["with_subtypes"]["n_types"] == 1 and "with_subtypes" not in large
    river = small["per_type"]["river"]  # the texts with the word: d01, d02 and d04, where a person is "in the river"
    assert (river["r_precision"], river["r_precision_with_subtypes"]) == (0.4, 0.6)
    assert "nerret: small has no such types as --subtypes names: wrter" in capsys.readouterr().err


def test_nerret_knows_the_subtypes_of_crossner() -> None:
    subtypes = read_subtypes(None, "crossner")
    assert {"politician", "writer", "scientist", "researcher"} <= descendants(subtypes, "person")
    assert "country" in subtypes["location"] and read_subtypes(None, "small") == {}
    assert OWN_SUBTYPES.is_file()


def test_circles_of_subtypes_end() -> None:
    assert descendants({"a": ["b"], "b": ["c", "a"]}, "a") == {"b", "c"}
