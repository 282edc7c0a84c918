"""Texts of which all mentions have open types: where they stand, and what their types bring along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modeling_nerret.spans import Span
from modeling_nerret.training.data import open_sets
from modeling_nerret.training.data.annotated import Annotated
from modeling_nerret.training.data.open_sets import Companions, mention_sets
from modeling_nerret.training.data.sets import Data, read_sources
from modeling_nerret.training.recipes import SetEntry

TEXT = "A cold wind blew over the wind farm; the wind was cold, the windows shut."
LABELS = {"wind": "weather phenomenon; cold", "wind farm": "power station; structure"}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Data:
    """A folder with one small set, of which three texts are labelled."""
    labels, folder = tmp_path / "mentions", tmp_path / "data"
    labels.mkdir(), folder.mkdir()
    lines = [{"id": f"small-{number}", "text": TEXT, "mentions": []} for number in range(4)]
    (folder / "small.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (labels / "small.jsonl").write_text(
        "".join(json.dumps({"id": f"small-{number}", "mentions": LABELS}) + "\n" for number in range(3))
    )
    monkeypatch.setattr(open_sets, "MENTIONS", labels)
    return Data.of([str(folder)])


def test_words_are_labelled_wherever_they_stand_by_themselves(data: Data) -> None:
    (source,) = read_sources(SetEntry("mentions", 0.5), data)
    assert [text.id for text in source.texts] == ["small-0", "small-1", "small-2"] and source.weight == 0.5
    for text in source.texts:
        assert [TEXT[span.start : span.end] for span in text.mentions] == ["wind", "wind", "wind farm", "wind"]
        assert text.mentions[Span(7, 11)] == ("weather phenomenon", "cold")
        assert "power station" in text.mentions[Span(26, 35)]


@pytest.mark.parametrize("text", ["A cold sea", None])
def test_another_text_than_the_labelled_one_is_refused(data: Data, text: str | None) -> None:
    line = {"id": "small-0" if text else "other", "text": text or TEXT, "mentions": []}
    (data.folder / "small.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(ValueError, match="the text 'small-0' differs from the one that got open types"):
        read_sources(SetEntry("mentions"), data)


def labelled(*groups: str) -> list[Annotated]:
    """Texts with one mention each, whose types are `groups`."""
    return [Annotated(str(number), "x", {Span(0, 1): tuple(names.split("; "))}) for number, names in enumerate(groups)]


def test_a_type_brings_what_nearly_all_of_its_mentions_have() -> None:
    texts = labelled(*["river; place"] * 9, "river", *["place"] * 5)
    assert [*Companions(texts).complete(texts[9]).mentions.values()] == [("river", "place")]


def test_what_some_of_its_mentions_have_is_neither_right_nor_wrong() -> None:
    texts = labelled(*["drug; substance"] * 5, *["drug"] * 5, *["substance"] * 9, "jazz singer; person", "singer")
    companions = Companions(texts)
    drug, singer = companions.complete(texts[5]), companions.complete(texts[-2])
    assert [*drug.mentions.values()] == [("drug",)] and [*drug.perhaps.values()] == [{"substance"}]
    assert [*singer.perhaps.values()] == [{"singer"}]


def test_a_broad_type_is_not_excused_from_a_fine_one() -> None:
    texts = labelled(*["drug; substance"] * 5, *["substance"] * 9)
    assert not Companions(texts).complete(texts[-1]).perhaps


def test_the_committed_labels_are_well_formed() -> None:
    ids = set()
    for path in sorted(open_sets.MENTIONS.glob("*.jsonl")):
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            assert line["id"] not in ids and line["mentions"], line
            ids.add(line["id"])
            for words, labels in line["mentions"].items():
                names = labels.split("; ")
                assert words == words.strip() and words and len(set(names)) == len(names) <= 6, line
                assert all(name == " ".join(name.split()) and 0 < len(name) <= 40 for name in names), line
    assert len(ids) > 14_000 and "extracts" in mention_sets()
