"""Entities: which mentions name the same thing, what is merged and why, and which stand together."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeling_nerret import EntityRetriever
from modeling_nerret.cli import main
from modeling_nerret.index.answers.sentences import sentence_starts
from modeling_nerret.index.answers.type_query import Expression
from modeling_nerret.index.entities.aliases import is_acronym, shorter_names
from modeling_nerret.index.entities.groups import Place, divide
from modeling_nerret.index.entities.listing import Entity, list_entities, without_names
from modeling_nerret.index.entities.names import key_of
from modeling_nerret.index.entities.pairs import Pair, pair_entities
from modeling_nerret.index.hits import Hit, Mention, remove_overlaps

STATE, MAN = np.eye(2, dtype=np.float32)


def _hit(name: str, markup: str) -> Hit:
    """`"[Ada] wrote"` as a hit with its mentions."""
    text, mentions = "", []
    for plain, mention in re.findall(r"([^\[]+)|\[([^\]]+)\]", markup):
        if mention:
            mentions.append(Mention(len(text), len(text) + len(mention), mention, 0.9))
        text += plain or mention
    return Hit(name, 0.9, text, mentions)


def _hits(*markups: str) -> list[Hit]:
    return [_hit(f"d{number}", markup) for number, markup in enumerate(markups)]


def _counts(entities: Sequence[Entity]) -> dict[str, tuple[int, int]]:
    return {entity.name: (entity.documents, entity.mentions) for entity in entities}


def _reasons(*markups: str) -> list[tuple[str, str, str]]:
    """Name, alias and reason of every merge."""
    return [
        (entity.name, merge.alias, merge.reason) for entity in list_entities(_hits(*markups)) for merge in entity.merges
    ]


def test_equal_text_is_one_entity() -> None:
    hits = _hits("[Flying Scotsman] and the [Flying\nScotsman's] tender", "[THE FLYING SCOTSMAN]", "[Rocket]")
    entities = list_entities(hits)
    assert _counts(entities) == {"Flying Scotsman": (2, 3), "Rocket": (1, 1)}
    assert entities[0].spellings == {"Flying Scotsman": 1, "Flying Scotsman's": 1, "THE FLYING SCOTSMAN": 1}
    assert entities[0].ids == ["d0", "d1"] and not entities[0].merges
    context = entities[0].context
    assert (context.document, context.start, context.end, context.text) == ("d0", 0, 15, "Flying Scotsman")
    assert (context.left, context.right[:8]) == ("", " and the")


def test_the_name_is_the_commonest_spelling() -> None:
    assert [entity.name for entity in list_entities(_hits("[IRAQ]", "[Iraq]", "[Iraq]"))] == ["Iraq"]
    assert [entity.name for entity in list_entities(_hits("[the Rhine]", "[the Rhine]", "[Rhine]"))] == ["Rhine"]
    assert [entity.name for entity in list_entities(_hits("[The Hague]", "[The Hague]"))] == ["The Hague"]
    assert [entity.name for entity in list_entities(_hits("[McDonald's]"))] == ["McDonald's"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Gauss\u2019s", "gauss"),
        ("Gauss'", "gauss"),
        ("O\u2019Hare", "o'hare"),
        ("Lis\u00adbon", "lisbon"),
        ("'s", "'s"),
        ("The", "the"),
        ("A", "a"),
        ("The The", "the"),
        ("Stra\u00dfe", "strasse"),
        ("Zu\u0308rich", "z\u00fcrich"),
    ],
)
def test_keys(text: str, key: str) -> None:
    assert key_of(text) == key


@given(st.text("aBs\u00e9'\u2019 -", min_size=1, max_size=9))
def test_a_key_ignores_case_blanks_article_and_possessive(text: str) -> None:
    key = key_of(f"x{text}x")
    assert key and {key_of(f" the\n X{text.upper()}X "), key_of(f"x{text}x's"), key_of(key)} == {key}


def test_order_is_by_documents_then_mentions_then_name() -> None:
    hits = _hits("[Rome] [Rome] [Rome] [Oslo] [bern]", "[Oslo]", "[Como] [Como]", "[Accra]")
    assert list(_counts(list_entities(hits))) == ["Oslo", "Rome", "Como", "Accra", "bern"]


def test_homonyms_are_apart_and_keep_their_own_first_context() -> None:
    hits = _hits("[Washington] crossed", "in [Washington]", "[Washington] fell", "near [Washington]")
    senses = [MAN, STATE, MAN, STATE + 0.1 * MAN]
    vectors = {
        Place(hit.id, hit.mentions[0].start, hit.mentions[0].end): 0.3 * vector
        for hit, vector in zip(hits, senses, strict=True)
    }
    entities = list_entities(hits, vectors)
    assert [(entity.name, entity.ids) for entity in entities] == [
        ("Washington", ["d0", "d2"]),
        ("Washington", ["d1", "d3"]),
    ]
    assert [entity.context.document for entity in entities] == ["d0", "d1"]
    del vectors[Place("d3", 5, 15)]  # a mention without a vector counts to the largest
    assert [entity.ids for entity in list_entities(hits, vectors)] == [["d0", "d2", "d3"], ["d1"]]


def test_an_odd_context_is_no_homonym_if_the_means_agree() -> None:
    directions = np.array([[1.0, 0.0], [0.6, 0.8], [0.45, -0.893], [1.0, 0.0]])
    assert divide(directions).tolist() == [0, 0, 1, 0]
    directions = np.array([[0.4, 0.9165], [1.0, 0.0], [0.9, 0.436], [0.95, 0.312]])  # the first is .4 from the second
    assert len(set(divide(directions).tolist())) == 1


@given(st.integers(1, 30), st.integers(0, 9))
def test_senses_are_a_partition(count: int, seed: int) -> None:
    directions = np.random.default_rng(seed).normal(size=(count, 4))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    labels = divide(directions)
    assert labels.shape == (count,) and set(divide(np.ones((count, 1))).tolist()) == {0}


def test_a_surname_counts_to_the_only_longer_name_of_its_documents() -> None:
    assert _reasons("[Marie Curie] won. [Curie] won again.") == [
        ("Marie Curie", "Curie", 'part of "Marie Curie", which 1 of its 1 documents have')
    ]
    entity = list_entities(_hits("[Marie Curie] won. [Curie] won; [Curie]!", "[Curie] and [Marie Curie]"))[0]
    assert (entity.name, entity.documents, entity.mentions) == ("Marie Curie", 2, 5)
    assert entity.spellings == {"Curie": 3, "Marie Curie": 2}


@pytest.mark.parametrize(
    "markups",
    [
        ["[Marie Curie] and [Curie]", "[Pierre Curie]"],  # two longer names in the answer
        ["[Marie Curie]", "[Curie]"],  # never in one document
        ["[John Smith], [Smith]", "[Smith]", "[Smith]"],  # most of its documents know no John
        ["[Paris] and [Paris Hilton]"],  # a first name, or a city
        ["[Washington] and the [Washington Post]"],
        ["[Oxford] and the [University of Oxford]"],
        ["[New Mexico] and [Mexico]"],
        ["[Lady Macbeth] and [Macbeth]"],
        ["[Curie, Marie] and [Marie]"],
        ["[Halle and Jena] and [Jena]"],
        ["[goblin shark] and [shark]"],
        ["[Goblin Shark] and [shark]"],
        ["[Louis XIV] and [XIV]", "[Apollo 11], [11]"],
        ["[Peter] and [Peters]", "[Beatles], [Beatle]"],
        ["[Paris] ([France])", "[Paris] (FR)", "[Marie Curie] ([USA])"],
        ["[Ada Lovelace], [Countess Lovelace], [Lovelace]"],
    ],
)
def test_what_is_not_merged(markups: list[str]) -> None:
    assert _reasons(*markups) == []


def test_vectors_that_disagree_forbid_a_merge() -> None:
    hits = _hits("[Marie Curie] met [Curie]", "[dinosaur]", "[dinosaurs]")
    places = [Place(hit.id, mention.start, mention.end) for hit in hits for mention in hit.mentions]
    assert len(list_entities(hits, dict.fromkeys(places, STATE))) == 2
    assert len(list_entities(hits, dict(zip(places, [STATE, MAN] * 2, strict=True)))) == 4


def test_shorter_names_are_merged_step_by_step() -> None:
    assert {name for name, _, _ in _reasons("[Mr Howard Hughes], [Howard Hughes], [Hughes]")} == {"Mr Howard Hughes"}
    markups = "[World Health Organization] ([WHO])", "[WHO], [Organization]", "[Organization] of [WHO]"
    assert len(_reasons(*markups)) == 1  # the full name stands in none of the documents with "Organization"
    assert _reasons("[Apple Inc.] says [Apple]")[0][:2] == ("Apple Inc.", "Apple")
    assert shorter_names("Ludwig van Beethoven") == ["van beethoven", "beethoven"]


def test_an_acronym_is_merged_where_a_text_introduces_it() -> None:
    introduction = "the [World Health Organization] ([WHO])"
    assert _reasons(introduction, "[WHO]", "[WHO]") == [
        ("World Health Organization", "WHO", 'in parentheses with "World Health Organization" in d0')
    ]
    assert _reasons("the [World Health Organization] (WHO), said", "[WHO]")  # the mention itself may be missing
    assert _reasons("[WHO] (the [World Health Organization]) said")
    assert _reasons("[World Health Organization] and [WHO]") == []
    assert _reasons("[Mass Spectrometry] (MS)", "[Multiple Sclerosis] (MS)", "[MS]") == []


@pytest.mark.parametrize("text", ["WHO (World", "who", "W", "OWH", "WHX"])
def test_no_acronym(text: str) -> None:
    assert not is_acronym(text, "world health organization")


def test_plurals_of_kinds_are_merged_if_both_are_there() -> None:
    assert _reasons("[dinosaurs]", "[Dinosaurs] and [dinosaurs]", "a [dinosaur]") == [
        ("dinosaurs", "dinosaur", 'singular of "dinosaurs"')
    ]
    assert _reasons("[companies]", "a [company]") == [("company", "companies", 'plural of "company"')]
    assert _counts(list_entities(_hits("[glasses]"))) == {"glasses": (1, 1)}


def test_merges_can_be_left_out() -> None:
    markups = ["[Marie Curie], [Curie]", "[World Health Organization] ([WHO])", "a [tooth], [cave], [caves]"]
    hits = _hits(*markups)
    entities, parts = list_entities(hits), list_entities(hits, merge=False)
    assert len(parts) - len(entities) == sum(len(entity.merges) for entity in entities) == 3
    assert not any(entity.merges for entity in parts)
    assert sorted(p for e in parts for p in e.places) == sorted(p for e in entities for p in e.places)


NAMES = ["Marie Curie", "Curie", "the Curie", "WHO", "World Health Organization", "caves", "cave", "Paris"]


@given(st.lists(st.lists(st.sampled_from(NAMES), max_size=5), max_size=6), st.booleans())
def test_every_mention_counts_once(documents: list[list[str]], merge: bool) -> None:
    hits = _hits(*(" ".join(f"[{name}] (x)" for name in names) for names in documents))
    entities = list_entities(hits, merge=merge)
    places = [place for entity in entities for place in entity.places]
    expected = [Place(hit.id, mention.start, mention.end) for hit in hits for mention in hit.mentions]
    assert sorted(places) == sorted(expected)
    assert all(entity.mentions == sum(entity.spellings.values()) for entity in entities)


def test_of_mentions_inside_each_other_the_best_counts() -> None:
    mentions = [Mention(0, 5, "Paris", 0.5), Mention(0, 12, "Paris Hilton", 0.8)]
    assert list(_counts(list_entities([Hit("a", 0.8, "Paris Hilton", mentions)]))) == ["Paris Hilton"]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 6), st.floats(0, 1)), max_size=12))
def test_overlaps_are_those_of_the_plain_rule(spans: list[tuple[int, int, float]]) -> None:
    mentions = [Mention(start, start + size, "x" * size, score) for start, size, score in spans]
    best: list[Mention] = []
    for mention in sorted(mentions, key=lambda mention: -mention.score):
        if all(mention.end <= better.start or better.end <= mention.start for better in best):
            best.append(mention)
    assert remove_overlaps(mentions) == sorted(best, key=lambda mention: mention.start)


def test_mentions_that_repeat_the_query_are_left_out() -> None:
    hits = without_names(_hits("[Companies] and [the company]: [Ericsson]", "[company cars]"), ["companies"])
    assert [mention.text for hit in hits for mention in hit.mentions] == ["Ericsson", "company cars"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("One. Two.", 2),
        ("Mount St. Helens and G. H. Hardy, No. 7.", 1),
        ("Why? \u201cSo.\u201d Yes", 3),
        ("a\n\nB", 2),
        ("He left the U.S. in May.", 1),
        ("e.g. this. That", 2),
        ("\u5927\u5bae\u3002\u99c5", 2),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(sentence_starts(text)) == count


def _table(pairs: list[Pair]) -> list[tuple[str, str, int]]:
    return [(pair.first.name, pair.second.name, pair.documents) for pair in pairs]


def test_pairs_count_documents_sentences_and_distances() -> None:
    first = _hits("[Ada] was in London. Paris was far.", "[Ada] left London")
    second = _hits("Ada was in [London]. [Paris] was far.", "Ada left [London]")
    people, cities, texts = list_entities(first), list_entities(second), {hit.id: hit.text for hit in first}
    assert _table(pair_entities(people, cities, texts)) == [("Ada", "London", 2), ("Ada", "Paris", 1)]
    assert pair_entities(people, cities, texts)[0].ids == ["d0", "d1"]
    assert _table(pair_entities(people, cities, texts, "sentence")) == [("Ada", "London", 2)]
    assert _table(pair_entities(people, cities, texts, 6)) == [("Ada", "London", 1)]
    assert _table(pair_entities(people, cities, texts, 5)) == []
    for within in ("page", -1, True, 1.5):
        with pytest.raises(ValueError, match="accepted are 'document', 'sentence' and a number"):
            pair_entities(people, cities, texts, within)  # type: ignore[arg-type]


def test_pairs_are_of_two_things_and_stand_once() -> None:
    entities = list_entities(_hits("[Ada] met [Bob]. [Ada]!"))
    assert _table(pair_entities(entities, entities, {})) == [("Ada", "Bob", 1)]
    inner = list_entities([Hit("d0", 0.9, "Ada met", [Mention(0, 2, "Ad", 0.9)])])
    assert pair_entities(inner, [entities[0]], {})[0].ids == ["d0"]  # the second Ada is outside
    assert pair_entities(inner, list_entities(_hits("[Ada] met")), {}) == []


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9), st.sampled_from("abc")), max_size=8),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9), st.sampled_from("xyz")), max_size=8),
    st.sampled_from(["document", 0, 3, 20, "sentence"]),
)
def test_pairs_are_those_of_the_plain_rule(
    first: list[tuple[int, int, str]], second: list[tuple[int, int, str]], within: int | str
) -> None:
    text = "abc defg. Hij klmno? " * 5
    hits = [Hit("d", 0.9, text, [Mention(s, s + n, name, 0.9) for s, n, name in spans]) for spans in (first, second)]
    people, cities = (list_entities([hit]) for hit in hits)
    starts = np.array(sentence_starts(text))
    expected = set()
    for person in people:
        for city in cities:
            for a in person.places:
                for b in city.places:
                    gap = max(a.start, b.start) - min(a.end, b.end)
                    is_same = np.sum(starts <= a.start) == np.sum(starts <= b.start)
                    is_near = is_same if within == "sentence" else within == "document" or gap <= int(within)
                    if gap >= 0 and is_near:
                        expected.add(frozenset((person.places[0], city.places[0])))  # in either order it is one pair
            if set(person.places) & set(city.places):
                expected.discard(frozenset((person.places[0], city.places[0])))
    pairs = pair_entities(people, cities, {"d": text}, within)
    assert {frozenset((pair.first.places[0], pair.second.places[0])) for pair in pairs} == expected


@pytest.fixture(scope="module")
def index(tiny_checkpoint: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An index with given mentions, among them what a spreadsheet would take for a formula."""
    folder = tmp_path_factory.mktemp("entities")
    markups = ["[Ada] was in [London].", "the [London] river, [=1+1]", "[Ada]'s notes. [Paris]", "[london]"]
    lines = []
    for hit in _hits(*markups):
        mentions = [{"start": mention.start, "end": mention.end} for mention in hit.mentions]
        lines.append(json.dumps({"id": hit.id, "text": hit.text, "mentions": mentions, "year": 1800 + len(lines)}))
    corpus = folder / "corpus.jsonl"
    corpus.write_text("\n".join(lines), encoding="utf-8")
    arguments = ["index", str(corpus), str(folder / "index"), "--model", tiny_checkpoint, "--detector", "given"]
    assert main(arguments) == 0
    return str(folder / "index")


def test_a_retriever_counts_the_mentions_of_its_answer(index: str) -> None:
    retriever = EntityRetriever(index)
    hits = retriever.search("notes", k=9, mode="vector")
    entities = retriever.entities("notes", k=9, mode="vector")
    places = sorted(place for entity in entities for place in entity.places)
    assert places == sorted((hit.id, m.start, m.end) for hit in hits for m in hit.mentions)
    assert all(entity.documents >= 1 for entity in retriever.entities("notes", k=9, where={"year": 1801}))
    assert {place.document for e in retriever.entities("notes", k=9, where={"year": 1801}) for place in e.places} == {
        "d1"
    }
    assert EntityRetriever(Path(index).parent / "nothing", retriever.checkpoint).entities("city", k=3) == []


def test_vectors_by_place_are_the_stored_ones(index: str) -> None:
    retriever = EntityRetriever(index)
    hits = retriever.search("city", k=9, mode="vector")
    vectors = retriever._vectors(hits)
    query = retriever.encoder.embed_queries(["city"])[0]
    assert len(vectors) == retriever.info()["mentions"]
    for hit in hits:
        for mention in hit.mentions:
            cosine = float(vectors[Place(hit.id, mention.start, mention.end)] @ query)
            assert cosine == pytest.approx(mention.score, abs=1e-5)


def _run(capsys: pytest.CaptureFixture, *arguments: str) -> str:
    capsys.readouterr()
    assert main(["entities", *arguments]) == 0
    return capsys.readouterr().out


def test_command_prints_a_table_json_and_csv(index: str, capsys: pytest.CaptureFixture) -> None:
    expected = EntityRetriever(index).entities("notes", k=9, mode="vector")
    options = ["notes", "-k", "9", "--mode", "vector"]
    table = _run(capsys, index, *options)
    assert table.splitlines()[0].split()[:3] == ["documents", "mentions", "entity"]
    assert all(entity.name in table for entity in expected)
    lines = [json.loads(line) for line in _run(capsys, index, *options, "--json").splitlines()]
    assert lines == [entity.as_dict() for entity in expected]
    rows = list(csv.DictReader(io.StringIO(_run(capsys, index, *options, "--csv"))))
    assert [int(row["documents"]) for row in rows] == [entity.documents for entity in expected]
    names = [row["entity"] for row in rows]
    assert "'=1+1" in names and "=1+1" not in names


def test_command_prints_pairs(index: str, capsys: pytest.CaptureFixture) -> None:
    options = ["notes", "--with", "city", "-k", "9", "--mode", "vector"]
    expected = EntityRetriever(index).pairs("notes", "city", k=9, mode="vector")
    assert expected
    lines = [json.loads(line) for line in _run(capsys, index, *options, "--json").splitlines()]
    assert lines == [pair.as_dict() for pair in expected]
    assert _run(capsys, index, *options).splitlines()[0].split()[:3] == ["documents", "notes", "city"]
    rows = list(csv.DictReader(io.StringIO(_run(capsys, index, *options, "--csv"))))
    assert len(rows) == len(expected) and set(rows[0]) == {"notes", "city", "documents", "ids"}
    lines_within = _run(capsys, index, *options, "--within", "3", "--json").splitlines()
    assert len(lines_within) < len(lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--within", "page", "--with", "x"], "sentence"),
        (["--json", "--csv"], "not allowed with"),
        (["-k", "0"], "from 1"),
    ],
)
def test_bad_usage(arguments: list[str], words: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as error:
        main(["entities", "index", "city", *arguments])
    assert error.value.code == 2 and words in capsys.readouterr().err


def test_an_answer_without_entities(index: str, capsys: pytest.CaptureFixture) -> None:
    assert _run(capsys, index, "notes", "-k", "1", "--min-score", "99") == "no entity found\n"
    assert _run(capsys, index, "notes", "-k", "1", "--min-score", "99", "--json") == ""
    assert main(["entities", index, "city", "-k", "3", "--within", "sentence"]) == 1
    assert "--with" in capsys.readouterr().err
    assert main(["entities", f"{index}/nowhere", "city", "-k", "3"]) == 1
    assert "is no nerret index" in capsys.readouterr().err


def test_the_second_type_of_pairs_may_be_a_saved_query(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    EntityRetriever(index).save_query("my rivers", "river", marks={})
    queries: list[str | Expression] = []
    monkeypatch.setattr(EntityRetriever, "pairs", lambda self, *pair, **options: queries.extend(pair[:2]) or [])
    assert main(["entities", index, "city", "--with", "@my rivers"]) == 0
    assert [query.name for query in queries] == ["city", "river"]
    assert main(["entities", index, "city", "--with", "@my seas"]) == 1


def test_command_asks_for_pairs_with_all_that_is_said_of_the_type(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    queries = []
    monkeypatch.setattr(EntityRetriever, "pairs", lambda self, query, *rest, **options: queries.append(query) or [])
    assert main(["entities", index, "city", "--wording", "town", "--with", "river"]) == 0
    assert queries[0].name == "city" and queries[0].wordings == ("town",)
