"""Annotated corpora and types files as retrieval tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from modeling_nerret.documents import Document
from modeling_nerret.eval.tasks.annotations import LabelledDocument, read_annotations
from modeling_nerret.eval.tasks.task import Task, make_task
from modeling_nerret.eval.tasks.type_names import QuerySettings, read_types_file
from modeling_nerret.spans import Span


def test_a_corpus_becomes_a_task(task: Task) -> None:
    assert task.types == task.queries == ["city", "person", "river", "writer"]
    assert task.relevant[3] == ["d05", "d10"]
    assert task.labels[5] == {Span(0, 6): ("person", "writer")}
    first = task.documents[0]
    assert [first.text[span.start : span.end] for span in first.mentions] == ["ada", "london"]


def test_plain_names_order_types_and_join_labels(corpus: Path) -> None:
    names = {"river": "body of water", "writer": "human", "person": "human"}
    task = make_task("small", read_annotations(corpus), QuerySettings(names))
    assert task.types == ["body of water", "human"]
    assert len(task.relevant[1]) == 6
    assert task.labels[5] == {Span(0, 6): ("human",)}


def test_rest_classes_are_no_queries_by_default() -> None:
    labels = ["art-other", "other-award", "OtherPER", "misc", "brother", "ORG"]
    text = LabelledDocument(Document("a", "x"), {Span(0, 1): tuple(labels)})
    names = {label: label for label in labels} | {"ORG": "other organization"}
    assert make_task("t", [text], QuerySettings(names)).types == ["other-award", "brother"]
    assert make_task("t", [text], QuerySettings(names, exclude="")).types == [*labels[:-1], "other organization"]


def test_limit_takes_the_first_documents(corpus: Path) -> None:
    assert [text.document.id for text in read_annotations(corpus, 2)] == ["d00", "d01"]


def test_a_line_without_mentions_is_a_document(tmp_path: Path) -> None:
    path = tmp_path / "plain.jsonl"
    path.write_text('{"id": "a", "text": "x"}\n{"id": "b", "text": "y", "mentions": null}\n')
    assert [(text.document.id, text.labels) for text in read_annotations(path)] == [("a", {}), ("b", {})]


def test_a_type_can_be_asked_for_by_definition_or_examples(corpus: Path) -> None:
    names = {"city": {"name": "town", "definition": "a large settlement", "examples": ["london", "oslo"]}}
    for wording, query in (("name", "town"), ("definition", "a large settlement"), ("examples", "london, oslo")):
        task = make_task("small", read_annotations(corpus), QuerySettings(names, wording=wording))
        assert (task.types, task.queries) == (["town"], [query])
    with pytest.raises(ValueError, match="the type 'city' has no definition; write in the types file"):
        make_task("small", read_annotations(corpus), QuerySettings({"city": "town"}, wording="definition"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: Expecting property name"),
        ('{"id": "a"}', "line 2: document 'a' needs a \"text\""),
        ('{"id": "a", "text": "x", "mentions": [{"start": 0, "end": 9, "type": "t"}]}', r"line 2: .*span \[0, 9\)"),
        ('{"id": "a", "text": "x", "mentions": [{"start": 0, "end": 1}]}', r'line 2: mention \[0, 1\) needs a "type"'),
        ('{"id": "d", "text": "x"}', "broken has two documents with the id 'd'"),
    ],
)
def test_a_broken_line_says_where_and_what(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text('{"id": "d", "text": "x", "mentions": [{"start": 0, "end": 1, "type": "t"}]}\n' + line + "\n")
    with pytest.raises(ValueError, match=message):
        make_task("broken", read_annotations(path))


def test_a_types_file_of_several_sets(tmp_path: Path, corpus: Path) -> None:
    path = tmp_path / "types.json"
    path.write_text('{"small": {"city": "town"}, "large": {"x": "y"}}')
    assert read_types_file(path, None, "small") == {"city": "town"}
    assert read_types_file(path, "large", "small") == {"x": "y"}
    with pytest.raises(ValueError, match="no set 'none'; it has the sets small, large; choose one with --types-key"):
        read_types_file(path, None, "none")
    with pytest.raises(ValueError, match=r"no mention of the requested types \(x, \.\.\.\); its labels are city"):
        make_task("small", read_annotations(corpus), QuerySettings({"x": "y"}))


def test_a_types_file_of_one_set_is_refused_by_key(tmp_path: Path) -> None:
    path = tmp_path / "types.json"
    path.write_text('{"city": "town"}')
    assert read_types_file(path, None, "small") == {"city": "town"}
    with pytest.raises(ValueError, match="has no set 'large'; it has only one set"):
        read_types_file(path, "large", "small")
    path.write_text("[]")
    with pytest.raises(ValueError, match=r'must be \{"label": "plain name"'):
        read_types_file(path, None)
    path.write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        read_types_file(path, None)
