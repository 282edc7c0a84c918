"""Values of users become plain once: what JSON has, nothing else, nothing lost without a word."""

from __future__ import annotations

import enum
import json
import math
from collections import ChainMap, Counter, deque, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modeling_nerret.documents import Document, as_documents, as_ids
from modeling_nerret.metadata import to_json
from modeling_nerret.spans import Span, check_span
from modeling_nerret.values import DEPTH, plain

Point = namedtuple("Point", "x y")


@dataclass
class Place:
    name: str
    point: Any = None


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


def self_reference(value: Any) -> Any:
    """A list or dictionary that contains itself, twice."""
    if isinstance(value, dict):
        value |= {"a": value, "b": value}
    else:
        value += [value, value]
    return value


def nest(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


NUMPY = [
    (np.int64(5), 5),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.float32(0.5), 0.5),
    (np.longdouble(0.5), 0.5),
    (np.bool_(True), True),
    (np.str_("x"), "x"),
    (np.bytes_(b"x"), "x"),
    (np.float64("nan"), None),
    (np.array(5), 5),
    (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (np.array([True, False]), [True, False]),
    (np.array([0.5, np.nan, np.inf]), [0.5, None, None]),
    (np.array(["a", "b"]), ["a", "b"]),
    (np.array([1, "x", None, pd.NA, [np.int8(2)]], dtype=object), [1, "x", None, None, [2]]),
    (np.array([]), []),
    (np.ma.array([1, 2], mask=[False, True]), [1, None]),
    (np.array([(1, "x")], dtype=[("a", "i4"), ("b", "U3")]), [{"a": 1, "b": "x"}]),
    (np.array([(1, "x")], dtype=[("a", "i4"), ("b", "U3")])[0], {"a": 1, "b": "x"}),
    (np.datetime64("1905"), "1905"),
    (np.datetime64("2020-05-01"), "2020-05-01"),
    (np.datetime64("2020-05-01T12", "h"), "2020-05-01T12:00:00"),
    (np.datetime64("2020-05-01T12:30:15", "ns"), "2020-05-01T12:30:15"),
    (np.datetime64("2020-05-01T12:30:15.5", "ns"), "2020-05-01T12:30:15.500000"),
    (np.datetime64("2020-05-01T12:30:15.000000001", "ns"), "2020-05-01T12:30:15.000000001"),
    (np.datetime64("NaT"), None),
    (np.array(["2020-05-01", "NaT"], dtype="datetime64[ns]"), ["2020-05-01T00:00:00", None]),
    (np.array("2020-05-01", dtype="datetime64[D]"), "2020-05-01"),
    (np.timedelta64(90, "m"), 5400),
    (np.timedelta64(1_500_000_000, "ns"), 1.5),
    (np.array([1], dtype="timedelta64[D]"), [86400]),
]
PANDAS = [
    (pd.Timestamp("2020-05-01 12:00", tz="UTC"), "2020-05-01T12:00:00+00:00"),
    (pd.NaT, None),
    (pd.NA, None),
    (pd.Timedelta("1min"), 60),
    (pd.Series([1, None]), [1.0, None]),
    (pd.Series([1, None], dtype="Int64"), [1, None]),
    (pd.Series(["a", None], dtype="string"), ["a", None]),
    (pd.Series(pd.to_datetime(["2020-05-01", None])), ["2020-05-01T00:00:00", None]),
    (pd.Categorical(["a", "b", None]), ["a", "b", None]),
    (pd.Index([1, 2]), [1, 2]),
]
ARROW = [
    (pa.scalar(5), 5),
    (pa.scalar("x"), "x"),
    (pa.scalar(None, pa.int8()), None),
    (pa.scalar({"a": [1]}), {"a": [1]}),
    (pa.scalar(Decimal("1.50")), 1.5),
    (pa.scalar(date(2020, 5, 1)), "2020-05-01"),
    (pa.scalar([("a", 1)], pa.map_(pa.string(), pa.int8())), [["a", 1]]),
    (pa.array([1, None]), [1, None]),
    (pa.chunked_array([[1], [2]]), [1, 2]),
    (pa.array(["a", "a"]).dictionary_encode(), ["a", "a"]),
    (torch.tensor(5), 5),
    (torch.ones(2, dtype=torch.bfloat16, requires_grad=True), [1.0, 1.0]),
    (datasets.Dataset.from_dict({"a": [[1], [2]]}).with_format("numpy")[1], {"a": [2]}),
]
PYTHON = [
    (math.nan, None),
    (-math.inf, None),
    (2**70, 2**70),
    (Decimal("1.50"), 1.5),
    (Decimal("1E+20"), 10**20),
    (Decimal("0.1234567890123456789"), "0.1234567890123456789"),
    (Decimal("1E+99999"), "1E+99999"),
    (Decimal("NaN"), None),
    (Decimal("sNaN"), None),
    (Fraction(1, 4), 0.25),
    (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    (PurePosixPath("/a/b"), "/a/b"),
    (Colour.RED, "red"),
    (Level.HIGH, 3),
    (b"caf\xc3\xa9", "café"),
    (bytearray(b"x"), "x"),
    (memoryview(b"x"), "x"),
    (date(2020, 5, 1), "2020-05-01"),
    (datetime(2020, 5, 1, tzinfo=UTC), "2020-05-01T00:00:00+00:00"),
    (time(12, 30), "12:30:00"),
    (timedelta(hours=1, milliseconds=500), 3600.5),
    ({3, 10, 2}, [2, 3, 10]),
    (frozenset({"b", "a"}), ["a", "b"]),
    ((1, (2,)), [1, [2]]),
    (deque([1]), [1]),
    (range(3), [0, 1, 2]),
    ({"a": 1}.keys(), ["a"]),
    ({"a": 1}.values(), [1]),
    (MappingProxyType({"a": {1}}), {"a": [1]}),
    (ChainMap({"a": 1}, {"b": 2}), {"b": 2, "a": 1}),
    (Counter("aab"), {"a": 2, "b": 1}),
    (Point(1, {2}), {"x": 1, "y": [2]}),
    (Place("Oslo", Place("Norway")), {"name": "Oslo", "point": {"name": "Norway", "point": None}}),
    ({2.5: "b", True: "c", None: "d", np.int64(7): "e"}, {"2.5": "b", "true": "c", "null": "d", "7": "e"}),
    ({date(2020, 5, 1): 1, Colour.RED: 2}, {"2020-05-01": 1, "red": 2}),
    (nest(DEPTH - 2), nest(DEPTH - 2)),
]


def same(value: Any, other_value: Any) -> bool:
    """Whether two plain values are equal, kinds and order included."""
    return to_json({"": value}) == to_json({"": other_value})


@pytest.mark.parametrize(("value", "expected"), [*NUMPY, *PANDAS, *ARROW, *PYTHON])
def test_values_become_plain(value: Any, expected: Any) -> None:
    assert same(plain(value), expected)
    assert same(plain([{"a": value}]), [{"a": expected}])
    metadata = Document.from_dict({"id": "a", "text": "Ada", "field": value}).metadata
    assert same(metadata, {"field": expected}) and same(plain(metadata), metadata)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "object is no value of JSON; accepted are strings, numbers"),
        (1j, "complex is no value of JSON"),
        (np.complex64(1), "complex is no value"),
        (np.array([1j]), "complex is no value"),
        (len, "is no value"),
        (np.int64, "type is no value"),
        ((part for part in [1]), "generator is no value"),
        (pd.DataFrame({"a": [1]}), "DataFrame is no value"),
        (b"\xff", "its bytes are not UTF-8 at byte 0; decode them first"),
        (np.array([b"\xff"]), "its bytes are not UTF-8"),
        (np.timedelta64(1, "M"), "is no number of seconds"),
        ([10**4300], "more than 4,300 digits"),
        ([-(10**9000)], "more than 4,300 digits"),
        (Fraction(10**400, 3), "beyond the range of floats"),
        (torch.ones(2, device="meta"), "Tensor cannot be read"),
        ({1: "a", "1": "b"}, "two fields have the name '1'"),
        ({np.int64(1): "a", "1": "b"}, "two fields have the name '1'"),
        ({(1, 2): "a"}, "the name of a field is a string"),
        (self_reference([]), "contains itself"),
        (self_reference({}), "contains itself"),
        (nest(DEPTH + 1), "nested more than 100 levels deep"),
        (nest(100_000), "nested more than 100 levels deep"),
        ("\ud800", "not valid Unicode"),
        ({"\ud800": 1}, "not valid Unicode"),
    ],
)
def test_what_json_lacks_is_refused_by_document_and_field(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"document 'a', field 'colour'.*{message}"):
        Document.from_dict({"id": "a", "text": "Ada", "year": 1905, "colour": value})


@settings(max_examples=25, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
        lambda parts: st.lists(parts) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), parts),
    )
)
def test_all_metadata_is_valid_json_and_comes_back(value: Any) -> None:
    metadata = Document.from_dict({"id": "a", "text": "Ada", "field": value}).metadata

    def refuse(word: str) -> None:
        raise AssertionError(word)

    assert json.loads(to_json(metadata), parse_constant=refuse) == metadata


def test_names_of_fields_are_strings_without_collisions() -> None:
    assert Document.from_dict({"id": "a", "text": "Ada", 1905: 1}).metadata == {"1905": 1}
    with pytest.raises(ValueError, match="document 'a': the name of a field is a string"):
        Document.from_dict({"id": "a", "text": "Ada", (1, 2): 1})
    with pytest.raises(ValueError, match="document 'a' has two fields '1905'"):
        Document.from_dict({"id": "a", "text": "Ada", 1905: 1, "1905": 2})


@pytest.mark.parametrize("text", ["Zoë", np.str_("Zoë"), "Zoë".encode(), np.bytes_("Zoë".encode()), pa.scalar("Zoë")])
def test_text_of_any_library_is_read(text: Any) -> None:
    document = Document.from_dict({"id": text, "text": text})
    assert document == Document("Zoë", "Zoë") and type(document.text) is type(document.id) is str


@pytest.mark.parametrize(
    "text", [None, math.nan, 5, b"\xff", ["Ada"], {"a": 1}, "", " ", "\ud800", pd.NA, PurePosixPath("a.txt")]
)
def test_other_texts_are_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="document 'a'"):
        Document.from_dict({"id": "a", "text": text})


GOOD_IDS = [
    ("a", "a"),
    (7, "7"),
    (np.int64(7), "7"),
    (np.str_("a"), "a"),
    (b"a", "a"),
    (pa.scalar(7), "7"),
    (10**30, str(10**30)),
]
GOOD_IDS += [(np.array(7), "7"), (torch.tensor(7), "7"), (UUID(int=5), str(UUID(int=5))), ("\0", "\0"), (" ", " ")]


@pytest.mark.parametrize(("name", "expected"), GOOD_IDS)
def test_ids_are_strings_or_whole_numbers_of_any_library(name: Any, expected: str) -> None:
    assert Document.from_dict({"id": name, "text": "Ada"}).id == expected
    assert as_ids(name) == as_ids([name]) == as_ids(iter([name])) == [expected]


@pytest.mark.parametrize(
    "name",
    [1.0, np.float32(7), math.nan, True, np.bool_(False), None, "", b"", pd.NA, ["a"], "\ud800", object(), {"a": 1}],
)
def test_other_ids_are_refused(name: Any) -> None:
    for use in (lambda: Document.from_dict({"id": name, "text": "Ada"}), lambda: as_ids(["b", name])):
        with pytest.raises(ValueError, match=r"non-empty string or whole number|not valid Unicode|no value of JSON"):
            use()


def test_the_remedy_for_float_ids_is_said() -> None:
    with pytest.raises(ValueError, match=r"it has 7\.0; turn the float into a whole number or a string"):
        as_ids(7.0)


@pytest.mark.parametrize(
    "ids", [[1, 2], (1, 2), np.array([1, 2]), pd.Series([1, 2]), pa.array([1, 2]), {1: 0, 2: 0}.keys()]
)
def test_ids_come_in_any_iterable(ids: Any) -> None:
    assert as_ids(ids) == ["1", "2"]


@pytest.mark.parametrize(
    "ids", [{"id": "a"}, Document("a", "Ada"), pd.DataFrame({"id": ["a"]}), [Document("a", "Ada")], None]
)
def test_documents_are_no_ids(ids: Any) -> None:
    with pytest.raises(ValueError, match="an id is needed"):
        as_ids(ids)


ROWS = [{"id": 1, "text": "Ada", "year": 1815}, {"id": 2, "text": "Gauß", "year": None}]
FRAME = pd.DataFrame(ROWS, index=[5, 5])
SOURCES = {
    "list": ROWS,
    "generator": (row for row in ROWS),
    "documents": [Document("1", "Ada", {"year": np.int64(1815)}), Document("2", "Gauß", {"year": math.nan})],
    "pandas": FRAME,
    "pandas with NA": FRAME.convert_dtypes(),
    "records": FRAME.astype(object).to_dict("records"),
    "arrow": pa.Table.from_pylist(ROWS),
    "arrow batch": pa.RecordBatch.from_pylist(ROWS),
    "datasets": datasets.Dataset.from_list(ROWS),
    "datasets with numpy": datasets.Dataset.from_list(ROWS).with_format("numpy"),
    "parts": pa.Table.from_pylist(ROWS).to_reader(max_chunksize=1),
    "frames": (FRAME.iloc[[row]] for row in range(2)),
    "datasets with arrow": datasets.Dataset.from_list(ROWS).with_format("arrow"),
    "datasets streamed": datasets.Dataset.from_list(ROWS).to_iterable_dataset(),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_documents_come_from_tables_and_iterables(kind: str) -> None:
    documents = list(as_documents(SOURCES[kind]))
    assert documents == [Document("1", "Ada", {"year": 1815}), Document("2", "Gauß", {"year": None})]
    assert "NaN" not in to_json(documents[1].metadata)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"id": "a", "text": "Ada"}, "not one dict; put a document in a list"),
        (Document("a", "Ada"), "not one Document; put a document in a list"),
        (datasets.DatasetDict(train=datasets.Dataset.from_list(ROWS)), "not one DatasetDict; .*choose a split"),
        ("corpus.jsonl", "not str; `nerret index` reads files"),
        (PurePosixPath("corpus.jsonl"), "not PurePosixPath"),
        (None, "not NoneType"),
        (pd.DataFrame({"body": ["Ada"]}), "this one has 'body'"),
        (pd.DataFrame([[1, "Ada", 2, 3]], columns=["id", "text", "x", "x"]), "no two of one name"),
        (pd.DataFrame([[1, "Ada", 2, 3]], columns=["id", "text", 1, "1"]), "no two of one name"),
        (pa.table([["1"], ["Ada"], [1], [2]], names=["id", "text", "x", "x"]), "no two of one name"),
    ],
)
def test_other_sources_are_refused_at_once(source: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_documents(source)


def test_a_table_with_a_cell_that_is_not_unicode_is_refused_with_its_place() -> None:
    texts = pa.array([b"Ada"] * 1_500 + [b"\xff"]).view(pa.string())
    table = pa.table({"id": [*range(1_501)], "text": texts})
    with pytest.raises(ValueError, match="rows 1000 to 1500 of the table"):
        list(as_documents(table))


@pytest.mark.parametrize("entry", ["Ada", 5, None, ("id", "text"), FRAME.iloc[0]])
def test_other_entries_are_refused(entry: Any) -> None:
    with pytest.raises(ValueError, match="a document is"):
        list(as_documents([entry]))


MENTIONS = [
    [{"start": 0, "end": 3}],
    ({"start": np.int64(0), "end": np.int8(3), "type": "person"},),
    np.array([{"start": 0, "end": 3}]),
    pa.array([{"start": 0, "end": 3}]),
    (Span(0, 3),),
]


@pytest.mark.parametrize("mentions", MENTIONS, ids=str)
def test_mentions_are_spans_only_if_asked_for(mentions: Any) -> None:
    entry = {"id": "a", "text": "Ada", "mentions": mentions}
    assert Document.from_dict(entry, spans=True) == Document("a", "Ada", {}, (Span(0, 3),))
    document = Document.from_dict(entry)
    assert document.mentions == () and len(document.metadata["mentions"]) == 1


@pytest.mark.parametrize("value", [3, ["@anton"], "[]", 0, None, [{"start": 9, "end": 3}]])
def test_a_field_called_mentions_is_kept(value: Any) -> None:
    assert Document.from_dict({"id": "a", "text": "Ada", "mentions": value}).metadata == {"mentions": value}


@pytest.mark.parametrize(
    "mentions", [3, 0, "x", ["@anton"], [{"start": 0.0, "end": 3}], [{"end": 3}], [[0, 3]], [{"start": 0, "end": 9}]]
)
def test_broken_mentions_are_refused_if_asked_for(mentions: Any) -> None:
    with pytest.raises(ValueError, match=r"document 'a': (mentions are a list|a mention is|span \[0, 9\))"):
        Document.from_dict({"id": "a", "text": "Ada", "mentions": mentions}, spans=True)


def test_documents_that_callers_made_are_checked_when_they_are_added() -> None:
    (document,) = as_documents([Document("a", "Ada", {"n": np.int64(1), "x": math.nan}, (Span(np.int64(0), 3, 0.5),))])
    assert same(document.metadata, {"n": 1, "x": None}) and document.mentions == (Span(0, 3, 0.5),)
    bad = [("", "Ada"), ("a", ""), ("a", "Ada", {"x": object()}), ("a", "Ada", None), ("a", "Ada", {}, (Span(0, 9),))]
    bad += [("a", "Ada", {}, (Span(0, 3, score),)) for score in (math.nan, 1.5, -0.1, "1")]
    for parts in bad:
        with pytest.raises(ValueError, match="document"):
            list(as_documents([Document(*parts)]))


def test_spans_may_be_whole_numbers_of_numpy() -> None:
    check_span("Ada", np.int64(0), np.uint8(3))
    for start in (0.0, "0", None, np.float32(0)):
        with pytest.raises(ValueError, match="is not a pair of whole numbers"):
            check_span("Ada", start, 3)  # type: ignore[arg-type]
