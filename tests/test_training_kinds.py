"""Sets of kinds: what WordNet says of a word, what a parser sees in a text, and that training reads what is built."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from modeling_nerret.spans import Span
from modeling_nerret.training.data.annotated import Annotated
from modeling_nerret.training.data.sets import Data, read_sources
from modeling_nerret.training.data.source import Source
from modeling_nerret.training.kinds import build
from modeling_nerret.training.kinds.amounts import AMOUNTS, amount_type, with_broader
from modeling_nerret.training.kinds.phrases import parse
from modeling_nerret.training.kinds.wordnet import WordNet
from modeling_nerret.training.recipes import SetEntry

# words of a meaning, the meaning above it, and its gloss
MEANINGS = [
    ("entity", "", "that which exists"),
    ("object", "entity", "a thing that can be seen"),
    ("being", "object", "a thing that lives"),
    ("animal", "being", "a being that moves by itself"),
    ("mammal", "animal", 'an animal that feeds its young with milk; "a whale is a mammal too"'),
    ("dog", "mammal", 'a mammal that guards the house; "the dogs barked all night"'),
    ("sea_lion", "mammal", "a mammal with fins that lives on the coast"),
    ("mouse", "mammal", "a small mammal with a long tail"),
    ("bat", "mammal", "a mammal that flies by night"),
    ("tool", "object", "a thing that is made for some work"),
    ("bat", "tool", "a tool that hits a ball"),
]


def _offset(number: int) -> str:
    return f"{number + 1:08}"


@pytest.fixture
def wordnet(tmp_path: Path) -> Path:
    """A folder of WordNet's files with eleven meanings."""
    folder, words = tmp_path / "wordnet", [word for word, _, _ in MEANINGS]
    folder.mkdir()
    lines, senses = ["  1 a licence"], dict.fromkeys(words, "")
    for number, (word, parent, gloss) in enumerate(MEANINGS):
        pointers = f"001 @ {_offset(words.index(parent))} n 0000" if parent else "000"
        lines.append(f"{_offset(number)} 03 n 01 {word} 0 {pointers} | {gloss}")
        senses[word] += f" {_offset(number)}"
    index = [f"{word} n {ids.count(' ')} 1 @ {ids.count(' ')} 0{ids}" for word, ids in senses.items()]
    for name, content in (("data.noun", lines), ("index.noun", index), ("noun.exc", ["mice mouse"])):
        (folder / name).write_text("\n".join(content) + "\n")
    return folder


class Parser:
    """A parser of texts whose words are marked: `the/DET old/ADJ dog/NOUN`; nouns end a phrase, digits are dates."""

    def pipe(self, texts: Iterable[str], batch_size: int) -> Iterator[SimpleNamespace]:
        for text in texts:
            yield _parsed(text)


class _Words(list):
    """A list of words with noun phrases and labels."""

    noun_chunks: list[SimpleNamespace]
    ents: list[SimpleNamespace]


TAGS = {"the": "DET", "a": "DET", "old": "ADJ", "small": "ADJ", "barked": "VERB", "in": "ADP", "1984": "NUM"}


def _parsed(text: str) -> _Words:
    words, place = _Words(), 0
    for number, word in enumerate(text.split()):
        tag = TAGS.get(word.lower(), "PROPN" if word[0].isupper() and number else "NOUN")
        words.append(Word(number, place, word, tag))
        place += len(word) + 1
    words.noun_chunks, start = [], 0
    for word in words:
        if word.pos_ in ("VERB", "ADP"):
            start = word.i + 1
        elif word.pos_ in ("NOUN", "PROPN") and (word.i + 1 == len(words) or words[word.i + 1].pos_ != "NOUN"):
            words.noun_chunks.append(SimpleNamespace(root=word, start=start, doc=words))
    words.ents = [
        SimpleNamespace(start_char=word.idx, end_char=word.idx + len(word), label_="DATE")
        for word in words
        if word.pos_ == "NUM"
    ]
    return words


class Word(SimpleNamespace):
    def __init__(self, number: int, place: int, text: str, tag: str):
        lemma = text.lower().removesuffix("s")
        super().__init__(i=number, idx=place, text=text, pos_=tag, dep_="", lemma_=lemma)

    def __len__(self) -> int:
        return len(self.text)


def test_a_word_has_the_types_that_its_meanings_share(wordnet: Path) -> None:
    nouns = WordNet(wordnet)
    assert sorted(nouns.types.values()) == ["animal", "mammal"]  # others are too abstract, or too narrow
    assert nouns.certain("dog") == {"animal", "mammal"}
    assert nouns.certain("bat") == set() and nouns.possible("bat") == {"animal", "mammal"}
    assert nouns.find(["young", "sea", "lion"]) == "sea lion"
    assert nouns.find(["mice"]) == "mouse" and nouns.find(["gnu"]) is None


@pytest.mark.parametrize(
    ("name", "rest", "fault"), [("data.noun", None, "lacks the meaning"), ("index.noun", "bat n", "has not the nouns")]
)
def test_half_a_wordnet_is_refused(name: str, rest: str | None, fault: str, wordnet: Path) -> None:
    lines = (wordnet / name).read_text().splitlines()
    (wordnet / name).write_text("\n".join([*lines[:5], *([rest] if rest else [])]))
    with pytest.raises(ValueError, match=fault):
        WordNet(wordnet)


def test_the_parts_of_a_phrase_are_it_and_its_nouns() -> None:
    (result,) = parse(Parser(), ["the old school bus barked in the Oslo rain"])
    text = "the old school bus barked in the Oslo rain"
    parts = [{text[start:end] for start, end in phrase.parts()} for phrase in result.phrases]
    assert parts == [{"old school bus", "school bus", "school"}, {"Oslo rain", "Oslo"}]


def test_amounts_have_types_and_each_type_has_wordings() -> None:
    labels = ("CARDINAL", "DATE", "MONEY", "ORDINAL", "PERCENT", "QUANTITY", "TIME")
    texts = ("two weeks", "aged 40", "1984", "5 May", "about an hour", "noon", "60 years old")
    amounts = {amount_type(text, label) for label in labels for text in texts} - {None}
    assert {name for amount in amounts for name in with_broader(str(amount))} == set(AMOUNTS)
    assert amount_type("two weeks", "DATE") == "duration" and amount_type("60 years old", "DATE") == "age"


def test_what_is_built_is_read_for_training(
    wordnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own_text = "the old dogs barked in 1984"
    monkeypatch.setattr(build, "load_parser", Parser)
    monkeypatch.setattr(build, "_own_texts", lambda: [build.Text("corpus 1", own_text, [])])
    monkeypatch.setattr(build, "_set_texts", lambda folder: [build.Text("set 1", "a small bat", [Span(0, 1)])])
    extracts = {
        "Rex (dog)": {"extract": "the small Rex barked in a house in a town", "description": "old dog"},
        "Max": {"extract": "Max barked in the old town in the rain in 1984", "description": "dog"},
    }
    (tmp_path / "extracts.json").write_text(json.dumps(extracts))
    (tmp_path / "avoid").mkdir()
    text = json.dumps({"id": "1", "text": "x Max barked in the old town in the rain", "mentions": []})
    (tmp_path / "avoid" / "test.jsonl").write_text(text + "\n")
    arguments = ["--wordnet", str(wordnet), "--data", str(tmp_path), "--extracts", str(tmp_path / "extracts.json")]
    assert build.main([*arguments, "--avoid", str(tmp_path / "avoid")]) == 0
    assert str(tmp_path) in capsys.readouterr().out

    (kinds,), (phrases,) = (read_sources(SetEntry(name), Data(tmp_path)) for name in ("kinds", "phrases"))
    mentions = {
        text.text: {text.text[start:end]: types for (start, end, _), types in text.mentions.items()}
        for text in kinds.texts
    }
    mammal = ("animal", "mammal")
    assert mentions[own_text] == {"old dogs": mammal, "dogs": mammal, "1984": ("year", "date")}
    assert mentions["the dogs barked all night"] == {"dogs": mammal}
    assert mentions["dog: a mammal that guards the house"] == {"dog": mammal, "mammal": mammal}
    assert mentions["A sea lion is a mammal with fins that lives on the coast"] == {
        "sea lion": mammal,
        "mammal": mammal,
    }
    assert mentions["a small bat"] == {"small bat": (), "bat": ()}
    (bat,) = (text for text in kinds.texts if text.text == "a small bat")
    assert set(bat.perhaps.values()) == {frozenset(mammal)}
    assert mentions["the small Rex barked in a house in a town"]["Rex"] == mammal  # what its description says
    assert not any(text.text.startswith("Max") for text in kinds.texts)  # it shares eight words with a test
    assert kinds.wordings["mammal"][0] == "mammal" and kinds.wordings["year"] == ["year"]

    (bat,) = (text for text in phrases.texts if text.text == "a small bat")
    certain = {bat.text[start:end]: bool(types) for (start, end, _), types in bat.mentions.items()}
    assert not phrases.has_names
    assert certain == {"a": True, "small bat": True, "bat": True, "small": False}
    lines = (tmp_path / "extracts.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["article Rex (dog) part 0"]


def test_words_and_descriptions_are_built_with_the_types_of_kinds(
    wordnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "load_parser", Parser)
    monkeypatch.setattr(build, "_own_texts", list)
    monkeypatch.setattr(build, "_set_texts", lambda folder: [])
    extracts = {
        "Big Rex (dog)": {"extract": "the small Big Rex barked in a house in a town", "description": "Old dog (1984)"},
        "Ben": {"extract": "Ben barked in the town in the rain at Big Rex of Rome", "description": "Dog in Rome"},
        "Batman": {"extract": "the old Batman barked in the town in the rain", "description": "Bat"},
    }
    (tmp_path / "extracts.json").write_text(json.dumps(extracts))
    arguments = ["--wordnet", str(wordnet), "--data", str(tmp_path), "--extracts", str(tmp_path / "extracts.json")]
    assert build.main(arguments) == 0
    (words,), (titles,) = (read_sources(SetEntry(name), Data(tmp_path)) for name in ("words", "descriptions"))
    assert {text.text for text in words.texts} == {"animal", "dog", "mammal", "mouse", "sea lion"}  # not "bat"
    assert next(text.mentions for text in words.texts if text.text == "dog") == {Span(0, 3): ("animal", "mammal")}
    mentions = {
        text.text[start:end]: (set(types), set(text.perhaps.get(Span(start, end), ())))
        for text in titles.texts
        for (start, end, _), types in text.mentions.items()
    }
    assert mentions["Ben"] == ({"Dog in Rome", "animal", "mammal"}, {"Old dog"})
    assert mentions["Batman"] == ({"Bat"}, {"animal", "mammal"})  # a beast or a club
    ben = next(text for text in titles.texts if text.text.startswith("Ben"))
    assert {ben.text[start:end] for start, end, _ in ben.mentions} == {"Ben", "Big Rex"}  # another article's title
    assert titles.wordings["Old dog"] == ["Old dog"] and titles.wordings["animal"][0] == "animal"


def test_a_set_that_is_not_built_is_named_with_its_command(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"phrases.jsonl is not in .*training.kinds.build"):
        read_sources(SetEntry("phrases"), Data(tmp_path))


KINDS_TEXT = '{"id": "1", "text": "a dog", "mentions": [{"start": 2, "end": 5, "type": "word dog"}]}'
KINDS_TYPES = {"labels": {"word dog": {"types": ["animal"], "perhaps": []}}, "wordings": {"animal": ["animal"]}}


@pytest.mark.parametrize(
    ("types", "fault"),
    [
        ("{", "has not the form"),
        ("[]", "has not the form"),
        ({"labels": {}, "wordings": {}}, "'word dog' of the text '1' is none of kinds.types.json"),
        (KINDS_TYPES | {"wordings": {}}, "'animal' of the label 'word dog' has no wording"),
        (KINDS_TYPES | {"wordings": {"animal": []}}, "has no wording"),
        (KINDS_TYPES | {"wordings": {"animal": "animal"}}, "is no list of names"),
        (KINDS_TYPES | {"labels": {"word dog": ["animal"]}}, "has not the form"),
        (KINDS_TYPES | {"labels": {"word dog": {"types": [3]}}}, "is no list of names"),
        (KINDS_TYPES | {"labels": {"word dog": {"types": []}}}, "has no mention with a type"),
    ],
)
def test_types_of_kinds_that_are_damaged_are_refused(types: object, fault: str, tmp_path: Path) -> None:
    (tmp_path / "kinds.jsonl").write_text(KINDS_TEXT + "\n")
    path = tmp_path / "kinds.types.json"
    path.write_text(json.dumps(KINDS_TYPES))
    (source,) = read_sources(SetEntry("kinds"), Data(tmp_path))
    assert source.texts[0].mentions == {Span(2, 5): ("animal",)}
    path.write_text(types if isinstance(types, str) else json.dumps(types))
    with pytest.raises(ValueError, match=fault) as caught:
        read_sources(SetEntry("kinds"), Data(tmp_path))
    assert "build it again" in str(caught.value) and str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(("label", "fault"), [("dog", "'dog' is neither"), ("unsure", "has no phrase")])
def test_phrases_of_another_form_are_refused(label: str, fault: str, tmp_path: Path) -> None:
    (tmp_path / "phrases.jsonl").write_text(KINDS_TEXT.replace("word dog", label) + "\n")
    with pytest.raises(ValueError, match=f"{fault}.*build it again"):
        read_sources(SetEntry("phrases"), Data(tmp_path))


@pytest.mark.parametrize(
    ("extracts", "fault"), [("[", "is not JSON"), ("[]", "must be"), ('{"Rex": {"extract": 3}}', "must be")]
)
def test_a_build_that_fails_leaves_earlier_sets_as_they_were(
    extracts: str, fault: str, wordnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "load_parser", Parser)
    monkeypatch.setattr(build, "_own_texts", list)
    monkeypatch.setattr(build, "_set_texts", lambda folder: [])
    (tmp_path / "extracts.json").write_text(extracts)
    (tmp_path / "phrases.jsonl").write_text("old")
    arguments = ["--wordnet", str(wordnet), "--data", str(tmp_path), "--extracts", str(tmp_path / "extracts.json")]
    with pytest.raises(ValueError, match=f"extracts.json {fault}"):
        build.main(arguments)
    monkeypatch.setattr(build, "kind_labels", lambda *parts: 1 / 0)
    monkeypatch.setattr(build, "_own_texts", lambda: [build.Text("corpus 1", "the old dogs", [])])
    with pytest.raises(ZeroDivisionError):
        build.main(arguments[:4])
    assert (tmp_path / "phrases.jsonl").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["extracts.json", "phrases.jsonl", "wordnet"]


def test_a_text_whose_types_it_may_have_change_is_another_text() -> None:
    text = Annotated("a", "a bat", {Span(2, 5): ()}, {Span(2, 5): frozenset({"animal"})})
    other_text = replace(text, perhaps={Span(2, 5): frozenset({"animal", "tool"})})
    digests = {Source("kinds", 1.0, texts, {}).digest() for texts in ([text], [other_text])}
    assert len(digests) == 2
