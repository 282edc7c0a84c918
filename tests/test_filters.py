"""Filters on metadata, on a table as the index has it: against plain Python, and as people write them."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modeling_nerret.index.filter_text import parse_filter
from modeling_nerret.index.filters import Filter, Where
from modeling_nerret.metadata import as_number, number_key
from tests.plain_filters import NAMES, NUMBERS, ORDER, TEXTS, Rows, satisfies


def found(folder: Path, documents: list[dict[str, Any]], where: Where) -> list[int]:
    return sorted(Rows(folder, documents).passing(where))


# --- numbers

WHOLE = st.integers() | st.integers(-(2**80), 2**80) | st.integers(-300, 300)
ANY_NUMBER = WHOLE | st.floats(allow_nan=False, allow_infinity=False) | st.floats(-2, 2)


@given(ANY_NUMBER, ANY_NUMBER)
@example(2**53, 2**53 + 1)
@example(2**60, 2.0**60)
@example(-12, -125)
@example(0, -0.0)
@example(5e-324, 0)
@example(0.1, 1e-1)
@example(1.7976931348623157e308, 10**400)
@settings(max_examples=500, deadline=None)
def test_keys_of_numbers_sort_as_the_numbers_do(first: float, second: float) -> None:
    key, second_key = number_key(first), number_key(second)
    assert (key < second_key, key == second_key) == (first < second, first == second)


@pytest.mark.parametrize(
    "text", ["0", "1905", "-7", "0.5", "-2.5", "123456789012345678901", "0.00001", "10000000000.25"]
)
def test_canonical_spellings_are_numbers(text: str) -> None:
    number = as_number(text)
    assert number is not None and number_key(number) == number_key(Decimal(text))


CODES = ["02134", "00", "-0", "+5", "1e3", "1.50", "1905.0", "1_000", "1,5", ".5", "5.", "٣", "²", "0x10", "nan", "inf"]
CODES += ["1.0e-5", "--1", "0.1234567890123456789", "", " 5", "5 ", "5\n", "9" * 5000, f"0.{'0' * 400}1"]


@pytest.mark.parametrize("text", CODES)
def test_other_spellings_are_texts(text: str) -> None:
    assert as_number(text) is None


# --- against plain Python

FIELDS = st.sampled_from(NAMES)
SCALARS = st.sampled_from([*TEXTS, *NUMBERS, True, False])
VALUES = st.recursive(
    SCALARS | st.none() | st.just(math.nan),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(FIELDS, parts, max_size=2),
    max_leaves=4,
)
COMPARISONS = st.one_of(
    SCALARS,
    st.dictionaries(st.sampled_from(["==", "!=", *ORDER]), SCALARS, min_size=1, max_size=2),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"in": st.lists(SCALARS, max_size=3)}),
    st.fixed_dictionaries({"contains": st.sampled_from(TEXTS)}),
)
FILTERS = st.dictionaries(FIELDS, COMPARISONS, min_size=1, max_size=3)


@pytest.mark.slow
@pytest.mark.parametrize("btree", [False, True])
def test_filters_do_what_plain_python_does(tmp_path_factory: pytest.TempPathFactory, btree: bool) -> None:
    @given(
        st.lists(st.dictionaries(FIELDS, VALUES, max_size=4), min_size=12, max_size=30),
        st.lists(FILTERS | st.lists(FILTERS, min_size=1, max_size=3), min_size=20, max_size=20),
    )
    @settings(max_examples=15, deadline=None, derandomize=True)
    def compare(documents: list[dict[str, Any]], filters: list[Any]) -> None:
        rows = Rows(tmp_path_factory.mktemp("rows"), documents, btree)
        for where in filters:
            expected = {key for key, metadata in rows.documents.items() if satisfies(metadata, where)}
            assert rows.passing(where) == expected, where

    compare()


# --- what people write

CODES_AND_NUMBERS = [{"zip": "02134"}, {"zip": "2134"}, {"zip": 2134}, {"zip": "2134.0"}, {}]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["zip=02134"], [1]),
        (["zip!=02134"], [2, 3, 4]),
        (["zip=2134"], [2, 3]),
        (["zip!=2134"], [1, 4]),
        (["zip>=2134"], [2, 3, 4]),
        (["zip>2134"], []),
        (["zip<=2.134e3"], [2, 3, 4]),
        (["zip in 02134, 2134"], [1, 2, 3]),
        (["zip contains 134"], [1, 2, 4]),
        (["zip=02134 || zip=2134.0"], [1, 4]),
        (["zip"], [1, 2, 3, 4]),
        (['{"zip": {"exists": false}}'], [5]),
    ],
)
def test_codes_are_texts_and_numbers_are_numbers(tmp_path: Path, conditions: list[str], expected: list[int]) -> None:
    assert found(tmp_path, CODES_AND_NUMBERS, parse_filter(conditions)) == expected


def test_prices_of_a_csv_file_are_ordered_as_numbers(tmp_path: Path) -> None:
    prices = [{"price": text} for text in ("10.00", "9.99", "1e-05", " 12", "free", "-3.50")]
    assert found(tmp_path, prices, parse_filter(["price>9.99"])) == [1, 4]
    assert found(tmp_path, prices, {"price": {"<": 9.99, ">=": -3.5}}) == [3, 6]


def test_whole_numbers_are_exact_beyond_those_of_floats(tmp_path: Path) -> None:
    numbers = [{"n": number} for number in (2**53, 2**53 + 1, str(2**53 + 1), 2**64 - 1, -(10**40), float(2**53))]
    assert (
        found(tmp_path, numbers, {"n": 2**53 + 1})
        == found(tmp_path, numbers, parse_filter([f"n={2**53 + 1}"]))
        == [2, 3]
    )
    assert found(tmp_path, numbers, {"n": {">": 2**53, "<": 2**64 - 1}}) == [2, 3]
    assert found(tmp_path, numbers, {"n": np.uint64(2**64 - 1)}) == [4]
    assert found(tmp_path, numbers, {"n": {"<=": 2**53}}) == [1, 5, 6]


def test_nan_satisfies_nothing(tmp_path: Path) -> None:
    numbers = [{"n": math.nan}, {"n": math.inf}, {"n": pd.NA}, {"n": 1}]
    assert found(tmp_path, numbers, {"n": {">=": -1e300}}) == found(tmp_path, numbers, {"n": {"!=": 5}}) == [4]
    for value in (math.nan, math.inf, np.float32("nan"), pd.NaT, pd.NA):
        with pytest.raises(ValueError, match=r"the filter on 'n' compares with .*; accepted are finite numbers"):
            Filter({"n": value})


def test_values_of_libraries_are_compared_as_they_are_stored(tmp_path: Path) -> None:
    day = date(2020, 5, 1)
    documents = [{"day": pd.Timestamp(day), "flag": np.True_, "n": np.int8(3)}, {"day": np.datetime64("2021-01-01")}]
    for where in ({"day": {"<": np.datetime64("2021", "D")}}, {"day": pd.Timestamp(day)}, {"flag": np.bool_(True)}):
        assert found(tmp_path, documents, where) == [1]
    for values in (np.array([3, 4]), pd.Series([3]), {3}, (3, "x"), pa.array([3])):
        assert found(tmp_path, documents, {"n": {"in": values}}) == [1]


def test_moments_are_compared_as_iso_strings(tmp_path: Path) -> None:
    moments = [{"at": datetime(2020, 5, 1, hour, tzinfo=UTC)} for hour in (8, 12)]
    assert found(tmp_path, moments, {"at": {">": datetime(2020, 5, 1, 10, tzinfo=UTC)}}) == [2]
    assert found(tmp_path, moments, {"at": {">=": date(2020, 5, 1), "<": date(2020, 5, 2)}}) == [1, 2]


@pytest.mark.parametrize(
    "part", ["it's", 'say "x"', "100%", "a_b", "\\d", "tab\t", "\0", "ÉTÉ", "寿司", "--", "; DROP TABLE"]
)
def test_parts_of_texts_are_literal(tmp_path: Path, part: str) -> None:
    documents = [{"title": f"before {part} after"}, {"title": "before after"}, {"before": part}]
    assert found(tmp_path, documents, {"title": {"contains": part.lower()}}) == [1]
    if part == part.strip():
        assert found(tmp_path, documents, parse_filter([f"title contains {part}"])) == [1]


ODD_NAMES = [
    "dc:title",
    "a/b",
    "año",
    "my field",
    "it's",
    'q"x"',
    "a.b.c",
    "",
    "{x}",
    "\n",
    "\0",
    "x' OR 1=1 --",
    "in",
    "𝄞",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_fields_may_have_any_name(tmp_path: Path, name: str) -> None:
    rows = Rows(tmp_path, [{name: "x"}, {f"{name}2": "x"}, {}])
    assert rows.passing({name: "x"}) == rows.passing(parse_filter([json.dumps({name: "x"})])) == {1}
    if name.strip() == name and not set(name) & set("{="):
        assert rows.passing(parse_filter([f"{name}=x"])) == {1}
    rows.check({name: {"exists": True}})


@pytest.mark.parametrize(
    ("conditions", "where"),
    [
        ([], {}),
        (["a=1", "a<=2"], {"a": {"==": 1, "<=": 2}}),
        (["a==b=c"], {"a": {"==": "b=c"}}),
        (["a != <b>"], {"a": {"!=": "<b>"}}),
        (["a= <b>", "c=-5"], {"a": {"==": "<b>"}, "c": {"==": -5}}),
        (["p<1e-3"], {"p": {"<": Decimal("1e-3")}}),
        (["p=1e-3"], {"p": {"==": "1e-3"}}),
        (["title contains in 5"], {"title": {"contains": "in 5"}}),
        (["a=", "my field"], {"a": {"==": ""}, "my field": {"exists": True}}),
        (["a=1||b=2", "c=3"], [{"a": {"==": 1}, "c": {"==": 3}}, {"b": {"==": 2}, "c": {"==": 3}}]),
        (['[{"a": 1}, {"b": {"in": ["x, y"]}}]'], [{"a": {"==": 1}}, {"b": {"in": ["x, y"]}}]),
    ],
)
def test_conditions_on_the_command_line(conditions: list[str], where: Any) -> None:
    assert parse_filter(conditions) == where


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ([" "], 'write "field=value"'),
        (["a=1 || "], 'write "field=value"'),
        (["a=1", "a=2"], "compares 'a' twice with =="),
        (['{"a": 1'], "begins as JSON and is none"),
        (['{"a": {"b": 1}}'], "names of nested fields are joined by dots"),
        (['{"a": NaN}'], "accepted are finite numbers"),
        (['{"a": 1, "a": 2}'], "the field 'a' stands twice"),
        (["name<>Ada"], "unknown comparison '<>'.* a space before a value"),
        (["year=<1905"], "unknown comparison '=<'"),
        (["title=~sea"], "unknown comparison '=~'"),
        (["{" * 90_000], "begins as JSON and is none"),
        ([f"c{number}=1||d{number}=2" for number in range(7)], "accepted are at most 100"),
    ],
)
def test_broken_conditions_say_what_is_accepted(conditions: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_filter(conditions)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("year=1", "a filter is a mapping"),
        ([], "a filter is a mapping"),
        ([{"year": 1}, 5], "a filter is a mapping"),
        ([{"year": 1}] * 101, "accepted are at most 100"),
        ({"year": {}}, "is empty"),
        ({"year": None}, "for none"),
        ({"year": [1900]}, "for several values"),
        ({"year": {"in": "1900"}}, "accepted is a list"),
        ({"year": {"in": [[1]]}}, "accepted are strings"),
        ({"year": {"contains": 5}}, "accepted is a string"),
        ({"year": {"exists": 1}}, "accepted are true and false"),
        ({"year": {">": 10**5000}}, "4,300 digits"),
        ({"year": {">": Decimal("1e9999")}}, "4,300 digits"),
        ({1: "a", "1": "b"}, "two fields '1'"),
        ({(1,): "a"}, "the name of a field"),
        ({"\ud800": 1}, "not valid Unicode"),
        ({"year": "\ud800"}, "not valid Unicode"),
        ({"year": object()}, "no value of JSON"),
    ],
)
def test_broken_filters_say_what_is_accepted(where: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Filter(where)


DOCUMENTS = [
    {
        "year": 1905,
        "topic": "sea",
        "author": {"name": "Ada"},
        "issue": "7.0",
        "draft": True,
        "null": None,
        "nan": math.nan,
    }
]
DOCUMENTS += [{"year": None, "empty": [], "nulls": [[None], {}]}]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"yaer": 1905}, "no document has a field 'yaer'; the nearest name is 'year'"),
        ({"author": "Ada"}, "no document has a field 'author'; the nearest name is 'author.name'"),
        ({"zzz": {"exists": True}}, "no document has a field 'zzz'; names of nested fields are joined by dots"),
        ([{"year": 1905}, {"": {"!=": 1}}], "no document has a field ''"),
        ({"year": "1905"}, "'year' has only numbers, and '1905' is a text; compare with numbers"),
        ({"year": {"contains": "19"}}, "has only numbers"),
        ({"year": {"!=": "MCM"}}, "has only numbers"),
        (
            {"topic": {">": 5}},
            """only texts, and 5 is a number; compare with a text: {"topic": {">": "5"}}""",
        ),
        ({"draft": 1}, "has only texts"),
        ({"topic": {"in": [5, 6]}}, "has only texts"),
        ({"issue": 7}, "has 7 only as a text in another spelling, such as 7.0"),
    ],
)
def test_filters_that_no_document_can_satisfy_are_refused(tmp_path: Path, where: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rows(tmp_path, DOCUMENTS).check(where)


@pytest.mark.parametrize(
    "where",
    [
        {"year": 1}, {"zzz": {"exists": False}}, {"topic": {"in": ["x", 5]}}, {"issue": {">": 3}}, {"issue": "7.00"},
        {"year": {"in": []}}, {"draft": "x"}, {}, {"null": 5}, {"nan": {">": 0}}, {"empty": "x"}, {"nulls": "x"},
    ],
)  # fmt: skip
def test_filters_that_a_document_might_satisfy_are_not(tmp_path: Path, where: Any) -> None:
    Rows(tmp_path, DOCUMENTS).check(where)


@pytest.mark.parametrize("name", ["null", "nan", "empty", "nulls"])
def test_nulls_and_empty_lists_are_no_values(tmp_path: Path, name: str) -> None:
    assert found(tmp_path, DOCUMENTS, {name: {"exists": True}}) == []
    assert found(tmp_path, DOCUMENTS, {name: {"exists": False}}) == [1, 2]
    assert found(tmp_path, DOCUMENTS, {name: {"!=": "x"}}) == []


def test_a_filter_has_as_many_branches_and_values_as_it_may(tmp_path: Path) -> None:
    rows = Rows(tmp_path, DOCUMENTS, btree=True)
    assert rows.passing([{"year": number, "topic": "sea"} for number in range(1806, 1906)]) == {1}
    assert rows.passing({"year": {"in": [*range(10_000)]}}) == {1}
