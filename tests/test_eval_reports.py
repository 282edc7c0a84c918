"""Reports of errors, and plots."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modeling_nerret.documents import Document
from modeling_nerret.eval.measure import measure
from modeling_nerret.eval.plots import plot_outcomes
from modeling_nerret.eval.report import MARGIN, make_page, write_report
from modeling_nerret.eval.systems.registry import make_system
from modeling_nerret.eval.systems.trial import QueryScores, TaskScores, Trial
from modeling_nerret.eval.tasks.annotations import LabelledDocument
from modeling_nerret.eval.tasks.frequency import entity_frequency, word_frequency
from modeling_nerret.eval.tasks.task import Task, make_task
from modeling_nerret.spans import Span
from tests.small_corpus import fixed_scores


def test_a_report_shows_wrong_and_missed_documents(task: Task, tmp_path: Path) -> None:
    # "writer" is the last query: d07 and d01 come first, the relevant d05 is fourth and d10 is not returned
    scores = np.full((4, 12), -np.inf)
    scores[3, [7, 1, 2, 5]] = [4, 3, 2, 1]

    def system(trial: Trial) -> TaskScores:
        queries = (QueryScores(row.astype(np.float32), lambda depth: {1: Span(0, 5)}) for row in scores)
        return TaskScores(queries, 0, 0.0)

    outcome = measure(Trial(task, "gold"), "a_system", system, with_mentions=True)
    for name in ("report.md", "report.html"):
        write_report(tmp_path / name, [make_page(task, outcome)])
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "## a\\_system, gold mentions of small: R-Precision 0.000" in report
    section = report[report.index("### writer") :]
    assert "### writer: 0.00 of R = 2, 2 missed" in section
    assert "- 1, `d07`: notes in the city *(not found by a mention)*" in section
    assert "- 2, `d01`: **paris** wrote notes in the river seine *(is: city)*" in section
    assert section.index("- not returned, `d10`: **dora**") < section.index("- 4, `d05`: **turing** wrote notes")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<mark>turing</mark> wrote notes" in page


def test_a_report_escapes_what_documents_hold(tmp_path: Path) -> None:
    text = "<b>*bold*</b> & " + "x " * 100 + "`code`"
    document = LabelledDocument(Document("a<i", text, {}, (Span(0, 3),)), {Span(0, 3): ("t",)})
    task = make_task("odd", [document, LabelledDocument(Document("b", "plain"), {})])
    outcome = measure(Trial(task, "gold"), "s", fixed_scores([[0, 1]]), with_mentions=True)
    for name in ("report.md", "report.html"):
        write_report(tmp_path / name, [make_page(task, outcome)])
        report = (tmp_path / name).read_text(encoding="utf-8")
        assert "&lt;b&gt;" in report and "<b>" not in report
    assert r"**&lt;b&gt;**\*bold\*" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_an_excerpt_is_cut_between_words(tmp_path: Path) -> None:
    text = "before " * 40 + "Oslo" + " after" * 40
    document = LabelledDocument(Document("a", text, {}, (Span(280, 284),)), {Span(280, 284): ("city",)})
    task = make_task("long", [document, LabelledDocument(Document("b", "plain"), {})])
    outcome = measure(Trial(task, "gold"), "s", fixed_scores([[0, 1]]), with_mentions=True)
    write_report(tmp_path / "report.md", [make_page(task, outcome)])
    (line,) = [line for line in (tmp_path / "report.md").read_text("utf-8").splitlines() if "Oslo" in line]
    before, _, after = line.partition("`a`: ")[2].partition("**Oslo**")
    assert (before.split(), after.split()) == (["…", *["before"] * 17], [*["after"] * 19, "…"])
    assert max(len(before), len(after)) <= MARGIN + 2


def test_a_text_without_spaces_has_an_excerpt(tmp_path: Path) -> None:
    document = LabelledDocument(Document("a", "x", {}, (Span(0, 1),)), {Span(0, 1): ("city",)})
    task = make_task("long", [document, LabelledDocument(Document("b", "東京" * 300), {})])
    outcome = measure(Trial(task, "gold"), "s", fixed_scores([[0, 1]]), with_mentions=True)
    write_report(tmp_path / "report.md", [make_page(task, outcome)])
    assert f"`b`: {'東京' * MARGIN} … *(not found by a mention)*" in (tmp_path / "report.md").read_text("utf-8")


def test_plots_are_drawn(task: Task, tmp_path: Path) -> None:
    outcomes = [measure(Trial(task, "gold"), name, make_system(name)) for name in ("random", "bm25")]
    for group in (outcomes, outcomes[:1]):
        for path in plot_outcomes(tmp_path / str(len(group)), task, group):
            assert path.read_bytes()[:4] == b"\x89PNG" and path.stat().st_size > 5_000
    names = {path.name for path in (tmp_path / "2").iterdir()}
    assert names == {"small-gold-bars.png", "small-gold-frequency.png", "small-gold-precision-recall.png"}


def test_frequencies_by_hand(task: Task) -> None:
    # persons: ada twice, the four others once; the word "city" stands in one of the nine documents of cities
    assert entity_frequency(task)[1] == pytest.approx((2 * 2 + 4) / 6)
    assert word_frequency(task)[0] == pytest.approx(1 / 9)
